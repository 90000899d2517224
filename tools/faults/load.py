"""An open-loop load: each request begins at its time, whatever has become of those before it.

It runs in a process of its own. What that is late with a request is told apart from what the request takes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from shared.pool import Pool, PoolError
from tools.faults.apart import Apart
from tools.faults.scene import Broken

TURN: Final = 0.001
"""Seconds between two looks at which requests are due."""
PATIENCE: Final = 15.0
"""Seconds that a request may take."""
LOST: Final = 0
"""The status of a request that got no answer."""


class Request(NamedTuple):
    """What is sent; `headers` as pairs of bytes."""

    method: bytes
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes | None = None


class Sample(NamedTuple):
    """What one request came to. `at` is when it was due (`time.monotonic()`), `late` how long after that it began, `seconds` what it took
    from then, a connection of its own included.
    """

    number: int
    at: float
    seconds: float
    status: int
    error: str
    late: float = 0.0


Ask = Callable[[int], Request]
"""The request number n; can be pickled."""


class Load:
    """`rate` requests a second while the block lasts, and for `most` seconds at most; then `samples` has them, in the order of `at`.

    `kept` connections are open before the first of them, as those of clients who have been here for a while.
    """

    def __init__(
        self, url: str, rate: float, ask: Ask, *, connections: int = 500, most: float = 300.0, patience: float = PATIENCE, kept: int = 0
    ) -> None:
        self.samples: list[Sample] = []
        self._told = (url, rate, ask, connections, most, patience, kept)
        self._apart: Apart[list[Sample]]

    def __enter__(self) -> Self:
        self._apart = Apart(_load, *self._told)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.samples = self._apart.result(PATIENCE * 4)


def in_turn(requests: Sequence[Request]) -> Ask:
    """These, and from the beginning again."""
    return partial(_in_turn, requests)


def _in_turn(requests: Sequence[Request], number: int) -> Request:
    return requests[number % len(requests)]


async def _load(stop: Event, url: str, rate: float, ask: Ask, connections: int, most: float, patience: float, kept: int) -> list[Sample]:
    pool = Pool(url, size=connections, connect_timeout=PATIENCE, wait_timeout=PATIENCE)
    samples: list[Sample] = []
    await asyncio.gather(*(send(pool, ask(number), patience) for number in range(kept)))

    async def ask_for(number: int, at: float) -> None:
        begun = time.monotonic()
        status, error = await send(pool, ask(number), patience)
        samples.append(Sample(number, at, time.monotonic() - begun, status, error, begun - at))

    begun, number = time.monotonic(), 0
    tasks: set[asyncio.Task[None]] = set()
    while not stop.is_set() and (now := time.monotonic()) < begun + most:
        while number < (now - begun) * rate:
            task = asyncio.create_task(ask_for(number, begun + number / rate))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(TURN)
    if tasks:
        await asyncio.wait(tasks, timeout=patience + 2)
    await pool.aclose()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(samples, key=lambda sample: sample.at)


async def send(pool: Pool, request: Request, patience: float = PATIENCE) -> tuple[int, str]:
    """The status of an answer that came whole within `patience` seconds, or LOST; and of what is no success, why."""
    try:
        deadline = asyncio.get_running_loop().time() + patience
        response = await pool.request(request.method, request.target, request.headers, request.body, deadline=deadline)
        body = await response.read()
    except PoolError as error:
        return LOST, f"{type(error).__name__}: {error}"
    return response.status, "" if response.status < 400 else body[:200].decode("utf-8", "replace")


async def all_at_once(url: str, requests: Sequence[Request]) -> list[int]:
    """The statuses of requests that are sent at the same time, each on a connection of its own."""
    pool = Pool(url, size=len(requests), connect_timeout=PATIENCE, wait_timeout=PATIENCE)
    try:
        return [status for status, _ in await asyncio.gather(*(send(pool, request) for request in requests))]
    finally:
        await pool.aclose()


async def all_at_once_when_told(told: Event, url: str, requests: Sequence[Request]) -> list[int]:
    """The same, for `Apart`: everything is ready when it begins."""
    await asyncio.to_thread(told.wait)
    return await all_at_once(url, requests)


async def closed(url: str, connections: int, seconds: float, request: Request) -> int:
    """How many good answers (2xx) so many connections get, each asking again as soon as it is answered."""
    pool = Pool(url, size=connections)
    until = time.monotonic() + seconds

    async def ask() -> int:
        good = 0
        while time.monotonic() < until:
            status, _ = await send(pool, request)
            good += 200 <= status < 300
        return good

    try:
        return sum(await asyncio.gather(*(ask() for _ in range(connections))))
    finally:
        await pool.aclose()


def get(target: str, cookie: str) -> Request:
    """A read in a session."""
    return Request(b"GET", target.encode(), [(b"cookie", cookie.encode())])


def post(target: str, cookie: str, body: object, key: str | None = None) -> Request:
    """A write in a session, with an idempotency key or without."""
    headers = [(b"cookie", cookie.encode()), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"idempotency-key", key.encode()))
    return Request(b"POST", target.encode(), headers, msgspec.json.encode(body))


SLOW: Final = frozenset({503, 504})
"""What a machine that is too slow makes of a request: an aim is missed, and nothing is broken."""


def failures(samples: Iterable[Sample], *, besides: Container[int] = SLOW) -> int:
    """How many were not answered well (2xx). Raises Broken for one that was answered otherwise than well or with a status of `besides`."""
    bad = [sample for sample in samples if not 200 <= sample.status < 300]
    if wrong := [sample for sample in bad if sample.status not in besides]:
        raise Broken(f"{len(wrong)} wrong answers ({statuses(sample.status for sample in wrong)}); the first: {wrong[0]}")
    return len(bad)


def percentile(samples: Iterable[Sample], share: float) -> float:
    """Of what they took, in seconds; nan for none."""
    return _percentile((sample.seconds for sample in samples), share)


def lateness(samples: Iterable[Sample], share: float) -> float:
    """Of how late the load began them."""
    return _percentile((sample.late for sample in samples), share)


def _percentile(times: Iterable[float], share: float) -> float:
    found = sorted(times)
    return found[min(len(found) - 1, int(len(found) * share))] if found else float("nan")


def statuses(found: Iterable[int]) -> str:
    """``200 × 1,234, 503 × 5``; 0 is told as what it is."""
    counts = sorted(Counter(found).items())
    return ", ".join(f"{'no answer' if status == LOST else status} × {count:,}" for status, count in counts)


def ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
