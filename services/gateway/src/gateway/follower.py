"""Follows the feed of employees: who is deleted or deactivated has their accounts disabled."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any, Final

from gateway.clients import StaffState, feed_of_employees
from gateway.config import Settings
from gateway.errors import ServiceUnavailable
from gateway.store import links
from shared.changes import Author
from shared.db import Connection, Database
from shared.feedclient import Event
from shared.following import Effect, Follower, Position
from shared.identity import Caller

AUTHOR: Final = Author("service:employees-feed", "feed")
LAST: Final = 2**62
"""The version of someone deleted: nothing comes after it."""


class StaffFollower(Follower[StaffState]):
    """What follows employees; making one connects to nothing. `ending` is around a write that ends something of an account."""

    expected = (*Follower.expected, ServiceUnavailable)

    def __init__(
        self,
        settings: Settings,
        db: Database,
        bearer: Callable[[Caller], str],
        ending: Callable[[int], AbstractAsyncContextManager[None]],
        log: Any,
    ) -> None:
        feed = feed_of_employees(settings.employees_url, bearer)
        times: dict[str, Any] = {"wait": settings.feed_wait, "longest_pause": settings.feed_retry}
        super().__init__("employees", db, feed, links.POSITIONS, EFFECT, log, **times)
        self._ending = ending

    async def write(self, unit: Callable[[Connection], int]) -> int:
        """Disable nobody whom other processes would go on trusting if this one ended at once: a unit that disables accounts is undone, and
        run again once they are told.
        """
        told: frozenset[int] = frozenset()
        while True:
            async with AsyncExitStack() as around:
                for account_id in sorted(told):
                    await around.enter_async_context(self._ending(account_id))
                try:
                    return await super().write(partial(_told_before, unit=unit, told=told))
                except _Untold as error:
                    told |= error.accounts


class _Untold(Exception):
    def __init__(self, accounts: frozenset[int]) -> None:
        super().__init__(accounts)
        self.accounts = accounts


def _told_before(conn: Connection, unit: Callable[[Connection], int], told: frozenset[int]) -> int:
    """The unit, if it changes no other accounts than these. Raises _Untold."""
    since = len(conn.logged)
    effects = unit(conn)
    changed = frozenset(change.entity_id for change in conn.logged[since:] if change.entity == "account")
    if not changed <= told:
        raise _Untold(changed)
    return effects


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
