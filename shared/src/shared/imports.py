"""Imports: rows put aside on disk first, then applied in batches, each after the row that it builds on.

The whole upload is read, checked row by row and spooled to a temporary file before the writer is asked for anything: memory stays
bounded, a broken upload changes nothing, and a slow one holds nothing. Then the service's `apply` gets the rows in batches inside a
write unit, in the order of the file as far as possible, but a row `after` another comes behind it. What can't be taken yet comes
back in rounds, until one makes no progress.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec

from shared.db import Connection, Database

BATCH = 500

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Refused:
    """The row is not taken, and nothing of it is stored. `field` is empty when the row as a whole is meant."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Waits:
    """The row can't be taken yet, but may be once others are. Refused as told if that never comes; `absent` when there is nothing yet of
    what belongs before it.
    """

    field: str
    message: str
    absent: bool = False


Outcome = Literal["created", "updated", "unchanged"] | Refused | Waits
Apply = Callable[[Connection, Sequence[Row]], Sequence[Outcome]]
"""One outcome a row, in order; writes nothing for a row that is refused or waits. The keys within a batch differ."""


@dataclass(frozen=True, slots=True)
class Spooled(Generic[Row]):
    """One row of the upload: its line number, its natural key, the key of the row that belongs before it, and its values."""

    line: int
    key: str
    after: str | None
    row: Row


class Abandoned(Exception):
    """Nobody waits for this import any more."""


class _RolledBack(Exception):
    pass


_TABLES = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;
CREATE TABLE row (id INTEGER PRIMARY KEY, line INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, after TEXT, data BLOB NOT NULL);
CREATE TABLE waiting (
    place INTEGER PRIMARY KEY, id INTEGER NOT NULL, round INTEGER NOT NULL,
    field TEXT NOT NULL, message TEXT NOT NULL, absent INTEGER NOT NULL
);
CREATE TABLE refusal (line INTEGER NOT NULL, field TEXT NOT NULL, message TEXT NOT NULL);
"""

_OUT_OF_ORDER = "SELECT 1 FROM row JOIN row AS first ON first.key = row.after WHERE first.id >= row.id LIMIT 1"

_ORDER = """
CREATE INDEX row_after ON row (after) WHERE after IS NOT NULL;
CREATE TABLE turn (place INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE);
WITH RECURSIVE free (id, key) AS (
    SELECT id, key FROM row WHERE after IS NULL OR NOT EXISTS (SELECT 1 FROM row AS first WHERE first.key = row.after)
    UNION ALL
    SELECT row.id, row.key FROM free JOIN row ON row.after = free.key
    ORDER BY 1
) INSERT INTO turn (id) SELECT id FROM free;
INSERT INTO turn (id) SELECT id FROM row WHERE id NOT IN (SELECT id FROM turn) ORDER BY id;
"""  # ORDER BY makes the recursion's queue one by id (SQLite, "The WITH Clause"); rows that are after each other in a circle come last


_LEFT = """
SELECT row.line, field, message || CASE
    WHEN NOT absent OR first.id IS NULL THEN ''
    WHEN first.after = row.key THEN ', for line ' || first.line || ' waits for this one in turn: it is a loop'
    ELSE ', for line ' || first.line || ' was refused too'
END FROM waiting JOIN row USING (id) LEFT JOIN row AS first ON first.key = row.after
"""

Taken = tuple[int, int, int, bytes]
"""A row's place in the order of things, its id, its line, its values."""


