"""The feed of employees, as teams reads it: signed with teams' own key."""

from typing import Final

import msgspec
from werkzeug.routing import Map, Rule

from shared.feedclient import FeedClient
from shared.identity import Caller, Minter

RULES: Final = Map([Rule("/v1/changes", endpoint="list_changes", methods=["GET"])])
"""The operations of employees that teams uses, under their owner's names; a test proves them against it."""


class EmployeeState(msgspec.Struct, frozen=True):
    """What teams needs of an employee. Someone whose data were erased has no username."""

    id: int
    username: str | None = None
    status: str | None = None
    created_at: str | None = None


def feed_of_employees(url: str, signing_key: str) -> FeedClient[EmployeeState]:
    """The feed of the employees service. Making one connects to nothing."""
    path = RULES.bind("employees").build("list_changes")
    if not signing_key:
        return FeedClient(url, path, EmployeeState, None)
    minter, caller = Minter("teams", signing_key), Caller("service:teams", "teams", "feed", "teams")
    return FeedClient(url, path, EmployeeState, lambda: minter.mint(caller, "employees"))
