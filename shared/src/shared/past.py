"""How things were: reads of the present that answer for an instant of the past too.

A statement is written once, as a function of where it reads, and made twice: on an entity's table, and on what its versions say of one
instant (`Timed`). A store's function takes a Reader and knows no difference; `Past` is one of an instant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Executable, FromClause, Table, bindparam, literal_column, select

from shared.db import Database, Query, Reader
from shared.pages import Listing, Page
from shared.snapshots import current_at

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of a service's history.

    `at` is its time, `seq` how far the log went by then; nothing that is known up to `stable` will ever change. `latest`: nothing has
    happened since.
    """

    at: str
    seq: int
    stable: str
    latest: bool


class Source(NamedTuple):
    """Where an entity's rows are now, and where they are at the instant of the parameters `seq` and `at`: with the same columns."""

    now: FromClause
    then: FromClause


def source_of(table: Table) -> Source:
    """The source of a table that has versions.

    Ids are given in order, so none beyond the last one given by then has to be looked at. (That one is asked for by id too, which only
    the index of first versions has in this order: by another, PostgreSQL would walk back over all later versions.)
    """
    versions = table.metadata.tables[f"{table.name}_versions"]
    first = versions.alias("first")
    newest = select(first.c.id).where(literal_column("first.version") == literal_column("1"), first.c.seq_from <= bindparam("seq"))
    last = newest.order_by(first.c.seq_from.desc(), first.c.id.desc()).limit(literal_column("1")).scalar_subquery()
    then = select(*(versions.c[column.name] for column in table.columns)).where(current_at(versions), versions.c.id <= last)
    return Source(table, then.subquery(table.name))


class Timed(Query):
    """A query on sources as they are, for a Database; and as they were, for a Past."""

    __slots__ = ("then",)

    def __init__(self, make: Callable[..., Executable], *sources: Source) -> None:
        super().__init__(make(*(source.now for source in sources)))
        self.then = Query(make(*(source.then for source in sources)))


class Lasting(Query):
    """A query on what stays as it is (the log, versions) and names itself what of it is wanted: the same now and in the past."""

    __slots__ = ()


class TimedListing:
    """A Listing likewise; `make` gives one. Of the past it has only what is sorted by id, as every list there is."""

    def __init__(self, make: Callable[..., Listing], *sources: Source) -> None:
        self.now = make(*(source.now for source in sources))
        self.then = make(*(source.then for source in sources))

    async def page(self, db: Reader, filters: dict[str, Any], **which: Any) -> Page:
        """As `Listing.page`."""
        return await (self.then if isinstance(db, Past) else self.now).page(db, filters, **which)


class Present:
    """A database as it is at a moment after which nothing has happened: whoever reads it makes sure of that afterwards."""

    def __init__(self, db: Database, moment: Moment) -> None:
        self._db = db
        self._moment = moment
        self.epoch = db.epoch
        self.at: str | None = moment.at

    async def all(self, query: Query, /, **params: Any) -> list[Row]:
        return await self._db.all(query, **params)

    async def one(self, query: Query, /, **params: Any) -> Row | None:
        return await self._db.one(query, **params)

    async def last_change(self) -> int:
        return self._moment.seq


class Past:
    """A database as it was at a moment. It takes queries that are `Timed` or `Lasting`, or name the parameters `seq` or `at` themselves."""

    def __init__(self, db: Database, moment: Moment) -> None:
        self._db = db
        self._seq = moment.seq
        self._place: dict[str, Any] = {"seq": moment.seq, "at": moment.at}
        self.epoch = db.epoch
        self.at: str | None = moment.at

    async def all(self, query: Query, /, **params: Any) -> list[Row]:
        then = query.then if isinstance(query, Timed) else query
        compiled = then.compiled(self._db.dialect)
        place = {name: value for name, value in self._place.items() if name in compiled.required}
        if not place and not isinstance(then, Lasting):
            raise TypeError(f"this statement knows no past: {compiled.text}")
        return await self._db.all(then, **params, **place)

    async def one(self, query: Query, /, **params: Any) -> Row | None:
        rows = await self.all(query, **params)
        return rows[0] if rows else None

    async def last_change(self) -> int:
        """How far the log went by then."""
        return self._seq
