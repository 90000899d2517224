"""The operations of teams, each declared with who may call it, what it takes and what it answers."""

from shared.auditroutes import audit_routes
from teams.routes.changes import changes
from teams.routes.history import history
from teams.routes.members import members
from teams.routes.tables import tables
from teams.routes.teams import teams
from teams.store import AUDIT

BLUEPRINTS = (teams, members, history, tables, changes, audit_routes(AUDIT))

__all__ = ["BLUEPRINTS"]
