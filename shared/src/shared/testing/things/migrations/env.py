"""Alembic's entry."""

from shared.migrate import run_env
from shared.testing.things import metadata

run_env(metadata)
