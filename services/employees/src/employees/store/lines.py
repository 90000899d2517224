"""Reporting lines: who reports to whom, down and up, each answer one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, FromClause, Select, bindparam, func, literal, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from employees.models import FIELDS, employees
from employees.store.lists import EMPLOYEES, LISTING
from shared.cursors import cursor_at, place_of
from shared.db import Connection, Query, Reader, any_of
from shared.pages import Page
from shared.past import Timed

_PLACED = (*FIELDS, "depth")


def _columns(people: FromClause) -> list[ColumnElement[Any]]:
    return [people.c[name] for name in FIELDS]


def _below(people: FromClause) -> CTE:
    """Everyone under :id down to :depth levels: id, depth. Level 1 are the direct reports."""
    top = select(people.c.id, literal(1, BigInteger).label("depth")).where(people.c.manager_id == bindparam("id"))
    below = top.cte("below", recursive=True)
    step = select(people.c.id, below.c.depth + 1).join_from(below, people, people.c.manager_id == below.c.id)
    return below.union_all(step.where(below.c.depth < bindparam("depth", type_=BigInteger)))


def _manager_of(people: FromClause, employee: ColumnElement[Any]) -> ColumnElement[int | None]:
    """Looked up one by one: a join would let PostgreSQL read the whole table for each level."""
    above = people.alias("above")
    return select(above.c.manager_id).where(above.c.id == employee).scalar_subquery()


def _above(people: FromClause, levels: ColumnElement[int]) -> CTE:
    """:id itself at depth 0 and those above, up to so many levels: id, manager_id, depth."""
    own = select(people.c.id, people.c.manager_id, literal(0, BigInteger).label("depth")).where(people.c.id == bindparam("id"))
    line = own.cte("line", recursive=True)
    step = select(line.c.manager_id, _manager_of(people, line.c.manager_id), line.c.depth + 1)
    return line.union_all(step.where(line.c.manager_id.is_not(None), line.c.depth < levels))


def _reports(people: FromClause) -> Select[Any]:
    """One page of those below, picked by (depth, id) before their records are looked up."""
    below = _below(people)
    after = tuple_(bindparam("after_depth", type_=BigInteger), bindparam("after_id", type_=BigInteger))
    picked = select(below).where(tuple_(below.c.depth, below.c.id) > after).order_by(below.c.depth, below.c.id)
    page = picked.limit(bindparam("limit", type_=BigInteger)).subquery("page")
    found = select(*_columns(people), page.c.depth).join_from(page, people, people.c.id == page.c.id)
    return found.order_by(page.c.depth, page.c.id)


def _managers(people: FromClause) -> Select[Any]:
    line = _above(people, bindparam("limit", type_=BigInteger))
    return select(*_columns(people), line.c.depth).join_from(line, people, people.c.id == line.c.id).order_by(line.c.depth)


def _ancestors() -> Query:
    """The (id, manager_id) of some employees and of everyone above them, each once: UNION ends it even in a loop."""
    own = select(employees.c.id, employees.c.manager_id).where(any_of(employees.c.id, "ids"))
    line = own.cte("line", recursive=True)
    step = select(line.c.manager_id, _manager_of(employees, line.c.manager_id)).where(line.c.manager_id.is_not(None))
    return Query(select(line.union(step)))


_EXISTS = Timed(lambda people: select(people.c.id).where(people.c.id == bindparam("id")), EMPLOYEES)
_REPORTS = Timed(_reports, EMPLOYEES)
_COUNT_REPORTS = Timed(lambda people: select(func.count()).select_from(_below(people)), EMPLOYEES)
_MANAGERS = Timed(_managers, EMPLOYEES)
_ANCESTORS = _ancestors()
_DIRECT = Query(select(employees).where(employees.c.manager_id == bindparam("id")).order_by(employees.c.id))
_COUNT_DIRECT = Query(
    select(employees.c.manager_id, func.count()).where(any_of(employees.c.manager_id, "ids")).group_by(employees.c.manager_id)
)


async def exists(db: Reader, employee_id: int) -> bool:
    return await db.one(_EXISTS, id=employee_id) is not None


async def reports(db: Reader, employee_id: int, depth: int, *, cursor: str | None, limit: int, count: bool) -> Page:
    """One page of those who report to someone, down to `depth` levels, by depth and id: the columns of FIELDS, then the depth.

    Direct reports are a list like any other, which costs a page; deeper ones cost the subtree down to that depth, for each page.
    """
    if depth == 1:
        page = await LISTING.page(db, {"manager_id": employee_id}, cursor=cursor, limit=limit, count=count)
        return Page((*page.columns, "depth"), [(*row, 1) for row in page.rows], page.next, page.total)
    told = {"id": employee_id, "depth": depth}
    after_depth, after_id = (0, 0) if cursor is None else place_of(db, "reports", told, cursor)
    rows = await db.all(_REPORTS, **told, after_depth=after_depth, after_id=after_id, limit=limit + 1)
    following = cursor_at(db, "reports", told, rows[limit - 1][-1], rows[limit - 1][0]) if len(rows) > limit else None
    total = await db.one(_COUNT_REPORTS, **told) if count else None
    return Page(_PLACED, rows[:limit], following, None if total is None else total[0])


async def managers(db: Reader, employee_id: int, *, cursor: str | None, limit: int) -> Page | None:
    """One page of the line above someone, nearest first: the columns of FIELDS, then the distance. None for an unknown employee.

    Each page begins at the manager that the one before ended with, so that it costs its own length, however long the line is.
    """
    told = {"id": employee_id}
    passed, start = (0, employee_id) if cursor is None else place_of(db, "managers", told, cursor)
    rows = await db.all(_MANAGERS, id=start, limit=limit + 1)
    if not rows:
        return None if cursor is None else Page(_PLACED, [], None)
    line = [(*row[:-1], row[-1] + passed) for row in rows[1:]]
    following = cursor_at(db, "managers", told, passed + limit, line[limit - 1][0]) if len(line) > limit else None
    return Page(_PLACED, line[:limit], following)


def line_of(conn: Connection, ids: Sequence[int]) -> dict[int, int | None]:
    """The manager's id of each of these employees and of everyone above them; who does not exist is not in it."""
    return dict(conn.all(_ANCESTORS, ids=ids))


def meets(line: Mapping[int, int | None], start: int | None, wanted: int) -> bool:
    """Whether `wanted` stands in the line that begins with `start`."""
    seen: set[int] = set()
    while start is not None and start not in seen:
        if start == wanted:
            return True
        seen.add(start)
        start = line.get(start)
    return False


def direct_reports(conn: Connection, employee_id: int) -> list[tuple[Any, ...]]:
    """The stored rows of those who report directly to someone."""
    return conn.all(_DIRECT, id=employee_id)


def count_direct(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many report directly to each of these; who has none is not in it."""
    return dict(conn.all(_COUNT_DIRECT, ids=ids))
