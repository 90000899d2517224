"""Raw servers for the pool to meet, and both event loops that it runs on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from shared.pool import Pool
from shared.testing.raw import RawServers


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test runs on asyncio's loop and on uvloop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[RawServers]:
    """Servers that end with the test."""
    made = RawServers(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def pools() -> AsyncIterator[Callable[..., Pool]]:
    """Makes pools that are closed with the test."""
    made: list[Pool] = []

    def make(origin: str, **settings: object) -> Pool:
        pool = Pool(origin, **{"wait_timeout": 5.0, "connect_timeout": 5.0} | settings)  # type: ignore[arg-type]  # a test's own settings
        made.append(pool)
        return pool

    yield make
    for pool in made:
        await pool.aclose()
        assert (pool.open, pool.idle, pool.waiting) == (0, 0, 0)
