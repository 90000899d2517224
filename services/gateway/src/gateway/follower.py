"""Follows the feed of employees: who is deleted or deactivated has their accounts disabled."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.clients import StaffState, feed_of_employees
from gateway.config import Settings
from gateway.store import links
from shared.changes import Author
from shared.db import Connection, Database
from shared.feedclient import Event
from shared.following import Effect, Follower, Position
from shared.identity import Caller

AUTHOR: Final = Author("service:employees-feed", "feed")
LAST: Final = 2**62
"""The version of someone deleted: nothing comes after it."""


def make_follower(settings: Settings, db: Database, bearer: Callable[[Caller], str], log: Any) -> Follower[StaffState]:
    """What follows employees. Making one connects to nothing."""
    feed = feed_of_employees(settings.employees_url, bearer)
    times: dict[str, Any] = {"wait": settings.feed_wait, "longest_pause": settings.feed_retry}
    return Follower("employees", db, feed, links.POSITIONS, EFFECT, log, **times)


def apply(conn: Connection, at: Position, events: Sequence[Event[StaffState]]) -> int:
    """Take in a batch; the number of accounts that were disabled."""
    news = [one for event in events if (one := news_of(event))]
    return links.apply(conn, at, news, events[-1].id, AUTHOR)


def finish(conn: Connection, at: Position) -> int:
    """The feed's end was reached; the number of accounts that were disabled."""
    return links.finish_reading(conn, at, AUTHOR)


EFFECT: Final = Effect(apply, finish, "accounts_disabled", "Accounts disabled because their employee was deleted or deactivated.")


def news_of(event: Event[StaffState]) -> links.News | None:
    """What an event says about someone; None when it is about something else."""
    id_ = event.id_of("employee")
    if id_ is None:
        return None
    state = event.data
    if event.deleted or state is None:
        return links.News(id_, None, LAST, active=False)
    return links.News(id_, state.created_at, state.version, state.status == "active")
