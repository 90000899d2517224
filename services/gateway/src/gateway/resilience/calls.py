"""All calls to one service, whichever way a request takes through the gateway: who may be sent, for how long, what is sent again, and what
each answer says about the service.

`Calls` holds what is known of the service. A `Lane` sends, with the arguments of `Pool.request`: ordinary requests, transfers (imports and
exports) and feeds each have places of their own, so that what lasts for minutes leaves room for what lasts for milliseconds.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Literal

from gateway.resilience.adaptive import AdaptiveLimit
from gateway.resilience.attempt import Attempt
from gateway.resilience.breaker import Breaker
from gateway.resilience.bulkhead import Bulkhead
from gateway.resilience.refusals import Full
from gateway.resilience.retries import AGAIN, AGAIN_WHEN_TOLD, SAFE, RetryBudget, backoff, repeatable
from shared.pool import Body, ConnectFailed, ConnectionLost, Origin, Pool, PoolError, ReadTimeout, Response

HOP: Final = 0.005
"""Seconds that one hop may cost: what is passed on as left is less by them, and with less than that left nothing is sent."""
TRY_SHARE: Final = 0.45
TRY_LEAST: Final = 0.05
"""What a first try gets of the time, so that there is some for a second: 45 %, at least 50 ms."""
WAIT: Final = 0.05
WAIT_SHARE: Final = 0.1
"""How long a request may wait for a place: 50 ms, or a tenth of what it has left."""
RESPECTED: Final = 0.25
"""Seconds after which a service that has not answered counts as failing. A caller who grants less is in a hurry, which is not its fault."""
REQUESTS: Final = 64
TRANSFERS: Final = 16

Headers = list[tuple[bytes, bytes]]
LaneName = Literal["requests", "transfers", "feeds"]
"""Requests have a deadline; transfers last as long as bytes move, feeds as long as somebody listens."""


class Calls:
    """One service. `pool` has a connection for each of so many `requests` of either kind and `transfers`; feeds have a pool of their own.

    `respected` see RESPECTED; `clock` (seconds) is the breakers' and the limits'.
    """

    def __init__(
        self,
        pool: Pool,
        feeds: Pool,
        *,
        requests: int = REQUESTS,
        transfers: int = TRANSFERS,
        respected: float = RESPECTED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pools = (pool, feeds)
        self.clock = clock
        self.reads = Breaker(clock)
        self.writes = Breaker(clock)
        self.retries = RetryBudget()
        self.resent = 0
        """Requests that were sent again because their kept connection was just being closed."""
        self.respected = respected
        self.requests = Lane(self, pool, Bulkhead(requests), Bulkhead(requests))
        self.lanes: dict[LaneName, Lane] = {
            "requests": self.requests,
            "transfers": Lane(self, pool, Bulkhead(transfers), probes=False),
            "feeds": Lane(self, feeds, Bulkhead(feeds.size), probes=False),
        }

    async def aclose(self) -> None:
        """Close the connections."""
        for pool in self.pools:
            await pool.aclose()


class Lane:
    """The way of one kind of request to a service. With `probes`, an answer tells whether the service is well again.

    Writes have places of their own where `writes` gives them: a disk that stands still takes no reads with it.
    """

    def __init__(self, calls: Calls, pool: Pool, reads: Bulkhead, writes: Bulkhead | None = None, *, probes: bool = True) -> None:
        self.calls = calls
        self.places = {calls.reads: reads, calls.writes: writes or reads}
        """By their breaker."""
        self._bulkheads = frozenset(self.places.values())
        self.limit = AdaptiveLimit(reads.size, clock=calls.clock)
        """Of reads."""
        self.probes = probes
        self.origin: Origin = pool.origin
        self._request = pool.request

    @property
    def busy(self) -> int:
        """Requests under way."""
        return sum(found.busy for found in self._bulkheads)

    @property
    def refused(self) -> int:
        """Requests that got no place."""
        return sum(found.refused for found in self._bulkheads)

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: Body = None,
        *,
        length: int | None = None,
        deadline: float | None = None,
        idle: float | None = None,
    ) -> Response:
        """Send a request, a second time where that can do no harm; return when the head of its answer is here.

        `deadline` is a time of the event loop; the service is told what is left. The place in the lane is free again when the answer has
        ended or was closed. Raises PoolError: Refused when nothing was sent. Cancelling closes the connection.
        """
        may_repeat = (body is None or type(body) is bytes) and repeatable(method, headers)
        until = self._share(deadline) if may_repeat and deadline is not None else deadline
        failure: PoolError | None = None
        try:
            response = await self._try(method, target, headers, body, length, until, idle)
            if response.status not in AGAIN_WHEN_TOLD or not may_repeat:
                return response
            pause = _pause_after(response)
        except PoolError as error:
            if error.sent and not may_repeat:
                raise
            failure, pause = error, _pause_after_error(error)
        fresh = pause == 0.0
        if not await self._may_try_again(pause, deadline):
            if failure is not None:
                raise failure
            return response
        if failure is None:
            response.close()
        try:
            return await self._try(method, target, headers, body, length, deadline, idle, fresh)
        finally:
            if not fresh:
                self.calls.retries.under_way -= 1

    def _share(self, deadline: float) -> float:
        """Until when the first try may last: a second one is only planned for when it would be allowed."""
        if not self.calls.retries.allows(self.busy):
            return deadline
        now = time.monotonic()
        return min(deadline, now + max(TRY_LEAST, TRY_SHARE * (deadline - now)))

    async def _may_try_again(self, pause: float | None, deadline: float | None) -> bool:
        """Wait before the second try, and take it from the budget; False when there is to be none. A pause of 0 needs no budget."""
        calls = self.calls
        if pause is None or (deadline is not None and time.monotonic() + pause + 2 * HOP > deadline):
            return False
        if pause == 0.0:
            calls.resent += 1
            return True
        if not calls.retries.allows(self.busy):
            calls.retries.refused += 1
            return False
        calls.retries.under_way += 1
        try:
            await asyncio.sleep(pause)
        except BaseException:
            calls.retries.under_way -= 1
            raise
        calls.retries.made += 1
        return True

    async def _try(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: Body,
        length: int | None,
        until: float | None,
        idle: float | None,
        fresh: bool = False,
    ) -> Response:
        breaker = self.calls.reads if method in SAFE else self.calls.writes
        await self._enter(breaker, until)
        attempt = Attempt(self, breaker)
        try:
            if until is not None:
                left = until - time.monotonic() - HOP
                if left < HOP:
                    raise ReadTimeout("no time is left")
                headers = [*headers, (b"x-request-timeout-ms", b"%d" % (left * 1000))]
            response = await self._request(method, target, headers, body, length=length, deadline=until, idle=idle, fresh=fresh)
        except BaseException as error:
            attempt.failed(error)
            raise
        attempt.follow(response)
        return response

    async def _enter(self, breaker: Breaker, until: float | None) -> None:
        """Take a place, when one comes free; `leave` gives it back. Raises Refused."""
        read = breaker is self.calls.reads
        if read and not self.limit.enter():
            self.limit.turned_away()
            raise Full
        places = self.places[breaker]
        if places.try_enter():
            return
        if read:
            self.limit.crowded()
        try:
            breaker.check()
            left = WAIT if until is None else WAIT_SHARE * (until - time.monotonic())
            await places.enter(min(WAIT, left))
        except BaseException:
            if read:
                self.limit.leave()
            raise

    def leave(self, breaker: Breaker) -> None:
        """Give the place of a request back, whose breaker this is."""
        if breaker is self.calls.reads:
            self.limit.leave()
        self.places[breaker].leave()


def _pause_after_error(error: PoolError) -> float | None:
    """Seconds before a request that may be repeated is sent again: 0 for at once on a fresh connection, None for never."""
    if isinstance(error, ConnectionLost):
        if error.stale or not error.sent:
            return 0.0  # the keep-alive race, which says nothing about the service
        return None if error.received else backoff(1)
    return backoff(1) if isinstance(error, ConnectFailed | ReadTimeout) else None


def _pause_after(response: Response) -> float | None:
    """The same, for an answer of AGAIN_WHEN_TOLD: as long as it says, if it says so."""
    for name, value in response.headers:
        if name == b"retry-after":
            return float(value) + backoff(1) if value.isdigit() and len(value) < 4 else None
    return backoff(1) if response.status in AGAIN else None
