"""Passes every change on to a stream of NATS JetStream, in the order of the merged feed, each at least once and under its event's id.

Where to go on is what the stream's last message says, and what is stored here when the stream has none (it may keep messages for a while
only): so a process that ends after a message and before its note writes nothing twice, however much later the next one begins. One process
relays at a time, by a lease; each message says which one it follows, so the stream refuses those of one that was stopped and wakes late.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import bindparam, insert, select, update

from gateway.clients.jetstream import EventStream, StreamFault
from gateway.errors import FeedRestored
from gateway.feed import EVERYTHING, Event, Merged, Vector
from gateway.leases import SECONDS, Lease
from gateway.models import relayed
from shared.db import Connection, Database, Query, StoreError
from shared.errors import BadRequest
from shared.feedclient import FeedFault
from shared.looping import Looped

AT_ONCE: Final = 200
"""Events between two notes of how far it came."""

FRESH: Final = 1.0
"""Seconds after which what was read and not yet written is read again: somebody may have been erased from it meanwhile."""

STALE: Final = 3 * FRESH
"""The same for the first event of what was read, so that a slow database does not keep it from ever being written."""

WAIT: Final = 5.0
MARGIN: Final = 6.0
"""Seconds of the lease that must be left when an event is written: longer than that may take."""

_GET: Final = Query(select(relayed.c.cursor).where(relayed.c.stream == bindparam("of")))
_ADD: Final = Query(insert(relayed))
_SET: Final = Query(update(relayed).where(relayed.c.stream == bindparam("of")).values(cursor=bindparam("to")))


class Relay(Looped, Collector):
    """This process's relay; it does nothing while another's holds the lease."""

    expected = (FeedFault, StoreError, StreamFault)

    def __init__(self, db: Database, feed: Merged, stream: EventStream, log: Any) -> None:
        super().__init__("relaying to NATS", log, longest_pause=5.0)
        self._db, self._feed, self._stream = db, feed, stream
        self._lease = Lease(db, f"relay to {stream.name}")
        self._at: Vector | None = None  # None: not connected
        self._noted = ""
        self.events = self.repeated = 0
        self.lag = 0.0
        """Seconds from the newest event that was relayed to its acknowledgement."""

    async def stop(self) -> None:
        await super().stop()
        await self._stream.close()
        try:
            await self._lease.give_up()
        except StoreError as error:
            self._log.info("the lease of the relay ends by itself", reason=str(error))

    async def step(self) -> bool:
        """Relay what is next. Raises StreamFault, FeedFault, StoreError."""
        if not await self._lease.hold(least=MARGIN):
            self._at = None
            await self._stream.close()
            await asyncio.sleep(SECONDS / 5)
            return True
        try:
            at = self._at = self._at or await self._begin()
            batch = await self._feed.read(at, EVERYTHING, limit=AT_ONCE, wait=WAIT, ask=False)
            read_at, longest = time.monotonic(), STALE
            for event in batch.events:
                await self._hold()
                if time.monotonic() - read_at > longest:
                    break
                await self._pass_on(event)
                longest = FRESH
            batch.require_any()
        except FeedRestored as restored:
            self._log.warning("a service was restored; its feed is relayed from its beginning", reason=restored.detail)
            await self._note(Vector.parse(restored.resume, "resume"))
        except StreamFault:
            self._at = None
            raise
        finally:
            if self._at is not None:
                await self._note(self._at)
        return True

    async def _begin(self) -> Vector:
        """Connect; where to go on."""
        last = await self._stream.open()
        row = await self._db.one(_GET, of=self._stream.name)
        self._noted = row[0] if row else ""
        try:
            return Vector.parse(self._noted if last is None else last, "cursor") if last is not None or self._noted else Vector()
        except BadRequest as error:
            raise StreamFault(f"the last message of {self._stream.name} was not written by the relay") from error

    async def _hold(self) -> None:
        if not await self._lease.hold(least=MARGIN):
            raise StreamFault("the lease was lost")

    async def _pass_on(self, event: Event) -> None:
        head = event.change.head
        kind = head.type.partition(".")[2]
        new = await self._stream.publish(kind, event.json(), message_id=head.id, cursor=str(event.after))
        self._at = event.after
        self.events += 1
        self.repeated += not new
        self.lag = max(0.0, time.time() - datetime.fromisoformat(head.time).timestamp())

    async def _note(self, at: Vector) -> None:
        """Keep how far it came, unless somebody else goes on by now."""
        self._at, cursor = at, str(at)
        if cursor == self._noted:
            return

        def unit(conn: Connection) -> None:
            if self._lease.is_ours(conn) and not conn.run(_SET, of=self._stream.name, to=cursor):
                conn.run(_ADD, stream=self._stream.name, cursor=cursor)

        await self._db.write(unit)
        self._noted = cursor

    def report(self) -> dict[str, Any]:
        """For /readyz, which does not depend on it."""
        status = "failing" if self.failing else "relaying" if self._at else "standing by"
        return {"status": status, "reason": self.reason, "events": self.events, "lag_seconds": round(self.lag, 3)}

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        yield CounterMetricFamily("relay_events", "Events that NATS has acknowledged.", value=self.events)
        yield CounterMetricFamily("relay_repeated_events", "Those of them that the stream had already.", value=self.repeated)
        yield CounterMetricFamily("relay_failures", "Steps of the relay that failed.", value=self.all_failures)
        yield GaugeMetricFamily("relay_lag_seconds", "From the newest relayed event to its acknowledgement.", value=self.lag)
