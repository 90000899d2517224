"""The routes of employees, by noun."""

from employees.routes import feed, lines, people, tables

BLUEPRINTS = (tables.blueprint, people.blueprint, lines.blueprint, feed.blueprint)
"""Fresh ones are not needed for each app: a blueprint is only read."""
