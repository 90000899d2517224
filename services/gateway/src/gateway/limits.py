"""How often somebody may ask, with the `limits` library: so many requests in a minute that begins with the first of them.

Requests of a caller are counted by each process for itself: that keeps one caller from taking all of a process, and costs microseconds.
Tries to guess a password are counted in Redis where there is one (`GATEWAY_REDIS_URL`), so that several processes allow no more of them
than one. While Redis does not answer, each process counts them for itself: log-in is never without a limit, and never refused for that.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage, Storage
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
        self._callers = _Count(_Here(clock), clock)
        self._guesses = _Count(_Here(clock), clock)
        self._shared = None if shared is None else _Count(_in_redis(shared), time.time)
        self._clock, self._log = clock, log
        self._alone_until = 0.0

    async def ask(self, limit: Limit, caller: str, address: str) -> RawHeaders:
        """Count a request of `caller` from `address`; what its answer says of it (RateLimit). Raises TooManyRequests."""
        if limit is Limit.CALLER:
            return await self._callers.take(self._caller, caller)
        if limit is Limit.PASSWORD:
            return await self._guess(self._address, address)
        return []

    async def look(self, caller: str) -> None:
        """Count nothing, and raise TooManyRequests where a request of `caller` would be refused."""
        await self._callers.look(self._caller, caller)

    async def guess(self, address: str, username: str) -> RawHeaders:
        """Count a try of somebody's password. Raises TooManyRequests."""
        return await self._guess(self._username, f"{address}|{fold(username)}")

    async def _guess(self, rate: "_Rate", key: str) -> RawHeaders:
        if self._shared is not None and self._clock() >= self._alone_until:
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
        return await self._guesses.take(rate, key)

    def collect(self) -> Iterator[Metric]:
        """For Prometheus: whether log-ins are limited by this process alone although they should not be."""
        told = "1 while Redis does not answer, so that this process limits log-ins for itself."
        yield GaugeMetricFamily("gateway_limits_alone", told, float(bool(self._alone_until)))


class _Rate:
    """`amount` a minute of something, under a name; 0 is any number."""

    __slots__ = ("amount", "item", "name", "policy", "what")

    def __init__(self, name: str, amount: int, what: str) -> None:
        self.name, self.amount, self.what = name, amount, what
        self.item = RateLimitItemPerMinute(amount, 1, name)
        self.policy = (b"ratelimit-policy", f'"{name}";q={amount};w={WINDOW}'.encode())


class _Count:
    """`limits` over one of its storages, whose times are those of `clock`."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._limiter = FixedWindowRateLimiter(storage)
        self._clock = clock

    async def take(self, rate: _Rate, key: str) -> RawHeaders:
        """One request of `key` more; the headers RateLimit-Policy and RateLimit. Raises TooManyRequests."""
        return await self._told(rate, key, await self._limiter.hit(rate.item, key)) if rate.amount else []

    async def look(self, rate: _Rate, key: str) -> None:
        """Raises TooManyRequests where one request of `key` more would."""
        if rate.amount and not await self._limiter.test(rate.item, key):
            await self._told(rate, key, False)

    async def _told(self, rate: _Rate, key: str, taken: bool) -> RawHeaders:
        ends, left = await self._limiter.get_window_stats(rate.item, key)
        seconds = max(1, math.ceil(ends - self._clock()))
        headers = [rate.policy, (b"ratelimit", b'"%b";r=%d;t=%d' % (rate.name.encode(), left, seconds))]
        if not taken:
            raise TooManyRequests(
                f"More than {rate.amount} {rate.what} in a minute; try again in {seconds} seconds.",
                headers={"Retry-After": str(seconds)} | {name.decode(): value.decode() for name, value in headers},
            )
        return headers


class _Here(Storage):
    """Counters in this process. The library's own start a task for each request, which looks at every counter there is.

    Of more than `MOST` counters the one that began first goes.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, ends = self._counts.get(key, (0, 0.0))
        now = self._clock()
        if now >= ends:
            self._counts.pop(key, None)  # the order is that of beginning
            count, ends = 0, now + expiry
            if len(self._counts) >= MOST:
                del self._counts[next(iter(self._counts))]
        self._counts[key] = count + amount, ends
        return count + amount

    async def get(self, key: str) -> int:
        count, ends = self._counts.get(key, (0, 0.0))
        return count if self._clock() < ends else 0

    async def get_expiry(self, key: str) -> float:
        return self._counts.get(key, (0, 0.0))[1]

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        self._counts.clear()
        return None

    async def clear(self, key: str) -> None:
        self._counts.pop(key, None)


def _in_redis(client: Redis) -> RedisStorage:
    options: Any = {"connection_pool": client.connection_pool}
    return RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, **options)
