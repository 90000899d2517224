"""What Alembic runs for each migration command."""

from shared.migrate import run_env
from teams.models import metadata

run_env(metadata)
