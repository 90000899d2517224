"""What Alembic runs for each migration command."""

from employees.models import metadata
from shared.migrate import run_env

run_env(metadata)
