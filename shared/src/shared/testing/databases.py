"""Databases for tests: real ones, made for a test and dropped after it.

A ``conftest.py`` imports the fixtures that it wants::

    from shared.testing.databases import database_url  # noqa: F401 - a fixture, found by name

Every test that asks for ``database_url`` then runs on SQLite and on PostgreSQL. PostgreSQL is looked for at ROSTER_TEST_POSTGRESQL
(default: 127.0.0.1:5432, user postgres); without one those tests are skipped, or fail where ROSTER_REQUIRE_SERVICES=1.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import MetaData

from shared.migrate import engine_of, new_epoch

SERVER = os.environ.get("ROSTER_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")


@contextmanager
def postgresql_database() -> Iterator[str]:
    """The URL of an empty PostgreSQL database that lasts as long as the block."""
    name = f"roster_test_{secrets.token_hex(6)}"
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        reason = f"no PostgreSQL answers at {SERVER}: {error}"
        if os.environ.get("ROSTER_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield SERVER.rpartition("/")[0] + f"/{name}"
        finally:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "test.db")
        return
    with postgresql_database() as url:
        yield url


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgresql_database() as url:
        yield url


def create_tables(url: str, metadata: MetaData) -> None:
    """Make the tables that models declare, and an epoch: a migration's work, for tests of what has no migrations."""
    engine = engine_of(url)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            new_epoch(connection)
    finally:
        engine.dispose()
