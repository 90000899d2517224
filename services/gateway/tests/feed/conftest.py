"""Feeds that are written by hand, merged without a service or a gateway."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import structlog

from gateway.clients.feeds import Change, read_batch
from gateway.feed import Merged
from shared.feedclient import FeedFault, FeedGone
from shared.testing.feeds import FakeFeed


class Unwired:
    """A service's feed without a wire between."""

    def __init__(self, fake: FakeFeed) -> None:
        self._fake = fake

    async def changes(self, after: str | None, *, wait: int = 0, limit: int = 500) -> list[Change]:
        await asyncio.sleep(0.001 if wait else 0)
        status, body = self._fake.answer({"limit": str(limit)} | ({} if after is None else {"after": after}))
        if status != 200:
            raise FeedGone if status == 410 else FeedFault(str(status))
        return read_batch(body, after)

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="session")
def merged() -> Callable[[Mapping[str, FakeFeed]], Merged]:
    """To merge feeds that are written by hand, without a service or a gateway."""

    def merge(fakes: Mapping[str, FakeFeed]) -> Merged:
        return Merged({name: Unwired(fake) for name, fake in fakes.items()}, structlog.get_logger())  # type: ignore[misc]  # enough of one

    return merge
