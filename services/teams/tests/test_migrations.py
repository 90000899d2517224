"""The migrations make just the tables that the models declare."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.migrate import engine_of, upgrade
from teams.models import metadata


def test_migrations_and_models_agree(database_url: str) -> None:
    upgrade(database_url, "teams")
    upgrade(database_url, "teams")
    engine = engine_of(database_url)
    try:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
    finally:
        engine.dispose()
