"""Databases and apps for the tests of employees; every test that asks for `db` or `api` runs on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from quart import Quart

from employees import create_app
from employees.config import Settings
from shared.changes import Author
from shared.db import Database
from shared.migrate import upgrade
from shared.testing.answers import checked
from shared.testing.calls import Answer, Calls
from shared.testing.databases import database_url, postgresql_database  # noqa: F401 - fixtures, found by name

CSV = {"Content-Type": "text/csv"}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Quart]:
    """The app, started; all that it answers is compared with its document."""
    app = create_app(settings)
    async with app.test_app(), checked(app):
        yield app


def settings_for(url: str, **fields: Any) -> Settings:
    return Settings(**{"database_url": url, "open": True, "access_log": False, "log_level": "error", "readers": 2, **fields})


class Api(Calls):
    """The service, with what its tests do all the time."""

    async def add(self, username: str, manager_id: int | None = None, **fields: Any) -> int:
        """A new employee's id."""
        body = {"username": username, "email": f"{username}@example.org", "manager_id": manager_id, **fields}
        answer = await self("POST", "/v1/employees", body)
        assert answer.status == 201, answer.body
        return int(answer.json["id"])

    async def employee(self, employee_id: int) -> dict[str, Any]:
        answer = await self("GET", f"/v1/employees/{employee_id}")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    async def load(self, table: str | bytes, query: str = "") -> Answer:
        """Import a CSV table."""
        data = table.encode() if isinstance(table, str) else table
        return await self("POST", f"/v1/employees/import{query}", data=data, headers=CSV)

    async def everything(self) -> tuple[bytes, bytes]:
        """All that is stored, to see that something changed nothing."""
        return (await self("GET", "/v1/employees/export")).body, (await self("GET", "/v1/changes?limit=1000")).body


@pytest.fixture
def author() -> Author:
    return Author("account:1", "request-1")


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:  # noqa: F811 - the fixture, asked for by name
    """A migrated database, open."""
    upgrade(database_url, "employees")
    found = Database(database_url, readers=2)
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def make_api() -> Callable[..., AbstractAsyncContextManager[Api]]:
    """The service on a database, with these settings more, as long as a block lasts."""

    @asynccontextmanager
    async def make(url: str, **fields: Any) -> AsyncIterator[Api]:
        async with running(settings_for(url, **fields)) as app:
            yield Api(app)

    return make


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:  # noqa: F811 - the fixture, asked for by name
    async with running(settings_for(database_url)) as app:
        yield Api(app)


@pytest_asyncio.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Api]:
    """The service on SQLite only, for what has nothing to do with the database."""
    async with running(settings_for(f"sqlite:///{tmp_path / 'employees.db'}")) as app:
        yield Api(app)


@pytest_asyncio.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Api, Api]]:
    """The service on SQLite and, beside it, on PostgreSQL."""
    with postgresql_database() as url:
        lite, big = create_app(settings_for(f"sqlite:///{tmp_path / 'employees.db'}")), create_app(settings_for(url))
        async with lite.test_app(), big.test_app(), checked(lite), checked(big):
            yield Api(lite), Api(big)
