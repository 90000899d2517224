"""Databases, units and apps for the tests of teams; every test that asks for a database runs on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import pytest_asyncio
from quart import Quart

from shared.changes import Author
from shared.db import Connection, Database
from shared.migrate import upgrade
from shared.testing.answers import checked
from shared.testing.calls import Calls
from shared.testing.databases import database_url  # noqa: F401 - a fixture, found by name
from teams import create_app
from teams.config import Settings
from teams.store import members, teams

AUTHOR = Author("account:1", "request-1")


@pytest.fixture
def author() -> Author:
    return AUTHOR


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:  # noqa: F811 - the fixture, asked for by name
    """A migrated database, open."""
    upgrade(database_url, "teams")
    found = Database(database_url, readers=2)
    await found.open()
    yield found
    await found.close()


class Api(Calls):
    """The service, with what its tests do all the time."""

    async def team(self, slug: str, parent: int | None = None, **fields: Any) -> int:
        """A new team's id."""
        answer = await self("POST", "/v1/teams", {"slug": slug, "name": slug.title(), "parent_id": parent, **fields})
        assert answer.status == 201, answer.body
        return int(answer.json["id"])

    async def join(self, team_id: int, employee_id: int, role: str = "member") -> None:
        answer = await self("PUT", f"/v1/teams/{team_id}/members/{employee_id}", {"role": role})
        assert answer.status in (200, 201), answer.body

    async def everything(self) -> dict[str, Any]:
        """All that is stored, to see that something changed nothing."""
        return {path: (await self("GET", path)).body for path in ("/v1/teams/export", "/v1/memberships/export", "/v1/changes?limit=1000")}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Quart]:
    """The app, started; all that it answers is compared with its document."""
    app = create_app(settings)
    async with app.test_app(), checked(app):
        yield app


def settings_for(url: str, **fields: Any) -> Settings:
    return Settings(**{"database_url": url, "open": True, "access_log": False, "log_level": "error", "readers": 2, **fields})


@pytest_asyncio.fixture
async def api(database_url: str) -> AsyncIterator[Api]:  # noqa: F811 - the fixture, asked for by name
    """Teams running alone."""
    async with running(settings_for(database_url)) as app:
        yield Api(app)


@pytest_asyncio.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Api]:
    """The same on SQLite only, for what has nothing to do with the database."""
    async with running(settings_for(f"sqlite:///{tmp_path / 'teams.db'}")) as app:
        yield Api(app)


AddTeam = Callable[..., Awaitable[int]]


@pytest.fixture
def add_team(db: Database) -> AddTeam:
    """Makes a team by its slug, below another; its id."""

    async def add(slug: str, parent: int | None = None) -> int:
        def unit(conn: Connection) -> int:
            return int(
                teams.create(conn, {"slug": slug, "name": slug, "description": None, "parent_id": parent, "external_id": None}, AUTHOR)[
                    "id"
                ]
            )

        return await db.write(unit)

    return add


Join = Callable[..., Awaitable[None]]


@pytest.fixture
def join(db: Database) -> Join:
    """Makes someone a member."""
    from shared.etags import Precondition

    async def add(team_id: int, employee_id: int, role: str = "member", *, following: bool = True) -> None:
        values = {"role": role, "since": None}
        await db.write(lambda conn: members.put(conn, (team_id, employee_id), values, Precondition(None), AUTHOR, following=following))

    return add


class FeedOfEmployees:
    """Serves `events` in order. `epoch` begins its cursors; a cursor of another one is a 410.

    `fails` are statuses, `bodies` whole bodies to answer first.
    """

    def __init__(self) -> None:
        self.epoch = "first"
        self.events: list[dict[str, Any]] = []
        self.fails: list[int] = []
        self.bodies: list[bytes] = []
        self.most = 500
        self.repeat = 0
        """How many events before the cursor are sent once more."""
        self.spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list
        """What becomes of a batch on its way."""
        self.queries: list[dict[str, str]] = []
        self.headers: dict[str, str] = {}
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def add(self, employee_id: int, kind: str = "updated", *, born: str = "2020", **state: Any) -> None:
        data = (
            None
            if kind == "deleted"
            else {"id": employee_id, "username": f"u{employee_id}", "status": "active", "created_at": born} | state
        )
        event = {
            "type": f"roster.employee.{kind}",
            "subject": f"employee/{employee_id}",
            "time": "2026-11-22T08:00:00.000000Z",
            "data": data,
        }
        self.events.append(event)
        self._news.set()
        self._news = asyncio.Event()

    async def start(self) -> None:
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *headers = head.decode().split("\r\n")
                self.headers = {name.lower(): value for name, _, value in (header.partition(": ") for header in headers)}
                query = {name: values[0] for name, values in parse_qs(urlsplit(line.split(" ")[1]).query).items()}
                self.queries.append(query)
                status, document = await self._answer(query)
                body = self.bodies.pop(0) if self.bodies else msgspec.json.encode(document)
                kind = "application/cloudevents-batch+json" if status == 200 else "application/problem+json"
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, query: dict[str, str]) -> tuple[int, Any]:
        if self.fails:
            return self.fails.pop(0), {}
        epoch, _, seq = query.get("after", f"{self.epoch}.0").partition(".")
        if epoch != self.epoch:
            return 410, {}
        after = int(seq)
        if after >= len(self.events) and int(query["wait"]):
            try:
                await asyncio.wait_for(self._news.wait(), int(query["wait"]))
            except TimeoutError:
                return 200, []
        first = max(0, after - self.repeat)
        return 200, self.spoil([{"id": f"{self.epoch}.{at}"} | event for at, event in enumerate(self.events, 1)][first:][: self.most])


@pytest_asyncio.fixture
async def feed() -> AsyncIterator[FeedOfEmployees]:
    """A feed of employees that is empty and answers."""
    found = FeedOfEmployees()
    await found.start()
    yield found
    await found.stop()
