"""An entity for the tests of the store: things, which have a name, a unique code and perhaps a thing that they belong to."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint, bindparam, select

from shared.changes import Author, log_tables
from shared.db import Database, Query, any_of, exact_text
from shared.feed import Feed, FeedEntity
from shared.pages import Listing, Sort
from shared.past import Timed, source_of
from shared.records import Records, index_versions, versions
from shared.snapshots import Snapshot

AUTHOR = Author("account:1", "request-1")

metadata = MetaData()
log = log_tables(metadata, history=True)
things = Table(
    "things",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text),
    Column("name_key", exact_text(), nullable=False),
    Column("code", exact_text(), nullable=False),
    Column("owner_id", BigInteger, ForeignKey("things.id")),
    Column("amount", BigInteger),
    Column("open", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
    UniqueConstraint("code", name="uq_things_code"),
)
Index("ix_things_name_key", things.c.name_key, things.c.id)
Index("uq_things_owner_amount", things.c.owner_id, things.c.amount, unique=True)
things_versions = versions(things)
index_versions(things_versions, "code")


def _keys(thing: Mapping[str, Any]) -> dict[str, Any]:
    return {"name_key": (thing["name"] or "").casefold()}


FIELDS = ("id", "name", "code", "owner_id", "amount", "open", "version", "created_at", "updated_at")


def _erased(id_: int) -> dict[str, Any]:
    """A thing's name and amount are taken for personal; its code stays."""
    return {"name": f"erased-{id_}", "amount": None, "name_key": f"erased-{id_}"}


records = Records("thing", things, things_versions, log, _keys, _erased)
snapshot = Snapshot(select(*(things_versions.c[name] for name in records.columns)), things_versions)
"""Rows like those of `things`."""
feed = Feed("/things", log, {"thing": FeedEntity(things_versions, FIELDS)})
listing = Listing(
    select(things),
    things.c.id,
    sorts={"id": Sort(things.c.id), "name": Sort(things.c.name_key, empties=True), "created_at": Sort(things.c.created_at)},
    filters={
        "code": things.c.code == bindparam("code"),
        "open": things.c.open == bindparam("open"),
        "id": any_of(things.c.id, "id"),
        "codes": any_of(things.c.code, "codes"),
    },
)


async def events_of(db: Database, after: str | None, limit: int = 100, wait: float = 0.0) -> list[dict[str, Any]]:
    """The feed's events as plain documents."""
    found: list[dict[str, Any]] = msgspec.to_builtins(await feed.read(db, after, limit, wait))
    return found


EVERYTHING = Timed(lambda things: select(things).order_by(things.c.id), source_of(things))
BY_ID = Query(select(things).where(things.c.id == bindparam("id")))
ALL = Query(select(things).order_by(things.c.id))
