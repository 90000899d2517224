"""A service's database: reads on held connections, writes by group commit."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import bindparam, column, func, select, table

from shared.db.connection import SCRUB_DUE, Connection, Driver, Large, Row
from shared.db.errors import NotMigrated, StoreError, Unavailable
from shared.db.query import DialectName, Query
from shared.db.sqlite import SQLiteDriver, path_of
from shared.db.sqlite_readers import SQLiteReaders
from shared.db.types import Change
from shared.db.writer import Writer

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_EPOCH = Query(select(column("value")).select_from(table("meta")).where(column("name") == "epoch"))
_LAST = Query(select(func.coalesce(func.max(column("seq")), 0)).select_from(table("changes")))
_PING = Query(select(bindparam("one", 1)))
_POLL = 0.2
"""Seconds between looks for other processes' changes, while somebody waits for one."""


class Readers(Protocol):
    """What reads for a Database, one per kind of database."""

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Also what an `open` that failed has opened."""

    async def all(self, query: Query, values: list[Any]) -> list[Row]: ...


class Reader(Protocol):
    """What is read from: a Database, or one as it was at one instant (`shared.past`), which `at` tells then."""

    epoch: str
    at: str | None

    async def all(self, query: Query, /, **params: Any) -> list[Row]: ...
    async def one(self, query: Query, /, **params: Any) -> Row | None: ...
    async def last_change(self) -> int: ...


def utc_now() -> str:
    """The time as every table stores it: ``2026-11-22T07:49:09.123456Z``, fixed width, so that text order is time order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:26] + "Z"


class Database:
    """One service's tables on SQLite or PostgreSQL. Making one opens nothing; `open` does, in the event loop that will use it."""

    def __init__(self, url: str, *, readers: int = 4, now: Callable[[], str] = utc_now) -> None:
        self.url = url
        self.dialect: DialectName = dialect_of(url)
        self.epoch = ""
        self.at: str | None = None
        self.now = now
        self.last_seq = 0
        """The newest change that this process knows of; grows after each commit, and while somebody waits."""
        self._readers: Readers
        connect: Callable[[], Driver]
        if self.dialect == "sqlite":
            path = path_of(url)
            self._readers, connect = SQLiteReaders(path, readers), lambda: SQLiteDriver(path)
        else:
            from shared.db.postgresql import PostgreSQLDriver
            from shared.db.postgresql_readers import PostgreSQLReaders

            self._readers, connect = PostgreSQLReaders(url, readers), lambda: PostgreSQLDriver(url)
        self._writer = Writer(connect, now, self._committed)
        self._callbacks: list[Callable[[list[Change]], None]] = []
        self._news: asyncio.Event = asyncio.Event()
        self._watchers = 0
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect. Raises NotMigrated when the tables are missing, Unavailable when the database can't be reached."""
        try:
            await self._readers.open()
            await self._begin()
        except BaseException:
            await self._readers.close()
            raise

    async def _begin(self) -> None:
        try:
            row = await self.one(_EPOCH)
            self.last_seq = (await self.all(_LAST))[0][0]
        except Unavailable:
            raise
        except StoreError as error:
            raise NotMigrated(f"the database at {self.safe_url} has no tables yet: run the service's migrate command") from error
        if row is None:
            raise NotMigrated(f"the database at {self.safe_url} has no epoch: it was not made by the service's migrate command")
        self.epoch = row[0]
        self._writer.start(scrub_due=await self.one(SCRUB_DUE) is not None)

    async def close(self) -> None:
        """Commit what waits and disconnect. Reads and writes afterwards raise Unavailable."""
        try:
            await self._writer.stop()
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.wait([self._watch])
        finally:
            await self._readers.close()

    @property
    def safe_url(self) -> str:
        """The URL without its password, for messages."""
        scheme, separator, rest = self.url.partition("://")
        login, at, place = rest.rpartition("@")
        return f"{scheme}{separator}{login.partition(':')[0]}{at}{place}"

    async def all(self, query: Query, /, **params: Any) -> list[Row]:
        """Every row, from one statement on a held connection: what was committed when it began.

        Raises InvalidParameter for values that can't be stored, Unavailable when the database can't answer.
        """
        return await self._readers.all(query, query.compiled(self.dialect).bind(params))

    async def one(self, query: Query, /, **params: Any) -> Row | None:
        """The first row, or None."""
        rows = await self._readers.all(query, query.compiled(self.dialect).bind(params))
        return rows[0] if rows else None

    async def write(self, unit: Callable[[Connection], T], *, large: bool = False) -> T:
        """Run a unit of work: a plain function of one Connection, in its own savepoint of a transaction shared with whoever else waits.

        Returns what it returned or raises what it raised, after the commit, so that every answer tells of durable things only. A unit that
        raises leaves nothing behind. It runs on the writer's thread: it awaits nothing, is short, and touches nothing of the caller's but
        what it was given. A `large` one may write any number of rows in bounded memory; `on_commit` then tells its first 10,000 changes and
        its last.
        """
        result: T = await self._writer.write(Large(unit) if large else unit)
        return result

    async def ping(self) -> None:
        """Ask the database for an answer. Raises Unavailable."""
        await self.all(_PING)

    def on_commit(self, callback: Callable[[list[Change]], None]) -> None:
        """Call back on the event loop after each commit of this process that logged something, with what it logged, in order."""
        self._callbacks.append(callback)

    async def last_change(self) -> int:
        """The newest change in the database, of whatever process."""
        self._advance((await self.all(_LAST))[0][0])
        return self.last_seq

    async def wait_for_change(self, seq: int, timeout: float) -> None:  # noqa: ASYNC109 - the end of the time is not an error
        """Return when the log has gone past ``seq``, or after ``timeout`` seconds: at once for this process's commits, within 250 ms for
        others'.
        """
        self._watchers += 1
        if self._watch is None:
            self._watch = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout):
                while self.last_seq <= seq:
                    await self._news.wait()
        except TimeoutError:
            return
        finally:
            self._watchers -= 1

    async def _look(self) -> None:
        """Look for others' changes while anybody waits."""
        failing = False
        while self._watchers:
            try:
                await self.last_change()
                failing = False
            except Exception as error:  # whatever it is, the next look may find them
                if not failing:
                    _LOG.warning("other processes' changes can't be looked for: %s", error)
                failing = True
            await asyncio.sleep(_POLL)
        self._watch = None

    def _committed(self, changes: list[Change]) -> None:
        self._advance(changes[-1].seq)
        for callback in self._callbacks:
            callback(changes)

    def _advance(self, seq: int) -> None:
        if seq > self.last_seq:
            self.last_seq = seq
            news, self._news = self._news, asyncio.Event()
            news.set()


def dialect_of(url: str) -> DialectName:
    """Which database a URL names. Raises ValueError for any other."""
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return "sqlite"
    if url.startswith(("postgresql://", "postgres://")):
        return "postgresql"
    raise ValueError("a database URL is sqlite:///path or postgresql://user:password@host:port/name")
