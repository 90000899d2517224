"""Delivers changes to webhooks: to each in order, one at a time, each until it was taken; a slow or broken one holds up no other.

Everything about a webhook is read anew before each delivery, and how far it came is stored after it: so a process may end at any moment,
and what was under way then is delivered once more. One process delivers at a time, by a lease.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.clients.receivers import WITHIN, Outcome, Receivers
from gateway.errors import FeedRestored
from gateway.feed import Event, Merged, Vector
from gateway.leases import Lease, later
from gateway.webhooks import store
from gateway.webhooks.signing import signed
from gateway.webhooks.store import Attempt, Target
from shared.db import Connection, Database, StoreError
from shared.db.database import utc_now
from shared.errors import NotFound
from shared.json import encode
from shared.looping import Looped

MEDIA_TYPE: Final = "application/cloudevents+json"
GONE: Final = 410
"""Whoever answers so wants no more (Standard Webhooks)."""

LONGEST_PAUSE: Final = 3_600.0
LOOK: Final = 1.0
"""Seconds between two looks which webhooks there are, and within which a change of one is noticed."""

AT_ONCE: Final = 50
FRESH: Final = 1.0
"""Seconds after which what was read and not yet delivered is read again: somebody may have been erased from it meanwhile."""

STALE: Final = 3 * FRESH
"""The same for the first event of what was read, so that a slow database does not keep it from ever being delivered."""

MARGIN: Final = WITHIN + 2.0
"""Seconds of the lease that must be left when a delivery begins: longer than it may take."""

LEASE: Final = 2 * MARGIN


class Deliveries:
    """How one delivery is made and remembered. `first_pause` in seconds doubles with each failure; after `attempts` the webhook is
    disabled.
    """

    def __init__(self, db: Database, receivers: Receivers, *, attempts: int, first_pause: float) -> None:
        self._db, self._receivers = db, receivers
        self._attempts, self._first_pause = attempts, first_pause
        self.delivered = self.failed = 0

    async def deliver(self, target: Target, event: Event, lease: Lease) -> None:
        """Deliver an event; what became of it is stored, unless somebody else has the lease by then. Raises StoreError."""
        head = event.change.head
        outcome, attempt = await self._send(target, f"msg_{head.id.replace('.', '_')}", head.type, head.subject, event.json())
        self.delivered += outcome.delivered
        self.failed += not outcome.delivered

        def unit(conn: Connection) -> None:
            if not lease.is_ours(conn):
                return
            store.note(conn, target.id, attempt)
            if outcome.delivered:
                store.went_on(conn, target, str(event.after))
            elif store.failed(conn, target, later(conn.now(), self._pause(target, outcome))) and (reason := self._reason(target, outcome)):
                store.disable(conn, target.id, reason)

        try:
            await self._db.write(unit)
        except NotFound:  # deleted meanwhile
            return

    async def test(self, webhook_id: int) -> dict[str, Any]:
        """Deliver a test event once, also to one that is disabled; what became of it. It is not part of the feed. Raises NotFound."""
        target = await store.target(self._db, webhook_id, utc_now())
        if target is None:
            raise store.unknown(webhook_id)
        number, subject = token_hex(8), f"webhook/{webhook_id}"
        document = {
            "specversion": "1.0",
            "id": number,
            "source": "/gateway",
            "type": "roster.webhook.test",
            "subject": subject,
            "time": utc_now(),
            "datacontenttype": "application/json",
            "data": {"message": "This is a test."},
        }
        _, attempt = await self._send(target, f"msg_{number}", "roster.webhook.test", subject, encode(document))
        id_ = await self._db.write(lambda conn: store.note(conn, webhook_id, attempt))
        return {"id": id_, **{name: getattr(attempt, name) for name in Attempt.__slots__}}

    async def _send(self, target: Target, message_id: str, kind: str, subject: str, body: bytes) -> tuple[Outcome, Attempt]:
        at = utc_now()
        headers = {"Content-Type": MEDIA_TYPE, "User-Agent": "Roster", **signed(message_id, int(time.time()), body, target.secrets)}
        outcome = await self._receivers.deliver(target.url, headers, body)
        number = 1 if subject.startswith("webhook/") else target.failures + 1
        ms = int(outcome.seconds * 1000)
        return outcome, Attempt(message_id, kind, subject, number, at, outcome.delivered, outcome.status, outcome.error, ms)

    def _reason(self, target: Target, outcome: Outcome) -> str:
        """Why nothing more is delivered after a failure; empty when it is tried again."""
        if outcome.status == GONE:
            return "the receiver answered 410: it wants no more"
        failures = target.failures + 1
        return f"{failures} attempts in a row failed; the last: {outcome.error}"[:1000] if failures >= self._attempts else ""

    def _pause(self, target: Target, outcome: Outcome) -> float:
        """Seconds until the next attempt: longer each time, and as long as the receiver asks for."""
        longest = min(LONGEST_PAUSE, self._first_pause * 2 ** min(target.failures, 20))
        drawn = random.uniform(longest / 2, longest)  # noqa: S311 - spreads attempts, keeps no secret
        return max(drawn, float(min(outcome.retry_after or 0, LONGEST_PAUSE)))


class Courier(Looped):
    """Brings one webhook what it is to have."""

    def __init__(self, webhook_id: int, db: Database, feed: Merged, deliveries: Deliveries, lease: Lease, log: Any) -> None:
        super().__init__(f"delivering to webhook {webhook_id}", log, longest_pause=5.0)
        self._id, self._db, self._feed, self._deliveries, self._lease = webhook_id, db, feed, deliveries, lease
        self._read: list[Event] = []
        self._read_for: tuple[str, tuple[str, ...]] | None = None
        self._read_at = 0.0

    async def step(self) -> bool:
        """Deliver the next event, or wait for one. Raises FeedFault, StoreError."""
        held = await self._lease.hold(least=MARGIN)  # before the look: whoever had it until now has moved the cursor
        target = await store.target(self._db, self._id, utc_now())
        if not held or target is None or not target.enabled:
            await asyncio.sleep(LOOK)
        elif target.next_at is not None and (left := _seconds_until(target.next_at)) > 0:
            await asyncio.sleep(min(left, LOOK))
        elif self._read and self._read_for == (target.cursor, target.entities) and time.monotonic() - self._read_at < STALE:
            event = self._read.pop(0)
            await self._deliveries.deliver(target, event, self._lease)
            fresh = time.monotonic() - self._read_at < FRESH
            self._read_for = (str(event.after), target.entities) if fresh else None
        else:
            await self._fetch(target)
        return True

    async def _fetch(self, target: Target) -> None:
        """Read what comes after the webhook's cursor, waiting a second for it; before it is delivered the webhook is looked at again.

        Raises FeedFault when nothing came and a service could not be asked.
        """
        at = Vector.parse(target.cursor, "cursor")
        try:
            batch = await self._feed.read(at, target.entities, limit=AT_ONCE, wait=LOOK, ask=False)
        except FeedRestored as restored:
            self._log.warning("a service was restored; webhooks get its feed from its beginning", webhook=self._id, reason=restored.detail)
            await self._go_on(target, restored.resume)
            return
        self._read, self._read_for, self._read_at = batch.events, (target.cursor, target.entities), time.monotonic()
        if not batch.events and batch.after != at:
            await self._go_on(target, str(batch.after))
        batch.require_any()

    async def _go_on(self, target: Target, to: str) -> None:
        await self._db.write(lambda conn: store.went_on(conn, target, to))


class Dispatcher(Looped, Collector):
    """One process's couriers, one for each webhook, while it holds the lease."""

    def __init__(self, db: Database, feed: Merged, deliveries: Deliveries, log: Any) -> None:
        super().__init__("delivering to webhooks", log, longest_pause=5.0)
        self._db, self._deliveries = db, deliveries
        self._lease = Lease(db, "webhooks", seconds=LEASE)
        self._courier = partial(Courier, db=db, feed=feed, deliveries=deliveries, lease=self._lease, log=log)
        self._couriers: dict[int, Courier] = {}

    async def step(self) -> bool:
        """See to it that there is a courier for each webhook that is enabled, and none for any other. Raises StoreError."""
        wanted = await store.enabled(self._db)
        if wanted and not await self._lease.hold(least=MARGIN):
            wanted = set()
        await self._dismiss(self._couriers.keys() - wanted)
        if not wanted:
            await self._lease.give_up()
        for webhook_id in wanted - self._couriers.keys():
            self._couriers[webhook_id] = courier = self._courier(webhook_id)
            await courier.start()
        await asyncio.sleep(LOOK)
        return True

    async def stop(self) -> None:
        await super().stop()
        await self._dismiss(set(self._couriers))
        try:
            await self._lease.give_up()
        except StoreError as error:
            self._log.info("the lease of the webhooks ends by itself", reason=str(error))

    async def _dismiss(self, ids: set[int]) -> None:
        for webhook_id in ids:
            await self._couriers.pop(webhook_id).stop()

    def report(self) -> Mapping[str, Any]:
        """For /readyz, which does not depend on it."""
        reasons = [courier.reason for courier in self._couriers.values() if courier.reason]
        return {
            "status": "delivering" if self._lease.left else "standing by",
            "webhooks": len(self._couriers),
            "failing": len(reasons),
            "reason": reasons[0] if reasons else None,
        }

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        yield CounterMetricFamily("webhook_deliveries", "Deliveries that were taken.", value=self._deliveries.delivered)
        yield CounterMetricFamily("webhook_failures", "Deliveries that failed.", value=self._deliveries.failed)
        yield GaugeMetricFamily("webhooks_served", "Webhooks that this process delivers to.", value=len(self._couriers))


def _seconds_until(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - time.time()
