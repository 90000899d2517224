"""How often somebody may ask: so many requests in a minute that begins with the first of them.

Requests of a caller are counted by each process for itself: that keeps one caller from taking all of a process, and costs a microsecond.
Tries to guess a password are counted in Redis where there is one (`GATEWAY_REDIS_URL`) by the `limits` library, so that several processes
allow no more of them than one. While Redis does not answer, each process counts them for itself: log-in is never without a limit, and
never refused for that.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from prometheus_client.core import GaugeMetricFamily, Metric
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.errors import TooManyRequests
from shared.operations import Limit
from shared.words import fold

WINDOW: Final = 60
MOST: Final = 100_000
"""Callers that one process counts at the same time."""

PATIENCE: Final = 5.0
"""Seconds after which Redis is asked again, when it did not answer."""

PREFIX: Final = "roster:limits"
RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a minute, 0 for any number: of a caller; and tries of a password from one address, for one username from one address."""

    caller: int
    address: int
    username: int


class Limits:
    """Counts requests. `clock` gives seconds since the epoch; `shared` is the way to Redis, None without one."""

    def __init__(self, rates: Rates, *, clock: Callable[[], float], log: Any, shared: Redis | None = None) -> None:
        self._caller = _Rate("caller", rates.caller, "requests")
        self._address = _Rate("address", rates.address, "tries of a password from one address")
        self._username = _Rate("log-in", rates.username, "tries of a password for one username")
        self._callers = _Here(clock)
        self._guesses = _Here(clock)
        self._shared = None if shared is None else _InRedis(shared)
        self._clock, self._log = clock, log
        self._alone_until = 0.0

    async def ask(self, limit: Limit, caller: str, address: str) -> RawHeaders:
        """Count a request of `caller` from `address`; what its answer says of it (RateLimit). Raises TooManyRequests."""
        if limit is Limit.CALLER:
            return self._callers.take(self._caller, caller)
        if limit is Limit.PASSWORD:
            return await self._guess(self._address, address)
        return []

    def look(self, caller: str) -> None:
        """Count nothing, and raise TooManyRequests where a request of `caller` would be refused."""
        self._callers.look(self._caller, caller)

    async def guess(self, address: str, username: str) -> RawHeaders:
        """Count a try of somebody's password. Raises TooManyRequests."""
        return await self._guess(self._username, f"{address}|{fold(username)}")

    async def _guess(self, rate: "_Rate", key: str) -> RawHeaders:
        if self._shared is not None and not 0 < self._alone_until - self._clock() <= PATIENCE:
            try:
                headers = await self._shared.take(rate, key)
            except (RedisError, OSError) as error:
                if not self._alone_until:
                    self._log.warning("redis does not answer: each process limits log-ins for itself", reason=str(error))
                self._alone_until = self._clock() + PATIENCE
            except TooManyRequests:
                self._alone_until = 0.0
                raise
            else:
                self._alone_until = 0.0
                return headers
        return self._guesses.take(rate, f"{rate.name}/{key}")

    def collect(self) -> Iterator[Metric]:
        """For Prometheus: whether log-ins are limited by this process alone although they should not be."""
        told = "1 while Redis does not answer, so that this process limits log-ins for itself."
        yield GaugeMetricFamily("gateway_limits_alone", told, float(bool(self._alone_until)))


class _Rate:
    """`amount` a minute of something, under a name; 0 is any number."""

    __slots__ = ("amount", "item", "name", "policy", "told", "what")

    def __init__(self, name: str, amount: int, what: str) -> None:
        self.name, self.amount, self.what = name, amount, what
        self.item = RateLimitItemPerMinute(amount, 1, name)
        self.policy = (b"ratelimit-policy", f'"{name}";q={amount};w={WINDOW}'.encode())
        self.told = b'"%b";r=%%d;t=%%d' % name.encode()


class _Here:
    """Counters in this process. Of more than `MOST` the one that began first goes. `clock` gives seconds."""

    __slots__ = ("_clock", "_counts")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    def take(self, rate: _Rate, key: str) -> RawHeaders:
        """One request of `key` more; the headers RateLimit-Policy and RateLimit. Raises TooManyRequests."""
        if not rate.amount:
            return []
        now = self._clock()
        count, ends = self._counts.get(key, (0, 0.0))
        if not now < ends <= now + WINDOW:  # it is over, or the clock was set back
            self._counts.pop(key, None)  # the order is that of beginning
            count, ends = 0, now + WINDOW
            if len(self._counts) >= MOST:
                del self._counts[next(iter(self._counts))]
        self._counts[key] = count + 1, ends
        return _told(rate, count < rate.amount, rate.amount - count - 1, ends - now)

    def look(self, rate: _Rate, key: str) -> None:
        """Raises TooManyRequests where `take` would."""
        count, ends = self._counts.get(key, (0, 0.0))
        left = ends - self._clock()
        if 0 < rate.amount <= count and 0 < left <= WINDOW:
            _told(rate, False, 0, left)


class _InRedis:
    """Counters that several processes share. Raises RedisError and OSError while Redis does not answer."""

    def __init__(self, client: Redis) -> None:
        options: Any = {"connection_pool": client.connection_pool}
        self._limiter = FixedWindowRateLimiter(RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, **options))

    async def take(self, rate: _Rate, key: str) -> RawHeaders:
        """As `_Here.take`."""
        if not rate.amount:
            return []
        taken = await self._limiter.hit(rate.item, key)
        ends, left = await self._limiter.get_window_stats(rate.item, key)
        return _told(rate, taken, left, ends - time.time())


def _told(rate: _Rate, taken: bool, left: int, lasts: float) -> RawHeaders:
    """What an answer says of a limit that lasts for so many seconds more. Raises TooManyRequests when the request was not `taken`."""
    seconds = max(1, math.ceil(lasts))
    headers = [rate.policy, (b"ratelimit", rate.told % (max(0, left), seconds))]
    if not taken:
        raise TooManyRequests(
            f"More than {rate.amount} {rate.what} in a minute; try again in {seconds} seconds.",
            headers={"Retry-After": str(seconds)} | {name.decode(): value.decode() for name, value in headers},
        )
    return headers
