"""How much a service takes on at a time: an adaptive limit, and who is refused when it is reached.

The limit follows Netflix's Gradient2: while answers take about as long as they did over the last minute it grows, when they take more than
1.5 times as long it shrinks. At the limit, reads are still taken up to 65 % of it and writes up to 35 %, so that neither starves the other.
Transfers (imports and exports) and feeds only borrow: they begin when there is room, and a feed, which mostly waits, takes none. Health has
places of its own. Who is refused is told so before the body is read, which costs little of what serving would.

The limit has a floor far above Gradient2's usual 4: the writer commits what waits together, so sixty-four writes at the same time are its
best case, not its trouble, and a burst of one gateway's size is no overload (docs/decisions/0015).
"""

import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from shared.errors import Overloaded

Kind = Literal["health", "read", "write", "transfer", "feed"]

FIELD: Final = "X-Load-Shed"
"""The field of a refusal by which a gateway tells it from a failure."""
SHED: Final = (FIELD.lower().encode(), b"1")
LEAST: Final = 80
MOST: Final = 200
QUEUE: Final = 4
SMOOTHING: Final = 0.2
TOLERANCE: Final = 1.5
SHARES: Final[dict[Kind, float]] = {"read": 0.65, "write": 0.35}
HEALTH: Final = 8
"""Places for probes, beyond the limit."""
FEEDS: Final = 1_000
WINDOW: Final = 0.1
SAMPLES: Final = 10
"""Seconds and answers that make one measurement."""
MEMORY: Final = 600
"""Measurements that an average goes back, a minute under load."""


class Shed(Overloaded):
    """Refused because too much is under way: nothing was begun."""

    def __init__(self) -> None:
        super().__init__("too much is under way", headers={FIELD: "1"})


class Latency:
    """How long one kind of request takes now, and has taken lately."""

    __slots__ = ("_count", "_lately", "_sum")

    def __init__(self) -> None:
        self._count = 0
        self._sum = self._lately = 0.0

    def add(self, seconds: float) -> None:
        self._count += 1
        self._sum += seconds

    def gradient(self) -> float:
        """What the limit is to be multiplied with: 1 when answers take as long as usual, down to 0.5 when they take longer."""
        if self._count < SAMPLES:
            return 1.0
        now = self._sum / self._count
        self._count, self._sum = 0, 0.0
        if self._lately == 0.0:
            self._lately = now
        self._lately += (now - self._lately) * 2 / (MEMORY + 1)
        if self._lately > 2 * now:  # a slow time is over: forget it sooner
            self._lately *= 0.95
        return max(0.5, min(1.0, TOLERANCE * self._lately / now))


class Limiter:
    """Decides for each request at its arrival. `clock` in seconds."""

    def __init__(self, *, least: int = LEAST, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = float(least)
        self.busy: dict[Kind, int] = {"health": 0, "read": 0, "write": 0, "transfer": 0, "feed": 0}
        self.refused: dict[Kind, int] = dict.fromkeys(self.busy, 0)
        self._least = least
        self._most = max(least, most)
        self._clock = clock
        self._taken = 0
        self._peak = 0
        self._until = clock() + WINDOW
        self._latencies: dict[Kind, Latency] = {"read": Latency(), "write": Latency()}

    def admit(self, kind: Kind) -> None:
        """Take a request on, to be given back with `leave`. Raises Shed."""
        busy = self.busy[kind]
        if kind == "health":
            fits = busy < HEALTH
        elif kind == "feed":
            fits = busy < FEEDS and self._taken < self.limit
        else:
            fits = self._taken < self.limit or busy < SHARES.get(kind, 0.0) * self.limit
            if fits:
                self._taken += 1
                if self._taken > self._peak:
                    self._peak = self._taken
        if not fits:
            self.refused[kind] += 1
            raise Shed
        self.busy[kind] = busy + 1

    def leave(self, kind: Kind, seconds: float | None) -> None:
        """A request has ended, after so many seconds; None when that says nothing about the service."""
        self.busy[kind] -= 1
        if kind in ("health", "feed"):
            return
        self._taken -= 1
        latency = self._latencies.get(kind)
        if latency is not None and seconds is not None:
            latency.add(seconds)
            now = self._clock()
            if now >= self._until:
                self._adapt(now)

    def _adapt(self, now: float) -> None:
        gradient = min(latency.gradient() for latency in self._latencies.values())
        peak, self._peak = self._peak, self._taken
        self._until = now + WINDOW
        if peak < self.limit / 2:  # nobody came near it, so nothing is known about it
            return
        limit = self.limit * (1 - SMOOTHING) + (self.limit * gradient + QUEUE) * SMOOTHING
        self.limit = max(float(self._least), min(float(self._most), limit))

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client calls on a scrape."""
        yield GaugeMetricFamily("requests_limit", "Requests that may be under way at the same time.", value=self.limit)
        busy = GaugeMetricFamily("requests_admitted", "Requests under way.", labels=("kind",))
        refused = CounterMetricFamily("requests_shed", "Requests refused because too many were under way.", labels=("kind",))
        for kind, count in self.busy.items():
            busy.add_metric((kind,), count)
            refused.add_metric((kind,), self.refused[kind])
        yield from (busy, refused)
