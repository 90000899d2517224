"""Group commit: one thread per process runs all waiting units in one transaction and answers after its commit."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from shared.db.connection import SCRUBBED, Connection, Driver
from shared.db.errors import StoreError, Unavailable
from shared.db.types import Change

_LOG = logging.getLogger(__name__)
_MOST = 256
"""Units of one transaction, at most."""
_LONGEST = 0.05
"""Seconds after which a transaction takes no further unit: a long one must not hold back the answers of short ones."""

_SCRUB_AGAIN = 30.0
"""Seconds until the files are scrubbed again, when they could not be because somebody read them, or were full."""

Unit = Callable[[Connection], Any]
Answers = list[tuple["asyncio.Future[Any]", Any, BaseException | None]]


class Writer:
    """The thread that owns the one connection which writes."""

    def __init__(self, connect: Callable[[], Driver], now: Callable[[], str], on_commit: Callable[[list[Change]], None]) -> None:
        self._connect = connect
        self._now = now
        self._on_commit = on_commit
        self._driver: Driver | None = None
        self._waiting: SimpleQueue[tuple[Unit, asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scrub_at: float | None = None

    def start(self, *, scrub_due: bool = False) -> None:
        """`scrub_due`: something was erased, and its process ended before it was gone from the files."""
        self._scrub_at = 0.0 if scrub_due else None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Finish what waits, commit it, and end the thread."""
        if self._thread is not None and self._loop is not None:
            self._waiting.put(None)
            thread, self._thread = self._thread, None
            await self._loop.run_in_executor(None, thread.join)

    async def write(self, unit: Unit) -> Any:
        """Run a unit in the next transaction; its result or its exception, after the commit.

        Cancelling the caller abandons the wait: a unit that has not started by then is skipped, one that has is finished.
        """
        if self._thread is None or self._loop is None:
            raise Unavailable("the database is closed")
        future = self._loop.create_future()
        self._waiting.put((unit, future))
        return await future

    def _work(self) -> None:
        self._scrub()
        while (job := self._take()) is not None:
            answers: Answers = []
            logged: list[Change] = []
            try:
                logged = self._transact(job, answers)
            except BaseException as error:
                self._drop()
                answers = [(future, None, _same(error)) for future, _, _ in answers]
            self._scrub()
            self._tell(answers, logged)
        self._drop()

    def _transact(self, job: tuple[Unit, "asyncio.Future[Any]"], answers: Answers) -> list[Change]:
        """Run the units that wait, the given one first. Whoever is in ``answers`` when this raises has failed with it."""
        answers.append((job[1], None, None))
        driver = self._begin()
        answers.clear()
        connection = Connection(driver, self._now)
        until = time.monotonic() + _LONGEST
        next_job: tuple[Unit, asyncio.Future[Any]] | None = job
        while next_job is not None:
            unit, future = next_job
            if not future.cancelled():
                _run(connection, unit, future, answers)
            next_job = self._next(len(answers), until)
        connection.flush()
        driver.commit()
        if connection.scrubs:
            self._scrub_at = 0.0
        return connection.logged

    def _take(self) -> "tuple[Unit, asyncio.Future[Any]] | None":
        """The next job. While the files are to be scrubbed, that is tried again meanwhile."""
        while self._scrub_at is not None:
            try:
                return self._waiting.get(timeout=max(0.0, self._scrub_at - time.monotonic()))
            except Empty:
                self._scrub()
        return self._waiting.get()

    def _scrub(self) -> None:
        """Free the files of what was erased, if that is due. Where it fails it is so again after a while."""
        if self._scrub_at is None or time.monotonic() < self._scrub_at:
            return
        try:
            driver = self._driver = self._driver or self._connect()
            driver.scrub()
            driver.begin()
            done = SCRUBBED.compiled(driver.dialect)
            driver.touch(done, done.bind({}))
            driver.commit()
            self._scrub_at = None
        except Exception as error:  # whatever it is, it must end neither the thread nor anybody's write
            _LOG.warning("the files can't be freed of what was erased yet: %s", error)
            self._drop()
            self._scrub_at = time.monotonic() + _SCRUB_AGAIN

    def _begin(self) -> Driver:
        """Begin a transaction; on a new connection if the one from last time is gone, for nothing is lost with it."""
        if self._driver is not None:
            try:
                self._driver.begin()
            except Unavailable:
                self._drop()
        if self._driver is None:
            self._driver = self._connect()
            self._driver.begin()
        return self._driver

    def _next(self, taken: int, until: float) -> tuple[Unit, "asyncio.Future[Any]"] | None:
        if taken >= _MOST or time.monotonic() > until:
            return None
        try:
            job = self._waiting.get_nowait()
        except Empty:
            return None
        if job is None:
            self._waiting.put(None)  # for the loop that ends the thread
        return job

    def _tell(self, answers: Answers, logged: list[Change]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._answer, answers, logged)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    def _answer(self, answers: Answers, logged: list[Change]) -> None:
        for future, result, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        if logged:
            self._on_commit(logged)

    def _drop(self) -> None:
        """Give the connection up; the next transaction makes another. Whatever was not committed is rolled back with it."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()


def _run(connection: Connection, unit: Unit, future: "asyncio.Future[Any]", answers: Answers) -> None:
    answers.append((future, None, None))
    try:
        answers[-1] = (future, connection.unit(unit), None)
    except Unavailable:
        raise
    except Exception as error:  # a unit's own affair, whatever it is: its caller gets it
        answers[-1] = (future, None, error)
    except BaseException as error:  # SystemExit and its like must end neither this thread nor the caller's loop
        answers[-1] = (future, None, _same(error))


def _same(error: BaseException) -> StoreError:
    """One exception object per waiter: a shared one would gather their tracebacks."""
    if isinstance(error, Unavailable):
        return Unavailable(str(error), uncertain=error.uncertain)
    failure = StoreError(f"the write failed: {error!r}")
    failure.__cause__ = error
    return failure
