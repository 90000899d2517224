"""Memberships: who is in which team, directly. Units take a connection, commit nothing, and raise Problems."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import FromClause, Select, bindparam, select

from shared.changes import Author
from shared.db import Connection, Query, Reader, any_of
from shared.etags import Precondition
from shared.past import Timed
from shared.records import Record, Records
from teams.errors import EmployeeDeleted, NoSuchMember, NoSuchTeam
from teams.models import MEMBERSHIP_FIELDS, log, memberships, memberships_versions, people
from teams.store import tree

RECORDS = Records("membership", memberships, memberships_versions, log)


def _one(memberships: FromClause) -> Select[Any]:
    is_this = (memberships.c.team_id == bindparam("team_id"), memberships.c.employee_id == bindparam("employee_id"))
    return select(*(memberships.c[name] for name in MEMBERSHIP_FIELDS)).where(*is_this)


_ONE = Timed(_one, tree.MEMBERSHIPS)
_TEAM = Timed(lambda teams: select(teams.c.id).where(teams.c.id == bindparam("team_id")), tree.TEAMS)
_OF_TEAM = Query(select(memberships).where(memberships.c.team_id == bindparam("team_id")).order_by(memberships.c.id))
_OF_PEOPLE = Query(select(memberships).where(any_of(memberships.c.employee_id, "employee_ids")).order_by(memberships.c.id))
_DELETED = Query(select(people.c.employee_id).where(any_of(people.c.employee_id, "employee_ids"), people.c.deleted.is_(True)))


async def get(db: Reader, team_id: int, employee_id: int) -> tuple[Any, ...]:
    """One membership: the columns of MEMBERSHIP_FIELDS. Raises NoSuchTeam, NoSuchMember."""
    row = await db.one(_ONE, team_id=team_id, employee_id=employee_id)
    if row is None:
        await demand_team(db, team_id)
        raise NoSuchMember(team_id, employee_id)
    return row


async def demand_team(db: Reader, team_id: int) -> None:
    """Raise NoSuchTeam when there is none."""
    if await db.one(_TEAM, team_id=team_id) is None:
        raise NoSuchTeam(team_id)


def present(record: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row as the document of its membership."""
    return {name: record[name] for name in MEMBERSHIP_FIELDS}


def find(conn: Connection, team_id: int, employee_id: int) -> Record | None:
    """The stored row of a membership, or None."""
    row = conn.one(_ONE, team_id=team_id, employee_id=employee_id)
    return None if row is None else RECORDS.record(row)


def put(
    conn: Connection, place: tuple[int, int], values: Mapping[str, Any], condition: Precondition, author: Author, *, following: bool
) -> tuple[Record, bool]:
    """Make someone a member, or change how: the membership, and whether it is new. `place` is team and employee.

    `values` are role and since; a `since` of None stays what it was, or is today. Raises NoSuchTeam, EmployeeDeleted, PreconditionFailed.
    """
    team_id, employee_id = place
    before = find(conn, team_id, employee_id)
    if before is not None:
        condition.check(before["version"])
        return RECORDS.change(conn, before, {name: value for name, value in values.items() if value is not None}, author), False
    if conn.one(_TEAM, team_id=team_id) is None:
        raise NoSuchTeam(team_id)
    condition.check_absent()
    if following and deleted_among(conn, [employee_id]):
        raise EmployeeDeleted(employee_id)
    since = values.get("since") or conn.now()[:10]
    return RECORDS.add(conn, {"team_id": team_id, "employee_id": employee_id, "role": values["role"], "since": since}, author), True


def remove(conn: Connection, team_id: int, employee_id: int, condition: Precondition, author: Author) -> None:
    """End a membership. Raises NoSuchTeam, NoSuchMember, PreconditionFailed."""
    before = find(conn, team_id, employee_id)
    if before is None:
        if conn.one(_TEAM, team_id=team_id) is None:
            raise NoSuchTeam(team_id)
        raise NoSuchMember(team_id, employee_id)
    condition.check(before["version"])
    RECORDS.remove(conn, before, author)


def deleted_among(conn: Connection, employee_ids: Iterable[int]) -> set[int]:
    """Which of these employees are known to be deleted."""
    return {id_ for (id_,) in conn.all(_DELETED, employee_ids=list(employee_ids))}


def end_all_of_team(conn: Connection, team_id: int, author: Author) -> None:
    """End every membership of a team."""
    for row in conn.all(_OF_TEAM, team_id=team_id):
        RECORDS.remove(conn, RECORDS.record(row), author)


def end_all_of_people(conn: Connection, employee_ids: Iterable[int], author: Author) -> int:
    """End every membership of some people; how many there were."""
    rows = conn.all(_OF_PEOPLE, employee_ids=list(employee_ids))
    for row in rows:
        RECORDS.remove(conn, RECORDS.record(row), author)
    return len(rows)