class Spool(Generic[Row]):
    """The rows of one import on disk, with what became of them. Used by one thread at a time, but `close` may come at any moment."""

    def __init__(self, row_type: type[Row]) -> None:
        self.counts = {"created": 0, "updated": 0, "unchanged": 0, "refused": 0}
        self._decode = msgspec.msgpack.Decoder(row_type).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._file = sqlite3.connect("", check_same_thread=False, isolation_level=None)  # "": a file of its own, gone when closed
        self._file.executescript(_TABLES)
        self._file.execute("BEGIN")
        self._next = "SELECT id, id, line, data FROM row WHERE id > ? ORDER BY id LIMIT ?"
        self._count = 0
        self._at = 0
        self._round = 0
        self._progress = False
        self._lock = threading.Lock()
        self._closed = False

    def put(self, rows: Sequence[Spooled[Row]]) -> None:
        """Adds rows. A key that an earlier line had is refused, so that one file means the same in any order."""
        numbered = list(enumerate(rows, self._count + 1))
        self._count += len(rows)
        values = [(id_, one.line, one.key, one.after, self._encode(one.row)) for id_, one in numbered]
        statement = "INSERT INTO row (id, line, key, after, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if self._file.executemany(statement, values).rowcount == len(rows):
            return
        for id_, one in numbered:
            first, line = self._file.execute("SELECT id, line FROM row WHERE key = ?", (one.key,)).fetchone()
            if first != id_:
                self.refuse([(one.line, "", f"the same was already on line {line}")])

    def refuse(self, refusals: Sequence[tuple[int, str, str]]) -> None:
        """Notes refused rows: line, field, message."""
        self._file.executemany("INSERT INTO refusal (line, field, message) VALUES (?, ?, ?)", refusals)
        self.counts["refused"] += len(refusals)

    def sort(self) -> None:
        """Brings the rows into an order in which each comes after the one that it names. To be called once, before the first `step`.

        Raises Abandoned after `close`.
        """
        with self._at_work():
            if self._file.execute(_OUT_OF_ORDER).fetchone():
                for statement in _ORDER.split(";"):
                    self._file.execute(statement)
                self._next = "SELECT place, id, line, data FROM turn JOIN row USING (id) WHERE place > ? ORDER BY place LIMIT ?"

    def step(self, conn: Connection, apply: Apply[Row]) -> bool:
        """Applies the next rows; false when none are left. Raises Abandoned after `close`."""
        with self._at_work():
            taken = self._take()
            if taken:
                self._settle(taken, apply(conn, [self._decode(one[-1]) for one in taken]))
            return bool(taken)

    def refusals(self) -> Iterator[list[tuple[int, str, str]]]:
        """Line, field and message of every refused row in the order of the file, some at a time."""
        rows = self._file.execute("SELECT line, field, message FROM refusal ORDER BY line, rowid")
        while some := rows.fetchmany(BATCH):
            yield some

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Keeps the file open meanwhile; whoever closes it during that time leaves it to us."""
        try:
            with self._lock:
                if self._closed:
                    raise Abandoned
                yield
        finally:
            if self._closed:
                self.close()

    def close(self) -> None:
        """Frees the file: now, or, if rows are being applied or sorted, as soon as these are."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._lock.release()

    def _take(self) -> list[Taken]:
        if not self._round:
            if fresh := self._file.execute(self._next, (self._at, BATCH)).fetchall():
                self._at = fresh[-1][0]
                return fresh
            self._round = 1
        elif waiting := self._take_waiting():
            return waiting
        else:
            self._round += 1
        if not self._progress:
            self._give_up()
            return []
        self._progress = False
        return self._take_waiting()

    def _take_waiting(self) -> list[Taken]:
        statement = "SELECT place, id, line, data FROM waiting JOIN row USING (id) WHERE round = ? ORDER BY place LIMIT ?"
        found = self._file.execute(statement, (self._round, BATCH)).fetchall()
        self._file.executemany("DELETE FROM waiting WHERE place = ?", [one[:1] for one in found])
        return found

    def _settle(self, taken: Sequence[Taken], outcomes: Sequence[Outcome]) -> None:
        waiting = []
        refused = []
        for (place, id_, line, _), outcome in zip(taken, outcomes, strict=True):
            if isinstance(outcome, Refused):
                refused.append((line, outcome.field, outcome.message))
            elif isinstance(outcome, Waits):
                waiting.append((place, id_, self._round + 1, outcome.field, outcome.message, outcome.absent))
            else:
                self.counts[outcome] += 1
                self._progress = self._progress or outcome != "unchanged"
        self._file.executemany("INSERT INTO waiting (place, id, round, field, message, absent) VALUES (?, ?, ?, ?, ?, ?)", waiting)
        self.refuse(refused)

    def _give_up(self) -> None:
        self.refuse(self._file.execute(_LEFT).fetchall())
        self._file.execute("DELETE FROM waiting")


async def apply_all(db: Database, spool: Spool[Row], apply: Apply[Row], *, atomic: bool, dry_run: bool) -> bool:
    """Applies everything spooled; the spool's counts and refusals tell the rest.

    Returns whether it was kept: not with `dry_run`, nor with `atomic` when a row was refused; then it ran as one unit, rolled back.
    Otherwise each batch is a unit of its own, so that other writers get their turn in between.
    """

    def everything(conn: Connection) -> None:
        while spool.step(conn, apply):
            pass
        if dry_run or spool.counts["refused"]:
            raise _RolledBack

    await asyncio.to_thread(spool.sort)
    if not atomic and not dry_run:
        while await db.write(lambda conn: spool.step(conn, apply)):
            pass
        return True
    try:
        await db.write(everything, large=True)
    except _RolledBack:
        return False
    return True
