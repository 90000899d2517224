"""What the gateway asks of the feed of employees: its own client, against a server that answers by the pact alone."""

from functools import partial

import pytest

from gateway.clients import feed_of_employees
from gateway.follower import LAST, news_of
from gateway.store.links import News
from shared.feedclient import FeedFault, FeedGone
from shared.identity import Minter
from shared.testing.callers import Signer
from tools.contracts.asked import employees_by_gateway as people
from tools.contracts.pacts import Exchange, make

MINTER = Minter("gateway", Signer("gateway").private_key)


async def news_by(exchange: Exchange, after: str | None = None) -> list[News | None]:
    """What the feed says of someone, as the gateway understands it."""
    with make("gateway", "employees", [exchange]).serve("127.0.0.1", raises=True) as server:
        feed = feed_of_employees(str(server.url).rstrip("/"), partial(MINTER.mint, audience="employees"))
        try:
            return [news_of(event) for event in await feed.changes(after, wait=0)]
        finally:
            await feed.aclose()


async def test_someone_leaves() -> None:
    hired, left = await news_by(people.LEAVING)
    assert hired is not None
    assert (hired.employee_id, hired.version, hired.active) == (1, 1, True)
    assert left == News(1, None, LAST, active=False)


async def test_a_feed_of_before_a_restore() -> None:
    with pytest.raises(FeedGone):
        await news_by(people.GONE, "e0.4")


async def test_a_feed_that_can_not_be_read() -> None:
    with pytest.raises(FeedFault, match="status 503"):
        await news_by(people.NO_FEED)


def test_everything_of_the_feed_in_the_pact_is_used() -> None:
    assert {*people.FOLLOWED} == {people.LEAVING, people.GONE, people.NO_FEED}
