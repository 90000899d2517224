"""The connection that a unit of work gets: synchronous, inside the writer's transaction, the same for both databases."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import column, delete, insert, select, table

from shared.db.errors import StoreError, Unavailable
from shared.db.query import Compiled, DialectName, Query
from shared.db.types import Change

Row = tuple[Any, ...]
_META = table("meta", column("name"), column("value"))


class Driver(Protocol):
    """What a database must do for the writer. Every method raises StoreErrors only."""

    dialect: DialectName

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def command(self, text: str) -> None: ...
    def rows(self, query: Compiled, values: Sequence[Any]) -> list[Row]: ...
    def touch(self, query: Compiled, values: Sequence[Any]) -> int: ...
    def touch_many(self, query: Compiled, values: Sequence[Sequence[Any]]) -> None: ...
    def scrub(self) -> None: ...
    def close(self) -> None: ...


SCRUB = "scrub"
"""The row of `meta` that stands from a commit that erased something until what was left of it on disk is gone."""
SCRUB_DUE = Query(select(column("value")).select_from(_META).where(_META.c.name == SCRUB))
_NOTE_SCRUB = Query(insert(_META).values(name=SCRUB, value="due"))
SCRUBBED = Query(delete(_META).where(_META.c.name == SCRUB))

_MOST_DEFERRED = 2000
"""Rows that a large unit defers before it writes them."""
_MOST_LOGGED = 10_000
"""Changes of a large unit that are told after the commit: so many, and its last."""


@dataclass(frozen=True, slots=True)
class Large:
    """A unit that may write more than memory should hold: what it defers is written on the way."""

    work: Callable[["Connection"], Any]

    def __call__(self, conn: "Connection") -> Any:
        return self.work(conn)


class Connection:
    """One transaction of the writer, handed to each of its units in turn.

    A unit may read and write with it, and keeps nothing of it afterwards. Once a statement was refused, the unit is over: further
    statements raise, and the unit fails even if it caught the error (both databases alike), unless the statement ran inside `savepoint()`.
    """

    def __init__(self, driver: Driver, now: Callable[[], str]) -> None:
        self._driver = driver
        self._refused: StoreError | None = None
        self._deferred: dict[Query, list[Mapping[str, Any]]] = {}
        self.dialect = driver.dialect
        self._clock = now
        self._now: str | None = None
        self.memo: dict[str, Any] = {}
        """What is known about the database until the transaction ends; undone with the unit that fails. Values must be immutable."""
        self.logged: list[Change] = []
        self._large_since: int | None = None

    def now(self) -> str:
        """The time of the present unit, the same until it ends: whoever asks how things were sees all of it, or nothing."""
        if self._now is None:
            self._now = self._clock()
        return self._now

    def all(self, query: Query, /, **params: Any) -> list[Row]:
        """Every row that a query gives."""
        compiled = query.compiled(self.dialect)
        values = self._bind(compiled, params)
        try:
            return self._driver.rows(compiled, values)
        except StoreError as error:
            self._refused = error
            raise

    def one(self, query: Query, /, **params: Any) -> Row | None:
        """The first row, or None."""
        rows = self.all(query, **params)
        return rows[0] if rows else None

    def run(self, query: Query, /, **params: Any) -> int:
        """Write; the number of rows touched. Raises UniqueViolation, ConstraintViolation, Unavailable."""
        compiled = query.compiled(self.dialect)
        values = self._bind(compiled, params)
        try:
            return self._driver.touch(compiled, values)
        except StoreError as error:
            self._refused = error
            raise

    def run_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the same statement for many rows, as cheaply as the driver can; the first row refused ends it."""
        if not rows:
            return
        compiled = query.compiled(self.dialect)
        if self._refused is not None:
            raise self._refused
        values = compiled.bind_many(rows)
        try:
            self._driver.touch_many(compiled, values)
        except StoreError as error:
            self._refused = error
            raise

    def defer(self, query: Query, *rows: Mapping[str, Any]) -> None:
        """Write rows just before the commit, together with all of the same statement in this transaction.

        For rows that nobody reads within the transaction and no rule can refuse (versions, the log): a refusal would fail the whole batch.
        Statements run in the order in which each was first deferred, be it without rows.
        """
        found = self._deferred.get(query)
        if found is None:
            self._deferred[query] = [*rows]
        else:
            found.extend(rows)
        if self._large_since is not None and sum(map(len, self._deferred.values())) >= _MOST_DEFERRED:
            self.flush()
            del self.logged[self._large_since + _MOST_LOGGED : -1]

    def scrub(self) -> None:
        """Once this is committed, free the database's files of whatever no row holds any more: for a unit that erased somebody's data.

        Those who wait for this commit are answered after it. Where that fails, or the process ends before, it is done later.
        """
        if not self.scrubs:
            self.memo[SCRUB] = True
            if self.one(SCRUB_DUE) is None:
                self.run(_NOTE_SCRUB)

    @property
    def scrubs(self) -> bool:
        return SCRUB in self.memo

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a unit that may be refused alone: an exception undoes the part, goes on to the caller, and leaves the connection
        usable.
        """
        self._check()
        mark, since = self.mark(), self._large_since
        self._large_since = None  # what was deferred before the part must not be lost with it
        self._driver.command("SAVEPOINT part")
        try:
            yield
            self._check()
        except BaseException:
            if not isinstance(self._refused, Unavailable):
                self._driver.command("ROLLBACK TO SAVEPOINT part")
                self._driver.command("RELEASE SAVEPOINT part")
                self.undo(mark)
            raise
        finally:
            self._large_since = since
        self._driver.command("RELEASE SAVEPOINT part")

    def _bind(self, compiled: Compiled, params: Mapping[str, Any]) -> list[Any]:
        if self._refused is not None:
            raise self._refused
        return compiled.bind(params)

    def _check(self) -> None:
        if self._refused is not None:
            raise self._refused

    # What follows is the writer's.

    def mark(self) -> tuple[dict[str, Any], int, dict[Query, int]]:
        """Where a unit began, for `undo`."""
        return dict(self.memo), len(self.logged), {query: len(rows) for query, rows in self._deferred.items()}

    def undo(self, mark: tuple[dict[str, Any], int, dict[Query, int]]) -> None:
        """Forget what was kept here since the mark; the driver has rolled back the rest."""
        memo, logged, deferred = mark
        self.memo = dict(memo)
        del self.logged[logged:]
        for query, rows in self._deferred.items():
            del rows[deferred.get(query, 0) :]
        self._refused = None

    def unit(self, work: Callable[["Connection"], Any]) -> Any:
        """Run a unit in its own SAVEPOINT. Raises what it raised; Unavailable means that the transaction is broken for every unit."""
        if isinstance(work, Large):
            self._flush_before()
            self._large_since = len(self.logged)
        mark = self.mark()
        self._now = None
        self._driver.command("SAVEPOINT unit")
        try:
            result = work(self)
            self._check()
        except BaseException:
            if isinstance(self._refused, Unavailable):
                raise self._refused from None
            self._driver.command("ROLLBACK TO SAVEPOINT unit")
            self._driver.command("RELEASE SAVEPOINT unit")
            self.undo(mark)
            raise
        finally:
            self._large_since = None
        self._driver.command("RELEASE SAVEPOINT unit")
        return result

    def _flush_before(self) -> None:
        """Write what earlier units deferred, so that a large one's failure can't take it along. A refusal here breaks them all."""
        try:
            self.flush()
        except StoreError as error:
            raise Unavailable(f"the transaction failed: {error}") from error

    def flush(self) -> None:
        """Write what was deferred."""
        for query, rows in self._deferred.items():
            self.run_many(query, rows)
        self._deferred = {}
