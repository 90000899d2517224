"""Reporting lines: who reports to whom, down and up, each answer one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, bindparam, func, literal, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from employees.models import FIELDS, employees
from employees.store.lists import LISTING
from shared.cursors import cursor_at, place_of
from shared.db import Connection, Database, Query, any_of
from shared.pages import Page

_COLUMNS: Sequence[ColumnElement[Any]] = [employees.c[name] for name in FIELDS]
_PLACED = (*FIELDS, "depth")


def _below() -> CTE:
    """Everyone under :id down to :depth levels: id, depth. Level 1 are the direct reports."""
    top = select(employees.c.id, literal(1, BigInteger).label("depth")).where(employees.c.manager_id == bindparam("id"))
    below = top.cte("below", recursive=True)
    step = select(employees.c.id, below.c.depth + 1).join(below, employees.c.manager_id == below.c.id)
    return below.union_all(step.where(below.c.depth < bindparam("depth", type_=BigInteger)))


def _manager_of(employee: ColumnElement[Any]) -> ColumnElement[int | None]:
    """Looked up one by one: a join would let PostgreSQL read the whole table for each level."""
    above = employees.alias("above")
    return select(above.c.manager_id).where(above.c.id == employee).scalar_subquery()


def _above(levels: ColumnElement[int]) -> CTE:
    """:id itself at depth 0 and those above, up to so many levels: id, manager_id, depth."""
    own = select(employees.c.id, employees.c.manager_id, literal(0, BigInteger).label("depth")).where(employees.c.id == bindparam("id"))
    line = own.cte("line", recursive=True)
    step = select(line.c.manager_id, _manager_of(line.c.manager_id), line.c.depth + 1)
    return line.union_all(step.where(line.c.manager_id.is_not(None), line.c.depth < levels))


def _reports() -> Query:
    """One page of those below, picked by (depth, id) before their records are looked up."""
    below = _below()
    after = tuple_(bindparam("after_depth", type_=BigInteger), bindparam("after_id", type_=BigInteger))
    picked = select(below).where(tuple_(below.c.depth, below.c.id) > after).order_by(below.c.depth, below.c.id)
    page = picked.limit(bindparam("limit", type_=BigInteger)).subquery("page")
    return Query(select(*_COLUMNS, page.c.depth).join_from(page, employees, employees.c.id == page.c.id).order_by(page.c.depth, page.c.id))


def _managers() -> Query:
    line = _above(bindparam("limit", type_=BigInteger))
    return Query(select(*_COLUMNS, line.c.depth).join(line, employees.c.id == line.c.id).order_by(line.c.depth))


def _ancestors() -> Query:
    """The (id, manager_id) of some employees and of everyone above them, each once: UNION ends it even in a loop."""
    own = select(employees.c.id, employees.c.manager_id).where(any_of(employees.c.id, "ids"))
    line = own.cte("line", recursive=True)
    step = select(line.c.manager_id, _manager_of(line.c.manager_id)).where(line.c.manager_id.is_not(None))
    return Query(select(line.union(step)))


_EXISTS = Query(select(employees.c.id).where(employees.c.id == bindparam("id")))
_REPORTS = _reports()
_COUNT_REPORTS = Query(select(func.count()).select_from(_below()))
_MANAGERS = _managers()
_ANCESTORS = _ancestors()
_DIRECT = Query(select(employees).where(employees.c.manager_id == bindparam("id")).order_by(employees.c.id))
_COUNT_DIRECT = Query(
    select(employees.c.manager_id, func.count()).where(any_of(employees.c.manager_id, "ids")).group_by(employees.c.manager_id)
)


async def exists(db: Database, employee_id: int) -> bool:
    return await db.one(_EXISTS, id=employee_id) is not None


async def reports(db: Database, employee_id: int, depth: int, *, cursor: str | None, limit: int, count: bool) -> Page:
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


async def managers(db: Database, employee_id: int, *, cursor: str | None, limit: int) -> Page | None:
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
