"""To which employees accounts belong, and what their feed says of these: who is deleted or inactive has no account that is not disabled.

A link remembers the employee's version that was seen when it was made, or by the feed since: older news changes nothing. While the
feed is read from its beginning again, what was is not what is, so its effects wait for the reading's end; whom that has not met is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.models import follower, links
from gateway.store import accounts
from shared.changes import Author
from shared.db import Connection, Query, any_of
from shared.following import Position, Positions

POSITIONS: Final = Positions(follower, "employees")
_COLUMNS: Final = ("employee_id", "born", "version", "active", "reading")
_all: Final = select(links.c.account_id, *(links.c[name] for name in _COLUMNS)).order_by(links.c.account_id)
_OF: Final = Query(_all.where(any_of(links.c.employee_id, "employee_ids")))
_GONE: Final = Query(_all.where((links.c.reading < bindparam("reading")) | links.c.active.is_(False)))
_ADD: Final = Query(insert(links))
_REMOVE: Final = Query(delete(links).where(links.c.account_id == bindparam("account_id")))
_SET: Final = Query(
    update(links)
    .where(links.c.account_id == bindparam("of"))
    .values({name: bindparam(f"new_{name}", type_=links.c[name].type) for name in ("version", "active", "reading")})
)


@dataclass(frozen=True, slots=True)
class News:
    """An employee as of a change: `version` counts those of the employee; `born` is when the record was made, None for one that is gone."""

    employee_id: int
    born: str | None
    version: int
    active: bool


@dataclass(frozen=True, slots=True)
class _Link:
    account_id: int
    employee_id: int
    born: str
    version: int
    active: bool
    reading: int


def link(conn: Connection, account_id: int, seen: News | None) -> None:
    """The account belongs to this employee from now on; to none for None."""
    conn.run(_REMOVE, account_id=account_id)
    if seen is not None:
        reading = POSITIONS.now(conn).reading
        row = {"born": seen.born, "version": seen.version, "active": seen.active, "reading": reading}
        conn.run(_ADD, account_id=account_id, employee_id=seen.employee_id, **row)


def apply(conn: Connection, at: Position, news: Sequence[News], cursor: str, author: Author) -> int:
    """Take in a batch that was read at `at`, with the cursor after it; the number of accounts that were disabled."""
    if not POSITIONS.move(conn, at, replace(at, cursor=cursor)):
        return 0
    known: dict[int, list[_Link]] = {}
    for row in conn.all(_OF, employee_ids=sorted({one.employee_id for one in news})):
        known.setdefault(row[1], []).append(_Link(*row))
    ended = 0
    for one in news:
        linked = [_after(before, one, at.reading) for before in known.get(one.employee_id, ())]
        known[one.employee_id] = linked
        for after in linked:
            conn.run(_SET, of=after.account_id, new_version=after.version, new_active=after.active, new_reading=after.reading)
            if at.complete and not after.active:
                ended += accounts.disable(conn, after.account_id, author)
    return ended


def finish_reading(conn: Connection, at: Position, author: Author) -> int:
    """The feed's end was reached: who is inactive by now, or was not met, is out. The number of accounts that were disabled."""
    if at.complete or not POSITIONS.move(conn, at, replace(at, complete=True)):
        return 0
    return sum(accounts.disable(conn, row[0], author) for row in conn.all(_GONE, reading=at.reading))


def _after(before: _Link, news: News, reading: int) -> _Link:
    """What is known after some news; as before when it is old, and inactive for good when the id is another person's by now."""
    if before.reading == reading and news.version <= before.version:
        return before
    return replace(before, version=news.version, active=news.active and news.born == before.born, reading=reading)
