"""Reads on PostgreSQL: a few held asyncpg connections, first come, first served."""

import asyncio
import contextlib
from typing import Any

import asyncpg  # type: ignore[import-untyped] # it comes without type information

from shared.db.connection import Row
from shared.db.errors import InvalidParameter, StoreError, Unavailable
from shared.db.query import Query

_SETTLE = 2.0
"""Seconds that a connection has to come to rest after its read was cancelled; then it is given up."""

_LONGEST = "30s"
"""How long a read may take on the server, if nobody cancels it and also if its cancelling came to nothing."""

_LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, OSError)


def translate(error: Exception, text: str) -> StoreError:
    """What an error of the driver means to a store."""
    if isinstance(error, asyncpg.DataError):
        return InvalidParameter("value", str(error))
    if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] not in ("08", "40", "53", "55", "57", "58", "XX"):
        return StoreError(f"{error}: {text}")
    return Unavailable(f"PostgreSQL: {type(error).__name__}: {error}")


class PostgreSQLReaders:
    """``all`` on one of a bounded number of connections."""

    def __init__(self, url: str, readers: int) -> None:
        self._url = url
        self._free = asyncio.Semaphore(readers)
        self._idle: list[asyncpg.Connection] = []
        self._settling: set[asyncio.Task[None]] = set()
        self._open = False

    async def open(self) -> None:
        """Connect once, to find out whether that is possible; the other connections are made when they are needed."""
        self._idle.append(await self._connect())
        self._open = True

    async def close(self) -> None:
        self._open = False
        while self._settling:
            await asyncio.gather(*self._settling)
        while self._idle:
            with contextlib.suppress(*_LOST, TimeoutError):
                await self._idle.pop().close(timeout=_SETTLE)

    async def all(self, query: Query, values: list[Any]) -> list[Row]:
        """The rows. A cancelled caller cancels its own statement; the connection serves again when that has come to rest."""
        text = query.compiled("postgresql").text
        if not self._open:
            raise Unavailable("the database is closed")
        await self._free.acquire()
        connection: asyncpg.Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                rows = await connection.fetch(text, *values)
            except _LOST:
                if not connection.is_closed():
                    raise
                connection = await self._connect()
                rows = await connection.fetch(text, *values)
        except asyncio.CancelledError:
            if connection is None:
                self._free.release()
            else:
                self._settle(connection)
            raise
        except BaseException as error:
            self._keep(connection)
            if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
                raise translate(error, text) from error
            raise
        self._keep(connection)
        return [tuple(row) for row in rows]

    async def _connect(self) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                self._url,
                timeout=5,
                statement_cache_size=1000,
                max_cached_statement_lifetime=0,
                server_settings={"jit": "off", "default_transaction_read_only": "on", "statement_timeout": _LONGEST},
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise Unavailable(f"PostgreSQL: {type(error).__name__}: {error}") from error

    def _keep(self, connection: asyncpg.Connection | None) -> None:
        """Hand a connection, or the right to make one, to whoever waits."""
        if connection is not None and not connection.is_closed():
            if self._open:
                self._idle.append(connection)
            else:
                connection.terminate()
        self._free.release()

    def _settle(self, connection: asyncpg.Connection) -> None:
        """Let a cancelled statement end before anybody else gets its connection."""
        task = asyncio.create_task(self._come_to_rest(connection))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _come_to_rest(self, connection: asyncpg.Connection) -> None:
        try:
            async with asyncio.timeout(_SETTLE):  # the driver's own does not cover its wait for the cancelled statement
                await connection.execute("SELECT")
        except Exception:  # whatever is wrong with it, another one takes its place
            connection.terminate()
        finally:
            self._keep(connection)
