"""The tables: what the migrations make is what the models say."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from employees.models import metadata
from shared.migrate import engine_of, upgrade


def test_the_migrations_make_the_models(database_url: str) -> None:
    upgrade(database_url, "employees")
    engine = engine_of(database_url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()
