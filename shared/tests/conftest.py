"""Databases with the things of the store's tests, of each kind in turn."""

from collections.abc import AsyncIterator

import pytest

from shared.db import Database
from shared.migrate import upgrade
from shared.testing.databases import database_url as database_url
from shared.testing.databases import postgresql_url as postgresql_url

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
