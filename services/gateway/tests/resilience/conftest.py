"""The way to a service over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.resilience import Calls
from shared.pool import Pool
from shared.testing.raw import RawServers


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[RawServers]:
    made = RawServers(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def to(clock: Clock) -> AsyncIterator[Callable[..., Calls]]:
    """Makes the way to a service, its breakers on the test's clock."""
    made: list[Calls] = []

    def make(origin: str, **settings: Any) -> Calls:
        pools = [Pool(origin, connect_timeout=5.0, wait_timeout=5.0) for _ in range(2)]
        made.append(Calls(*pools, clock=clock, **settings))
        return made[-1]

    yield make
    for calls in made:
        await calls.aclose()


@pytest.fixture
def ask() -> Callable[..., Awaitable[int]]:
    """Asks an ordinary question: `await ask(calls, b"GET", *headers, seconds=10.0)` gives the status."""

    async def ask(calls: Calls, method: bytes = b"GET", *headers: tuple[bytes, bytes], seconds: float | None = 10.0) -> int:
        body = b"hi" if method in (b"POST", b"PUT", b"PATCH") else None
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        response = await calls.requests.request(method, b"/", list(headers), body, deadline=deadline)
        await response.read()
        return response.status

    return ask
