"""What the gateway asks of the services' feeds: its own client, against servers that answer by the pacts and by nothing else."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest

from gateway.clients.feeds import ServiceFeed
from shared.feedclient import FeedGone
from shared.identity import Minter
from shared.testing.callers import Signer
from tools.contracts.asked import employees_by_gateway as people
from tools.contracts.asked import teams_by_gateway as groups
from tools.contracts.pacts import Exchange, make

MINTER = Minter("gateway", Signer("gateway").private_key)
FEEDS = {"employees": people.FEED, "teams": groups.FEED}


@asynccontextmanager
async def feed_of(service: str, exchanges: Sequence[Exchange]) -> AsyncIterator[ServiceFeed]:
    """A service's feed, as the gateway has it."""
    with make("gateway", service, exchanges).serve("127.0.0.1", raises=True) as server:
        feed = ServiceFeed(str(server.url).rstrip("/"), partial(MINTER.mint, audience=service))
        try:
            yield feed
        finally:
            await feed.aclose()


@pytest.mark.parametrize("service", FEEDS)
async def test_a_feed_is_read_as_the_pact_says(service: str) -> None:
    start, newest, *_ = FEEDS[service]
    async with feed_of(service, [start, newest]) as feed:
        seqs = [change.seq for change in await feed.changes(None)]
        assert seqs == list(range(1, len(start.answer) + 1))
        assert await feed.newest() == f"e1.{seqs[-1]}"


@pytest.mark.parametrize("service", FEEDS)
async def test_a_feed_that_begins(service: str) -> None:
    *_, nothing, gone = FEEDS[service]
    async with feed_of(service, [nothing, gone]) as feed:
        assert await feed.newest() is None
        with pytest.raises(FeedGone):
            await feed.changes("e0.4")
