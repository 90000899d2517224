"""A migrated database, on SQLite and on PostgreSQL alike, and accounts in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
import pytest_asyncio

from gateway.store import accounts
from shared.changes import Author
from shared.db import Database
from shared.migrate import upgrade
from shared.testing.databases import database_url  # noqa: F401 - a fixture, found by name

AUTHOR = Author("account:1", "request-1")
AddAccount = Callable[..., Awaitable[accounts.LogIn]]


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:  # noqa: F811 - the fixture, asked for by name
    upgrade(database_url, "gateway")
    found = Database(database_url, readers=2)
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def add(db: Database) -> AddAccount:
    """Adds an account, and gives it as log-in does."""

    async def account(username: str = "ada", role: str = "viewer") -> accounts.LogIn:
        await db.write(partial(accounts.add_account, username=username, role=role, password_hash="kept", author=AUTHOR))
        found = await accounts.find_log_in(db, username)
        assert found is not None
        return found

    return account
