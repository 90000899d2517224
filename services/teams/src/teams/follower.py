"""Follows the feed of employees: who is deleted leaves every team, and what is known of people is kept for the lists."""

from collections.abc import Sequence
from typing import Any, Final

from shared.changes import Author
from shared.db import Connection, Database
from shared.feedclient import Event, FeedClient
from shared.following import Effect, Follower, Position
from teams.clients import EmployeeState
from teams.store import projection

AUTHOR: Final = Author("service:employees-feed", "feed")


def follower_of(feed: FeedClient[EmployeeState], db: Database, log: Any, *, wait: int, longest_pause: float) -> Follower[EmployeeState]:
    """What follows employees; `Follower` tells of the times."""
    return Follower("employees", db, feed, projection.POSITIONS, EFFECT, log, wait=wait, longest_pause=longest_pause)


def apply(conn: Connection, at: Position, events: Sequence[Event[EmployeeState]]) -> int:
    """Take in a batch; the number of memberships that ended."""
    people = [person for event in events if (person := person_of(event))]
    return projection.apply(conn, at, people, events[-1].id, AUTHOR)


def finish(conn: Connection, at: Position) -> int:
    """The feed's end was reached; the number of memberships that ended."""
    return projection.finish_reading(conn, at, AUTHOR)


EFFECT: Final = Effect(apply, finish, "memberships_ended", "Memberships ended because their employee was deleted.")


def person_of(event: Event[EmployeeState]) -> projection.Person | None:
    """What an event says about a person; None when it is about something else."""
    id_ = event.id_of("employee")
    if id_ is None:
        return None
    state = event.data
    if event.deleted or state is None:
        return projection.Person(id_, "", "inactive", True, "", event.seq, event.erased)
    born = state.created_at or ""
    return projection.Person(id_, state.username or "", state.status or "inactive", False, born, event.seq, event.erased)
