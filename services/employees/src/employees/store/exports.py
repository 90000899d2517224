"""Everyone as they were at one instant: each page is one short read of the versions, and nothing is held between pages."""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import BigInteger, and_, bindparam, select

from employees.models import FIELDS, employees_versions
from shared.db import Database, Query
from shared.records import current_at

PAGE: Final = 500

_person = employees_versions.alias("person")
_manager = employees_versions.alias("manager")
EXPORTED = tuple(part for name in FIELDS for part in (("manager", name) if name == "manager_id" else (name,)))
_COLUMNS = [_manager.c.username.label("manager") if name == "manager" else _person.c[name] for name in EXPORTED]
_PAGE = Query(
    select(*_COLUMNS)
    .select_from(_person.outerjoin(_manager, and_(_manager.c.id == _person.c.manager_id, current_at(_manager))))
    .where(_person.c.id > bindparam("after"), current_at(_person))
    .order_by(_person.c.id)
    .limit(bindparam("limit", type_=BigInteger))
)


async def everyone(db: Database, seq: int) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Rows of EXPORTED by id, as they were when the log stood at `seq`, some at a time."""
    after = 0
    while rows := await db.all(_PAGE, after=after, seq=seq, limit=PAGE):
        yield rows
        after = rows[-1][0]
