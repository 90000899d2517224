"""Rows as they stood at one instant, read from the versions: each page is one short read, and nothing is held between pages."""

from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import BigInteger, FromClause, Select, and_, bindparam, or_
from sqlalchemy.sql.elements import ColumnElement

from shared.db import Database, Query

Row = tuple[Any, ...]


def current_at(versions: FromClause) -> ColumnElement[bool]:
    """The states that were current when the log stood at the parameter ``seq``."""
    return and_(versions.c.seq_from <= bindparam("seq"), or_(versions.c.seq_to.is_(None), versions.c.seq_to > bindparam("seq")))


class Snapshot:
    """A table as it was: ``source`` selects what to show of ``versions`` (a versions table, or an alias of one) and of what is joined to
    it by `current_at`. Made once, in a store.
    """

    def __init__(self, source: Select[Any], versions: FromClause) -> None:
        page = source.add_columns(versions.c.id.label("id_")).where(versions.c.id > bindparam("after"), current_at(versions))
        self._page = Query(page.order_by(versions.c.id).limit(bindparam("limit", type_=BigInteger)))

    async def at(self, db: Database, seq: int, size: int = 500) -> AsyncGenerator[list[Row], None]:
        """All rows as they were when the log stood at ``seq``, by id, ``size`` at a time."""
        after = -1
        while rows := await db.all(self._page, after=after, seq=seq, limit=size):
            yield [row[:-1] for row in rows]
            after = rows[-1][-1]
