"""The feed of employees, as the gateway reads it: in its own name, and with a role that is good for feeds alone."""

from collections.abc import Callable
from typing import Final

from gateway.clients.answers import StaffState
from gateway.clients.rules import FEED
from shared.feedclient import FeedClient
from shared.identity import Caller

CALLER: Final = Caller("service:gateway", "gateway", "feed", "gateway")


def feed_of_employees(url: str, bearer: Callable[[Caller], str]) -> FeedClient[StaffState]:
    """The feed at an address; `bearer` gives the assertion of a caller. Making one connects to nothing."""
    return FeedClient(url, FEED.path, StaffState, lambda: bearer(CALLER))
