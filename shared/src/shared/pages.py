"""Lists, a page at a time, by keyset: a page costs the same however far into the list it is, and no row is skipped or doubled while others
write.

A list is sorted by a key column and then by id. Key columns are computed, not null and text mostly; ``''`` stands for an empty value and
comes last in both directions: the list is then two sections, those with a value and those without, each read along the same index (key,
id), forwards or backwards.

A cursor (`shared.cursors`) that was altered, or is another list's, is a 400 that names ``cursor``; one from before a restore is a 410.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, bindparam, func, select, tuple_

from shared.cursors import Place, digest_of_filters, read_cursor, write_cursor
from shared.db import Query, Reader
from shared.errors import BadRequest

DEFAULT_LIMIT, MOST = 50, 200
_SHAPES = 512
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """A column that a list can be sorted by. With ``empties``, the column is text and ``''`` in it is listed last."""

    column: ColumnElement[Any]
    empties: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """What a filter adds when a single expression is not enough: ``shape`` tells statements with different texts apart.

    A cursor goes on only with the same ``parameters``; ``told`` stands for them where they may differ from page to page. ``few`` says that
    a clause leaves few rows: SQLite, which keeps no statistics, is then kept from walking all rows with an empty key to find them.
    """

    shape: Hashable
    expression: ColumnElement[bool]
    parameters: Mapping[str, Any]
    told: Mapping[str, Any] | None = None
    few: bool = False


Filter = ColumnElement[bool] | Callable[[Any], Clause]
"""An expression with one parameter, named like the filter; or a function of the value that gives a Clause."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the listing's columns; the cursor of the next page, None on the last; the number of all rows, where it was asked for."""

    columns: tuple[str, ...]
    rows: list[Row]
    next: str | None
    total: int | None = None

    def items(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Listing:
    """A list of rows with their filters and sorts; made once, in a store.

    ``source`` is a ``select`` of the columns to show (among them, or not, the sort columns), ``id_`` its unique integer column. Add an
    index (key, id) for every sort, and (filter column, key, id) where a filter alone leaves many rows. Parameters of the source itself go
    into ``always`` of `page`.
    """

    def __init__(
        self,
        source: Select[Any],
        id_: ColumnElement[int],
        *,
        sorts: Mapping[str, Sort],
        filters: Mapping[str, Filter] | None = None,
        default: str = "id",
    ) -> None:
        self.columns = tuple(column.name for column in source.selected_columns)
        self.sorts = dict(sorts)
        self._source = source
        self._id = id_
        self._filters = dict(filters or {})
        self._default = default
        self._queries: OrderedDict[Hashable, Query] = OrderedDict()

    async def page(
        self,
        db: Reader,
        filters: Mapping[str, Any],
        *,
        sort: str | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        count: bool = False,
        always: Mapping[str, Any] | None = None,
    ) -> Page:
        """One page.

        ``filters`` holds the filters that are in force by name (those that are None are not), ``sort`` a sort's name, with ``-`` in front
        for descending. Raises BadRequest naming ``sort``, ``limit`` or ``cursor``, and Gone for a cursor from before a restore.
        """
        sort = sort or self._default
        order = self.sorts.get(sort.removeprefix("-"))
        if order is None:
            raise BadRequest.of("sort", f"is one of {', '.join(self.sorts)}, with - in front for descending")
        if not 1 <= limit <= MOST:
            raise BadRequest.of("limit", f"is a number from 1 to {MOST}")
        clauses = {name: self._clause(name, value) for name, value in sorted(filters.items()) if value is not None}
        parameters, told = dict(always or {}), dict(always or {})
        for clause in clauses.values():
            parameters |= clause.parameters
            told |= clause.parameters if clause.told is None else clause.told
        place = None
        digest = digest_of_filters(told)
        if cursor is not None:
            place = read_cursor(cursor, db, sort, digest)
            if not isinstance(place.key, int if isinstance(order.column.type, Integer) else str):
                raise BadRequest.of("cursor", "is not a cursor of this list")
        rows = await self._rows(db, clauses, parameters, (sort, order), place, limit + 1)
        following = None
        if len(rows) > limit:
            del rows[limit:]
            following = write_cursor(db.epoch, sort, digest, rows[-1][-2:], db.at)
        total = await self._total(db, clauses, parameters) if count else None
        return Page(self.columns, [row[:-2] for row in rows], following, total)

    def _clause(self, name: str, value: Any) -> Clause:
        found = self._filters[name]
        if isinstance(found, ColumnElement):
            return Clause(name, found, {name: value})
        return found(value)

    async def _rows(
        self,
        db: Reader,
        clauses: Mapping[str, Clause],
        parameters: Mapping[str, Any],
        sort: tuple[str, Sort],
        place: Place | None,
        limit: int,
    ) -> list[Row]:
        """Up to ``limit`` rows after the place, each with its key and id at the end: of the first section, then of the second."""
        name, order = sort
        rows: list[Row] = []
        sections = ["all"] if not order.empties else ["empty"] if place is not None and place.key == "" else ["filled", "empty"]
        for section in sections:
            after = place if section != "empty" or (place is not None and place.key == "") else None
            shape = (name, section, after is None, tuple((key, clause.shape) for key, clause in clauses.items()))
            query = self._query(shape, partial(self._select, clauses, sort, section, after is not None))
            bound = dict(parameters, limit_=limit - len(rows))
            if after is not None:
                bound["after_id"] = after.id
                if section != "empty" and order.column is not self._id:
                    bound["after_key"] = after.key
            rows += await db.all(query, **bound)
            if len(rows) >= limit:
                break
        return rows

    def _select(self, clauses: Mapping[str, Clause], sort: tuple[str, Sort], section: str, resumed: bool) -> Select[Any]:
        name, order = sort
        key, id_ = order.column, self._id
        descending = name.startswith("-")
        statement = self._source.add_columns(key.label("key_"), id_.label("id_")).where(*(c.expression for c in clauses.values()))
        by_id = section == "empty" or key is id_
        if section == "empty":
            statement = statement.where((key + "" if any(clause.few for clause in clauses.values()) else key) == "")
        elif section == "filled" and (descending or not resumed):
            statement = statement.where(key > "")
        if resumed:
            at = bindparam("after_id", type_=BigInteger())
            left, right = (id_, at) if by_id else (tuple_(key, id_), tuple_(bindparam("after_key", type_=key.type), at))
            statement = statement.where(left < right if descending else left > right)
        by = (id_,) if by_id else (key, id_)
        return statement.order_by(*(c.desc() if descending else c for c in by)).limit(bindparam("limit_", type_=BigInteger()))

    async def _total(self, db: Reader, clauses: Mapping[str, Clause], parameters: Mapping[str, Any]) -> int:
        shape = ("count", tuple((key, clause.shape) for key, clause in clauses.items()))

        def counted() -> Select[Any]:
            inner = self._source.where(and_(True, *(c.expression for c in clauses.values()))).subquery()
            return select(func.count()).select_from(inner)

        row = await db.one(self._query(shape, counted), **parameters)
        return 0 if row is None else int(row[0])

    def _query(self, shape: Hashable, make: Callable[[], Select[Any]]) -> Query:
        """The statement of this shape, compiled once while it is among those used last."""
        found = self._queries.get(shape)
        if found is None:
            found = self._queries[shape] = Query(make())
            if len(self._queries) > _SHAPES:
                self._queries.popitem(last=False)
        else:
            self._queries.move_to_end(shape)
        return found


def next_link(path: str, arguments: Sequence[tuple[str, str]], cursor: str) -> str:
    """A Link header's value (RFC 8288) for the next page: the same request with another cursor."""
    query = urlencode([(name, value) for name, value in arguments if name != "cursor"] + [("cursor", cursor)])
    return f'<{path}?{query}>; rel="next"'
