"""An HTTP/1.1 load: a fixed number of connections, each with one request under way; every answer is checked.

Closed loop: each connection asks again as soon as it was answered. With a pace, requests are due at fixed times, and what one waits for its
turn counts as its latency.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

import httptools
import uvloop

Request = Callable[[int], bytes]
"""The whole request number n, head and body."""
Check = Callable[[int, int, bytes], bool]
"""(number, status, body): is it the right answer?"""

PATIENCE: Final = 10.0
"""Seconds that a round waits for its first answer at most, and its connections for their last one."""


@dataclass
class Load:
    """What is asked of a server, and how its answers are known to be right."""

    port: int
    request: Request
    check: Check
    connections: int = 32
    pace: float | None = None
    """Requests a second; None is as many as are answered."""

    def run(self, *, seconds: float, warmup: float, cpu: Callable[[], float]) -> "Result":
        """One round; `cpu` gives the server's CPU seconds. A connection that the server closes counts as an error and is not replaced."""
        return uvloop.run(_run(self, seconds, warmup, cpu))


@dataclass
class Result:
    """What one round gave, within its measured time."""

    seconds: float = 0.0
    count: int = 0
    """Good answers."""
    latencies: list[float] = field(default_factory=list)
    """Of good answers, in seconds, sorted: of all, or of a fair sample."""
    errors: int = 0
    cpu: float = 0.0
    """CPU seconds of the server."""
    load_cpu: float = 0.0
    """CPU seconds of this process: near ``seconds``, the load was the bottleneck and not the server."""

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU seconds of the server for one request."""
        return self.cpu / max(1, self.count)

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] if self.latencies else float("nan")


class _Round:
    """What the connections of one round share."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.next = 0
        self.started = time.perf_counter()
        self.open = True
        self.result: Result | None = None  # from the end of the warm-up to the end of the round
        self.answered = asyncio.Event()  # within that time
        self.errors = 0


class _Connection(asyncio.Protocol):
    """One connection: asks, checks the answer, asks again, until the round closes."""

    def __init__(self, shared: _Round) -> None:
        self._round = shared
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._number = 0
        self._asked = 0.0
        self._transport: asyncio.Transport
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        shared = self._round
        good = shared.load.check(self._number, self._parser.get_status_code(), b"".join(self._body))
        if not good:
            shared.errors += 1
        elif shared.result is not None:
            shared.result.latencies.append(now - self._asked)
            shared.answered.set()
        if not self._parser.should_keep_alive():
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if self._round.open:
            self._round.errors += 1
        self.closed.set_result(None)

    def _ask(self) -> None:
        shared = self._round
        if not shared.open:
            self._transport.close()
            return
        self._body.clear()
        self._number = shared.next
        shared.next += 1
        now = time.perf_counter()
        due = now if shared.load.pace is None else shared.started + self._number / shared.load.pace
        self._asked = due
        if due > now:
            asyncio.get_running_loop().call_later(due - now, self._send)
        else:
            self._send()

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._round.load.request(self._number))

    def _fail(self) -> None:
        self._round.errors += 1
        self._transport.abort()


async def _run(load: Load, seconds: float, warmup: float, cpu: Callable[[], float]) -> Result:
    loop = asyncio.get_running_loop()
    shared = _Round(load)
    pairs = [await loop.create_connection(lambda: _Connection(shared), "127.0.0.1", load.port) for _ in range(load.connections)]
    await asyncio.sleep(warmup)
    result = Result(cpu=-cpu(), load_cpu=-time.process_time())
    started = time.perf_counter()
    shared.result = result
    await asyncio.sleep(seconds)
    with contextlib.suppress(TimeoutError):  # a short round of a slow server is as long as one answer
        await asyncio.wait_for(shared.answered.wait(), PATIENCE)
    if load.pace is None:  # of a paced load everything that was asked counts
        shared.result = None
    result.seconds = time.perf_counter() - started
    result.cpu += cpu()
    result.load_cpu += time.process_time()
    shared.open = False
    _, slow = await asyncio.wait([protocol.closed for _, protocol in pairs], timeout=PATIENCE)
    for transport, protocol in pairs:
        if protocol.closed in slow:
            transport.abort()
    result.errors = shared.errors + len(slow)
    result.latencies.sort()
    result.count = len(result.latencies)
    return result
