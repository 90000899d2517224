"""The routes of employees, by noun."""

from employees.routes import audit, changes, history, lines, people, tables

BLUEPRINTS = (tables.blueprint, people.blueprint, lines.blueprint, history.blueprint, changes.blueprint, audit.blueprint)
"""Fresh ones are not needed for each app: a blueprint is only read."""
