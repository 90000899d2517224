"""The operations of teams, each declared with who may call it, what it takes and what it answers."""

from teams.routes.audit import audit
from teams.routes.changes import changes
from teams.routes.history import history
from teams.routes.members import members
from teams.routes.tables import tables
from teams.routes.teams import teams

BLUEPRINTS = (teams, members, history, tables, changes, audit)

__all__ = ["BLUEPRINTS"]
