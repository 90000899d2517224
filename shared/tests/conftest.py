"""Databases with the things of the store's tests, of each kind in turn; and a service that runs."""

import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.db import Database
from shared.migrate import upgrade
from shared.testing.databases import database_url as database_url
from shared.testing.databases import postgresql_url as postgresql_url
from shared.testing.processes import Process

THINGS = "shared.testing.things"


@pytest.fixture
def things_url(database_url: str) -> str:
    """A database with the things' tables, empty."""
    upgrade(database_url, THINGS)
    return database_url


@pytest.fixture
async def db(things_url: str) -> AsyncIterator[Database]:
    """The same, open."""
    database = Database(things_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A service that is ready, for the tests of one file."""
    process = Process("notes", [sys.executable, "-m", "shared.testing.notes", "serve"], tmp_path_factory.mktemp("notes"))
    process.env |= {"NOTES_OPEN": "true", "NOTES_PORT": str(process.port)}
    process.start()
    process.wait_ready()
    yield process
    process.kill()
