"""Follows the feed of employees for as long as the app runs: reads a batch, applies it with its cursor in one unit, and reads on.

When employees can't be asked, it waits a little longer after each failure and says so once; teams answers meanwhile from what it knows.
Nothing is remembered here but figures: where to read on stands in the database, so a process may end at any moment, and several may follow.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from shared.changes import Author
from shared.db import Database, StoreError
from teams.clients import Employees, Event, FeedFault, FeedGone
from teams.store import projection

AUTHOR: Final = Author("service:employees-feed", "feed")
FIRST_PAUSE: Final = 0.1
BREATH: Final = 0.01
"""Seconds between two requests that bring nothing: a feed that does not wait must not be asked without end."""


class Follower:
    """One process's reader of the feed. `wait` is how long a request waits for news, `longest_pause` the most after a failure."""

    def __init__(self, db: Database, employees: Employees, log: Any, *, wait: int, longest_pause: float) -> None:
        self._db = db
        self._employees = employees
        self._log = log
        self._wait = wait
        self._longest_pause = longest_pause
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self.events = self.ended = self.all_failures = 0
        self.lag = 0.0
        """Seconds between the newest event that was applied and its application."""
        self.succeeded: float | None = None
        """When the feed was last read, in seconds since 1970."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="follower of employees")

    async def stop(self) -> None:
        """End the reading; a unit that is being written is finished."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._employees.aclose()

    async def step(self) -> bool:
        """Read once and apply what came; whether anything did. Raises FeedFault, StoreError."""
        at = await projection.position(self._db)
        try:
            wait = self._wait if at.complete and not self._failures else 0  # after a failure: first whether it answers at all
            answer = await self._employees.changes(at.cursor, wait=wait)
        except FeedGone as error:
            if at.cursor is None:
                raise FeedFault("even the beginning of the feed is gone") from error
            await self._db.write(lambda conn: projection.read_anew(conn, at))
            self._log.warning("the directory of employees was restored; its feed is read from the beginning")
            return True
        done = int(at.cursor.rpartition(".")[2]) if at.cursor else 0
        events = [event for event in answer if event.seq > done]
        if events:
            batch = [person for event in events if (person := person_of(event))]
            self.ended += await self._db.write(lambda conn: projection.apply(conn, at, batch, events[-1].id, AUTHOR))
            self.events += len(events)
            self.lag = max(0.0, time.time() - datetime.fromisoformat(events[-1].time).timestamp())
        elif not at.complete:
            self.ended += await self._db.write(lambda conn: projection.finish_reading(conn, at, AUTHOR))
        self.succeeded = time.time()
        return bool(events) or not at.complete

    async def _run(self) -> None:
        while True:
            try:
                if not await self.step():
                    await asyncio.sleep(BREATH)
            except (FeedFault, StoreError) as error:
                await self._pause(str(error))
            except Exception as error:  # whatever it is, the next attempt may fare better; without one nobody would ever leave a team
                self._log.error("following employees failed", exc_info=error)
                await self._pause(type(error).__name__)
            else:
                if self._failures:
                    self._log.info("employees can be followed again", failures=self._failures)
                self._failures = 0

    async def _pause(self, reason: str) -> None:
        if not self._failures:
            self._log.warning("employees can't be followed at the moment", reason=reason)
        self._failures += 1
        self.all_failures += 1
        longest = min(self._longest_pause, FIRST_PAUSE * 2 ** min(self._failures, 20))
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads attempts, keeps no secret

    def report(self) -> dict[str, Any]:
        """For /readyz, which does not depend on it."""
        return {
            "status": "failing" if self._failures else "following" if self.succeeded else "starting",
            "seconds_since_success": None if self.succeeded is None else round(time.time() - self.succeeded, 1),
            "lag_seconds": round(self.lag, 3),
        }

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        yield CounterMetricFamily("employees_feed_events", "Events read from the feed of employees.", value=self.events)
        yield CounterMetricFamily("employees_feed_failures", "Requests for the feed of employees that failed.", value=self.all_failures)
        yield CounterMetricFamily(
            "employees_feed_memberships_ended", "Memberships ended because their employee was deleted.", value=self.ended
        )
        yield GaugeMetricFamily("employees_feed_lag_seconds", "From the newest applied event to its application.", value=self.lag)
        yield GaugeMetricFamily(
            "employees_feed_last_success_timestamp_seconds",
            "When the feed of employees was last read; 0 is never.",
            value=self.succeeded or 0,
        )


def person_of(event: Event) -> projection.Person | None:
    """What an event says about a person; None when it is about something else."""
    entity, _, id_ = event.subject.partition("/")
    if entity != "employee" or not id_.isdigit():
        return None
    if event.type.endswith(".deleted") or event.data is None:
        return projection.Person(int(id_), "", "inactive", True, "", event.seq)
    state = event.data
    return projection.Person(int(id_), state.username or "", state.status or "inactive", False, state.created_at or "", event.seq)
