"""The routes of employees, by noun."""

from employees.routes import changes, history, lines, people, tables
from employees.store import AUDIT
from shared.auditroutes import audit_routes

BLUEPRINTS = (tables.blueprint, people.blueprint, lines.blueprint, history.blueprint, changes.blueprint, audit_routes(AUDIT))
"""Fresh ones are not needed for each app: a blueprint is only read."""
