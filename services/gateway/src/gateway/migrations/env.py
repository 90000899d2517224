"""Where Alembic finds the gateway's tables."""

from gateway.models import metadata
from shared.migrate import run_env

run_env(metadata)
