"""A service that lives, with a real database that is put into the states which pacts speak of.

Its app is made anew for each state, on the same database, emptied: ids begin at 1 each time, so that a pact may name them. Every request
is signed as the state says, because an assertion in a file would have ended long ago.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from quart import Quart

from shared.db import Database
from shared.migrate import engine_of, upgrade
from shared.testing.callers import Signer
from shared.testing.serving import serving

GATEWAY: Final = Signer("gateway")
TEAMS: Final = Signer("teams")
SUBJECT: Final = "account:1"
MakeApp = Callable[[str], Quart]
State = Callable[["World"], Awaitable[None]]


class World:
    """One service on one database. `url` is where it answers while `living` lasts."""

    def __init__(self, service: str, database_url: str, make_app: MakeApp, metadata: sa.MetaData, states: Mapping[str, State]) -> None:
        self.service = service
        self.url = ""
        self.database_url = database_url
        self._make_app = make_app
        self._metadata = metadata
        self._states = states
        self._app: Any = None
        self._running: Any = None
        self._caller: Mapping[str, str] | None = None

    @asynccontextmanager
    async def living(self) -> AsyncIterator["World"]:
        """Serve on a free port of this machine for the length of the block."""
        await asyncio.to_thread(upgrade, self.database_url, self.service)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end)
            self.url = await stack.enter_async_context(serving(self, lifespan=False))
            yield self

    async def become(self, state: str) -> None:
        """Begin anew, in this state. KeyError for one that is not known."""
        prepare = self._states[state]
        await self._end()
        await asyncio.to_thread(self._empty)
        await self.start()
        await prepare(self)

    async def start(self) -> None:
        """Run the app on the database as it is."""
        await self._end()
        self.as_role("editor")
        self._app = self._make_app(self.database_url)
        self._running = self._app.test_app()
        await self._running.startup()

    def as_role(self, role: str) -> None:
        """From now on requests come from someone with this role, through the gateway."""
        self._caller = GATEWAY.headers(self.service, role, SUBJECT)

    def as_teams(self) -> None:
        """From now on requests come from the teams service."""
        self._caller = TEAMS.headers(self.service, "feed", "service:teams")

    def as_stranger(self) -> None:
        """From now on requests are signed with a key that nobody knows."""
        self._caller = Signer("gateway").headers(self.service, "admin", SUBJECT)

    def as_they_come(self) -> None:
        """From now on requests have the signatures that they came with."""
        self._caller = None

    @property
    def db(self) -> Database:
        """The app's own database."""
        db: Database = self._app.extensions["db"]
        return db

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """One request to the app, of someone who may write. AssertionError when it is refused."""
        body = b"" if json is None else json if isinstance(json, bytes) else msgspec.json.encode(json)
        sent = {"Content-Type": "application/json", **GATEWAY.headers(self.service, "editor", SUBJECT), **headers}
        local: Any = {"server": ("127.0.0.1", 1), "client": ("127.0.0.1", 1)}
        response = await self._app.test_client().open(path, method=method, data=body, headers=sent, scope_base=local)
        found = await response.get_data(as_text=False)
        assert response.status_code < 300, found
        return msgspec.json.decode(found) if found else None

    async def set_epoch(self, epoch: str) -> None:
        """Give the feed a name that a pact can know."""
        await self._end()
        await asyncio.to_thread(self._execute, sa.text("UPDATE meta SET value = :epoch WHERE name = 'epoch'").bindparams(epoch=epoch))
        await self.start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._caller is not None:
            headers = [field for field in scope["headers"] if field[0] != b"authorization"]
            scope = {**scope, "headers": headers + [(name.lower().encode(), value.encode()) for name, value in self._caller.items()]}
        await self._app(scope, receive, send)

    async def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.shutdown()

    def _empty(self) -> None:
        self._execute(*(table.delete() for table in reversed(self._metadata.sorted_tables) if table.name != "meta"))

    def _execute(self, *statements: Any) -> None:
        engine = engine_of(self.database_url)
        try:
            with engine.begin() as connection:
                for statement in statements:
                    connection.execute(statement)
        finally:
            engine.dispose()
