"""What is known of employees: a small copy kept by their feed, and the memberships that end with it.

A batch of events and the cursor after it are applied in one unit, so a crash on either side repeats nothing and loses nothing. An event
of a reading that brings nothing new (`seq` seen already) changes nothing. When the feed must be read from its beginning again, a new
reading starts; who was not met by its end is no longer there, and is taken for deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update

from shared.changes import Author
from shared.db import Connection, Query, any_of
from shared.following import Position, Positions
from teams.models import absences, follower, log, people
from teams.store import members

POSITIONS: Final = Positions(follower, "employees")
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Person:
    """An employee as of the change `seq`, made at `born`; of someone deleted only the id need be known. `erased` means: here too."""

    employee_id: int
    username: str
    status: str
    deleted: bool
    born: str
    seq: int
    erased: bool = False

    @property
    def is_away(self) -> bool:
        """Whether they are left out of lists."""
        return self.deleted or self.status != "active"


_COLUMNS = ("username", "status", "deleted", "born", "seq", "reading")
_KNOWN = Query(select(people).where(any_of(people.c.employee_id, "employee_ids")))
_ADD = Query(insert(people))
_CHANGE = Query(
    update(people)
    .where(people.c.employee_id == bindparam("known_id"))
    .values({name: bindparam(f"new_{name}", type_=people.c[name].type) for name in _COLUMNS})
)
_UNSEEN = Query(
    select(people.c.employee_id)
    .where(people.c.reading < bindparam("reading"), people.c.deleted.is_(False))
    .order_by(people.c.employee_id)
    .limit(_CHUNK)
)
_LEAVE = Query(insert(absences))
_RETURN = Query(
    update(absences).where(any_of(absences.c.employee_id, "employee_ids"), absences.c.at_to.is_(None)).values(at_to=bindparam("ended"))
)
_BURY = Query(update(people).where(any_of(people.c.employee_id, "employee_ids")).values(deleted=True))


def apply(conn: Connection, at: Position, events: Sequence[Person], cursor: str, author: Author) -> int:
    """Take in a batch that was read at `at`; the number of memberships that ended.

    Nothing happens when the position is another one by now: someone else has applied what follows it.
    """
    if not POSITIONS.move(conn, at, replace(at, cursor=cursor)):
        return 0
    known = {row[0]: (Person(*row[:6]), row[6]) for row in conn.all(_KNOWN, employee_ids=sorted({one.employee_id for one in events}))}
    away = {id_ for id_, (one, _) in known.items() if one.is_away}
    new = known.keys() ^ {one.employee_id for one in events}
    gone: set[int] = set()
    met: dict[int, Person] = {}
    for event in events:
        before, reading = known.get(event.employee_id, (None, 0))
        if before is not None and reading == at.reading and before.seq >= event.seq:
            continue
        after = event
        if event.deleted and before is not None:
            after = replace(event, username="" if event.erased else before.username, status=before.status, born=before.born)
        if event.erased:
            log.forget(conn, [before.username] if before else [])
            conn.scrub()
        if after.deleted or (before is not None and after.born != before.born):
            gone.add(event.employee_id)  # deleted, or an id that a restored directory has given to someone else
        known[event.employee_id] = after, at.reading
        met[event.employee_id] = after
    _note_absences(conn, {one.employee_id: one.is_away for one in met.values() if one.is_away != (one.employee_id in away)})
    conn.run_many(_ADD, [_row(one, at.reading, "", "employee_id") for one in met.values() if one.employee_id in new])
    conn.run_many(_CHANGE, [_row(one, at.reading, "new_", "known_id") for one in met.values() if one.employee_id not in new])
    return members.end_all_of_people(conn, gone, author) if gone else 0


def finish_reading(conn: Connection, at: Position, author: Author) -> int:
    """The feed's end was reached: whom an earlier reading knew and this one did not meet is gone. The number of memberships that ended."""
    if at.complete or not POSITIONS.move(conn, at, replace(at, complete=True)):
        return 0
    ended = 0
    while ids := [id_ for (id_,) in conn.all(_UNSEEN, reading=at.reading)]:
        known = [Person(*row[:6]) for row in conn.all(_KNOWN, employee_ids=ids)]
        _note_absences(conn, {one.employee_id: True for one in known if not one.is_away})
        conn.run(_BURY, employee_ids=ids)
        ended += members.end_all_of_people(conn, ids, author)
    return ended


def _note_absences(conn: Connection, changed: Mapping[int, bool]) -> None:
    """Who has become absent (true), and who is back."""
    if not changed:
        return
    at = log.aside(conn)
    conn.run_many(_LEAVE, [{"employee_id": id_, "at_from": at, "at_to": None} for id_, away in changed.items() if away])
    if back := [id_ for id_, away in changed.items() if not away]:
        conn.run(_RETURN, employee_ids=back, ended=at)


def _row(one: Person, reading: int, prefix: str, id_name: str) -> dict[str, Any]:
    values = (one.username, one.status, one.deleted, one.born, one.seq, reading)
    return {id_name: one.employee_id} | {prefix + name: value for name, value in zip(_COLUMNS, values, strict=True)}
