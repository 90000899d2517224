"""Reads on SQLite: a few threads, each with one held connection, served from one queue in order of arrival."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from shared.db.connection import Row
from shared.db.errors import StoreError, Unavailable
from shared.db.query import Query
from shared.db.sqlite import connect, fetch, translate


class _Read:
    """One read on its way through the queue."""

    __slots__ = ("future", "query", "reader", "values")

    def __init__(self, query: Query, values: Sequence[Any], future: "asyncio.Future[list[Row]]") -> None:
        self.query = query
        self.values = values
        self.future = future
        self.reader: _Reader | None = None


class _Reader(threading.Thread):
    """A thread and its connection."""

    def __init__(self, path: Path, waiting: "SimpleQueue[_Read | None]", answer: Callable[..., object]) -> None:
        super().__init__(name="reader", daemon=True)
        self._connection = connect(path, reader=True)
        self._waiting = waiting
        self._answer = answer
        self._lock = threading.Lock()
        self._current: _Read | None = None

    def run(self) -> None:
        while (read := self._waiting.get()) is not None:
            if read.future.cancelled():
                continue
            with self._lock:
                self._current = read
            read.reader = self
            rows: list[Row] | None = None
            error: StoreError | None = None
            try:
                rows = self._fetch(read)
            except StoreError as failure:
                error = failure
            except Exception as failure:  # whatever it is, its caller gets it, and the thread serves the next
                error = StoreError(f"the read failed: {failure!r}")
            with self._lock:
                self._current = None
            self._answer(read, rows, error)
        self._connection.close()

    def _fetch(self, read: _Read) -> list[Row]:
        query = read.query.compiled("sqlite")
        try:
            return fetch(self._connection, query, read.values)
        except sqlite3.Error as error:
            raise translate(error, query) from error

    def interrupt(self, read: _Read) -> None:
        """Stop this read, and no other: the lock keeps it current while it is being stopped."""
        with self._lock:
            if self._current is read:
                self._connection.interrupt()


class SQLiteReaders:
    """``all`` on one of a bounded number of connections; waiting is first come, first served."""

    def __init__(self, path: Path, readers: int) -> None:
        self._path = path
        self._count = readers
        self._waiting: SimpleQueue[_Read | None] = SimpleQueue()
        self._readers: list[_Reader] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        for _ in range(self._count):
            reader = _Reader(self._path, self._waiting, self._tell)
            reader.start()
            self._readers.append(reader)

    async def close(self) -> None:
        """Finish what waits, then end the threads."""
        readers, self._readers = self._readers, []
        for _ in readers:
            self._waiting.put(None)
        for reader in readers:
            await asyncio.to_thread(reader.join)

    async def all(self, query: Query, values: list[Any]) -> list[Row]:
        """The rows. A cancelled caller interrupts its own statement, and the connection goes on with the next read."""
        if not self._readers or self._loop is None:
            raise Unavailable("the database is closed")
        future: asyncio.Future[list[Row]] = self._loop.create_future()
        read = _Read(query, values, future)
        self._waiting.put(read)
        try:
            return await future
        except asyncio.CancelledError:
            if read.reader is not None:
                read.reader.interrupt(read)
            raise

    def _tell(self, read: _Read, rows: list[Row] | None, error: StoreError | None) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_answer, read.future, rows, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


def _answer(future: "asyncio.Future[list[Row]]", rows: list[Row] | None, error: StoreError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(rows or [])
    else:
        future.set_exception(error)
