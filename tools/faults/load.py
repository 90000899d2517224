"""An open-loop load: each request begins at its time, whatever has become of those before it, and its time counts from then."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec
import uvloop

from shared.pool import Pool, PoolError
from tools.faults.scene import Broken

TURN: Final = 0.002
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
    """What one request came to. `at` is when it was due (`time.monotonic()`), `seconds` what it took from then."""

    number: int
    at: float
    seconds: float
    status: int
    error: str


Ask = Callable[[int], Request]
"""The request number n."""


class Load:
    """`rate` requests a second from a thread of its own while the block lasts, and for `most` seconds at most; then `samples` has them."""

    def __init__(self, url: str, rate: float, ask: Ask, *, connections: int = 500, most: float = 300.0, patience: float = PATIENCE) -> None:
        self.samples: list[Sample] = []
        self._url, self._rate, self._ask = url, rate, ask
        self._connections, self._most, self._patience = connections, most, patience
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(PATIENCE * 2)
        self.samples.sort(key=lambda sample: sample.at)

    async def _run(self) -> None:
        pool = Pool(self._url, size=self._connections, connect_timeout=PATIENCE, wait_timeout=PATIENCE)
        begun, number = time.monotonic(), 0
        tasks: set[asyncio.Task[None]] = set()
        while not self._stop.is_set() and (now := time.monotonic()) < begun + self._most:
            while number < (now - begun) * self._rate:
                task = asyncio.create_task(self._send(pool, number, begun + number / self._rate))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
            await asyncio.sleep(TURN)
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)
        await pool.aclose()

    async def _send(self, pool: Pool, number: int, at: float) -> None:
        status, error = await send(pool, self._ask(number), self._patience)
        self.samples.append(Sample(number, at, time.monotonic() - at, status, error))


async def send(pool: Pool, request: Request, patience: float = PATIENCE) -> tuple[int, str]:
    """The status of an answer that came whole within `patience` seconds, or LOST and why."""
    try:
        deadline = asyncio.get_running_loop().time() + patience
        response = await pool.request(request.method, request.target, request.headers, request.body, deadline=deadline)
        await response.read()
    except PoolError as error:
        return LOST, f"{type(error).__name__}: {error}"
    return response.status, ""


async def all_at_once(url: str, requests: Sequence[Request]) -> list[int]:
    """The statuses of requests that are sent at the same time, each on a connection of its own."""
    pool = Pool(url, size=len(requests), connect_timeout=PATIENCE, wait_timeout=PATIENCE)
    try:
        return [status for status, _ in await asyncio.gather(*(send(pool, request) for request in requests))]
    finally:
        await pool.aclose()


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
    """Seconds; nan for none."""
    times = sorted(sample.seconds for sample in samples)
    return times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")


def statuses(found: Iterable[int]) -> str:
    """``200 × 1,234, 503 × 5``; 0 is told as what it is."""
    counts = sorted(Counter(found).items())
    return ", ".join(f"{'no answer' if status == LOST else status} × {count:,}" for status, count in counts)


def ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
