"""Reporting lines: who reports to whom, down and up, each answer one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, literal, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from employees.models import employees
from employees.schemas import FIELDS
from shared.db import Connection, Database, Query, any_of

_COLUMNS: Sequence[ColumnElement[Any]] = [employees.c[name] for name in FIELDS]


def _below() -> Any:
    """Everyone under :id down to :depth levels: id, depth. Level 1 are the direct reports."""
    top = select(employees.c.id, literal(1, BigInteger).label("depth")).where(employees.c.manager_id == bindparam("id"))
    below = top.cte("below", recursive=True)
    step = select(employees.c.id, below.c.depth + 1).join(below, employees.c.manager_id == below.c.id)
    return below.union_all(step.where(below.c.depth < bindparam("depth", type_=BigInteger)))


def _above(levels: ColumnElement[int]) -> Any:
    """:id itself at depth 0 and those above, up to so many levels: id, manager_id, depth."""
    own = select(employees.c.id, employees.c.manager_id, literal(0, BigInteger).label("depth")).where(employees.c.id == bindparam("id"))
    line = own.cte("line", recursive=True)
    step = select(employees.c.id, employees.c.manager_id, line.c.depth + 1).join(line, employees.c.id == line.c.manager_id)
    return line.union_all(step.where(line.c.depth < levels))


def _reports() -> Query:
    below = _below()
    place = tuple_(below.c.depth, below.c.id)
    after = tuple_(bindparam("after_depth", type_=BigInteger), bindparam("after_id", type_=BigInteger))
    found = select(*_COLUMNS, below.c.depth).join(below, employees.c.id == below.c.id).where(place > after)
    return Query(found.order_by(below.c.depth, below.c.id).limit(bindparam("limit", type_=BigInteger)))


def _managers() -> Query:
    line = _above(bindparam("limit", type_=BigInteger))
    return Query(select(*_COLUMNS, line.c.depth).join(line, employees.c.id == line.c.id).order_by(line.c.depth))


def _ancestors() -> Query:
    """The (id, manager_id) of some employees and of everyone above them, each once: UNION ends it even in a loop."""
    own = select(employees.c.id, employees.c.manager_id).where(any_of(employees.c.id, "ids"))
    line = own.cte("line", recursive=True)
    step = select(employees.c.id, employees.c.manager_id).join(line, employees.c.id == line.c.manager_id)
    return Query(select(line.union(step)))


_EXISTS = Query(select(employees.c.id).where(employees.c.id == bindparam("id")))
_REPORTS = _reports()
_COUNT_REPORTS = Query(select(func.count()).select_from(_below()))
_MANAGERS = _managers()
_ANCESTORS = _ancestors()
_DIRECT = Query(select(employees.c.id).where(employees.c.manager_id == bindparam("id")).order_by(employees.c.id))
_COUNT_DIRECT = Query(
    select(employees.c.manager_id, func.count()).where(any_of(employees.c.manager_id, "ids")).group_by(employees.c.manager_id)
)


async def exists(db: Database, employee_id: int) -> bool:
    return await db.one(_EXISTS, id=employee_id) is not None


async def reports(db: Database, employee_id: int, depth: int, after: tuple[int, int], limit: int) -> list[tuple[Any, ...]]:
    """Who reports to someone, down to `depth` levels, by (depth, id) after a place: the columns of FIELDS, then the depth."""
    return await db.all(_REPORTS, id=employee_id, depth=depth, after_depth=after[0], after_id=after[1], limit=limit)


async def count_reports(db: Database, employee_id: int, depth: int) -> int:
    row = await db.one(_COUNT_REPORTS, id=employee_id, depth=depth)
    return int(row[0]) if row else 0


async def managers(db: Database, employee_id: int, limit: int) -> list[tuple[Any, ...]]:
    """Someone (depth 0) and the line above, nearest first, up to `limit` managers; nothing when there is no such employee."""
    return await db.all(_MANAGERS, id=employee_id, limit=limit)


def line_of(conn: Connection, ids: Sequence[int]) -> dict[int, int | None]:
    """The manager's id of each of these employees and of everyone above them; who does not exist is not in it."""
    return dict(conn.all(_ANCESTORS, ids=ids))  # type: ignore[arg-type]  # rows of two


def meets(line: Mapping[int, int | None], start: int | None, wanted: int) -> bool:
    """Whether `wanted` stands in the line that begins with `start`."""
    seen: set[int] = set()
    while start is not None and start not in seen:
        if start == wanted:
            return True
        seen.add(start)
        start = line.get(start)
    return False


def direct_reports(conn: Connection, employee_id: int) -> list[int]:
    return [row[0] for row in conn.all(_DIRECT, id=employee_id)]


def count_direct(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many report directly to each of these; who has none is not in it."""
    return dict(conn.all(_COUNT_DIRECT, ids=ids))  # type: ignore[arg-type]  # rows of two
