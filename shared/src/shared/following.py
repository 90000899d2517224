"""Follows the feed of another service for as long as the app runs: reads a batch, applies it with its cursor in one unit, and reads on.

When the service can't be asked, the app works with what it knows.
Nothing is remembered here but figures: where to read on stands in the database, so a process may end at any moment, and several may follow.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table, Text, bindparam, insert, select, update

from shared.db import Connection, Database, Query
from shared.feedclient import Event, FeedClient, FeedFault, FeedGone
from shared.looping import Looped

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a feed was read: the cursor of the last event applied (None: before the first), and whether its end was reached once.

    `reading` counts the times that the feed was begun from its beginning.
    """

    cursor: str | None
    reading: int
    complete: bool


START: Final = Position(None, 1, False)


def follower_table(metadata: MetaData) -> Table:
    """Declare the table that keeps positions: a row for each feed that is followed."""
    return Table(
        "follower",
        metadata,
        Column("feed", Text, primary_key=True),
        Column("cursor", Text),
        Column("reading", BigInteger, nullable=False),
        Column("complete", Boolean, nullable=False),
    )


class Positions:
    """Where one feed is read on: read before a batch is asked for, moved in the unit that applies it."""

    def __init__(self, table: Table, feed: str) -> None:
        self._feed = feed
        self._get = Query(select(table.c.cursor, table.c.reading, table.c.complete).where(table.c.feed == feed))
        self._add = Query(insert(table))
        new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in ("cursor", "reading", "complete")}
        self._set = Query(update(table).where(table.c.feed == feed).values(new))

    async def read(self, db: Database) -> Position:
        """Where to read on."""
        row = await db.one(self._get)
        return START if row is None else Position(*row)

    def now(self, conn: Connection) -> Position:
        """The position as of this unit."""
        row = conn.one(self._get)
        return START if row is None else Position(*row)

    def move(self, conn: Connection, at: Position, to: Position) -> bool:
        """Go on from `at`; False when the position is another one by now: someone else has applied what follows it."""
        if self.now(conn) != at:
            return False
        if not conn.run(self._set, new_cursor=to.cursor, new_reading=to.reading, new_complete=to.complete):
            conn.run(self._add, feed=self._feed, cursor=to.cursor, reading=to.reading, complete=to.complete)
        return True

    def read_anew(self, conn: Connection, at: Position) -> None:
        """Go back to the feed's beginning: its cursor is from before a restore."""
        self.move(conn, at, Position(None, at.reading + 1, False))


@dataclass(frozen=True, slots=True)
class Effect(Generic[State]):
    """What following is for; each function does nothing where `Positions.move` says False, and tells how often it had an effect.

    `apply` takes in a batch that was read at a position; `finish` is for the end of a reading, when whatever this reading has not met is no
    longer there. `name` and `about` are of the counter of effects.
    """

    apply: Callable[[Connection, Position, Sequence[Event[State]]], int]
    finish: Callable[[Connection, Position], int]
    name: str
    about: str


class Follower(Looped, Generic[State]):
    """One process's reader of the feed of the service `of`. `wait` is how long a request waits for news, `longest_pause` the most after a
    failure, both in seconds.
    """

    def __init__(
        self,
        of: str,
        db: Database,
        feed: FeedClient[State],
        positions: Positions,
        effect: Effect[State],
        log: Any,
        *,
        wait: int,
        longest_pause: float,
    ) -> None:
        super().__init__(f"following {of}", log, longest_pause=longest_pause)
        self._of, self._db, self._feed, self._positions, self._effect = of, db, feed, positions, effect
        self._wait = wait
        self.events = self.effects = 0
        self.lag = 0.0
        """Seconds between the newest event that was applied and its application."""
        self.succeeded: float | None = None
        """When the feed was last read, in seconds since 1970."""

    async def stop(self) -> None:
        """End the reading; a unit that is being written is finished."""
        await super().stop()
        await self._feed.aclose()

    async def step(self) -> bool:
        """Read once and apply what came; whether anything did. Raises FeedFault, StoreError."""
        at = await self._positions.read(self._db)
        try:
            wait = self._wait if at.complete and not self._failures else 0  # after a failure: first whether it answers at all
            events = await self._feed.changes(at.cursor, wait=wait)
        except FeedGone as error:
            if at.cursor is None:
                raise FeedFault("even the beginning of the feed is gone") from error
            await self._db.write(lambda conn: self._positions.read_anew(conn, at))
            self._log.warning("a followed service was restored; its feed is read from the beginning", service=self._of)
            return True
        if events:
            self.effects += await self.write(lambda conn: self._effect.apply(conn, at, events))
            self.events += len(events)
            self.lag = max(0.0, time.time() - datetime.fromisoformat(events[-1].time).timestamp())
        elif not at.complete:
            self.effects += await self.write(lambda conn: self._effect.finish(conn, at))
        self.succeeded = time.time()
        return bool(events) or not at.complete

    async def write(self, unit: Callable[[Connection], int]) -> int:
        """Run a unit that has an effect: what a subclass does more around it is done here."""
        return int(await self._db.write(unit))

    def report(self) -> dict[str, Any]:
        """For /readyz, which does not depend on it."""
        return {
            "status": "failing" if self._failures else "following" if self.succeeded else "starting",
            "reason": self.reason,
            "seconds_since_success": None if self.succeeded is None else round(time.time() - self.succeeded, 1),
            "lag_seconds": round(self.lag, 3),
        }

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        of, name = self._of, f"{self._of}_feed"
        yield CounterMetricFamily(f"{name}_events", f"Events read from the feed of {of}.", value=self.events)
        yield CounterMetricFamily(f"{name}_failures", f"Requests for the feed of {of} that failed.", value=self.all_failures)
        yield CounterMetricFamily(f"{name}_{self._effect.name}", self._effect.about, value=self.effects)
        yield GaugeMetricFamily(f"{name}_lag_seconds", "From the newest applied event to its application.", value=self.lag)
        yield GaugeMetricFamily(
            f"{name}_last_success_timestamp_seconds", f"When the feed of {of} was last read; 0 is never.", value=self.succeeded or 0
        )
