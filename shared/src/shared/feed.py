"""The feed of a service: its log as CloudEvents (1.0, JSON batch format), with each record's state, and tombstones for what was deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import BigInteger, Table, bindparam, select

from shared.changes import Change, LogTables
from shared.db import Database, Query
from shared.errors import BadRequest, Gone

MEDIA_TYPE = "application/cloudevents-batch+json"


BUDGET: Final = 90.0
"""Seconds that reading a feed may take: the longest wait, and the reading."""


class ChangesQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where to read on."""

    after: Annotated[str, Meta(min_length=1, max_length=200, description="The id of the last event that was seen.")] | None = None
    wait: Annotated[int, Meta(ge=0, le=60, description="Seconds to wait for the next change when there is none yet.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    last: Annotated[bool, Meta(description="Only the newest change, if there is one: to read on from there.")] = False


class Event(msgspec.Struct):
    """One change as a CloudEvent, as the document describes it; a feed narrows `type` and `data` to its own.

    `id` is the cursor to go on with; `data` is the record as it was after the change, null when it was deleted. `erased` (an extension
    attribute) stands on a change that blanked somebody's data: one who keeps copies blanks theirs too, of earlier states as well.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9]+\.[0-9]+$", min_length=3, max_length=200)]
    source: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Annotated[str, Meta(min_length=1, max_length=100)]
    subject: Annotated[str, Meta(pattern=r"^[a-z_]+/[1-9][0-9]*$", min_length=3, max_length=100)]
    time: Annotated[str, Meta(min_length=27, max_length=27, extra_json_schema={"format": "date-time"})]
    recordversion: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    actor: Annotated[str, Meta(min_length=1, max_length=4096)]
    requestid: Annotated[str, Meta(min_length=1, max_length=128)]
    datacontenttype: Literal["application/json"]
    data: Any
    erased: Annotated[bool, Meta(description="The change blanked personal data, in all states of the record.")] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class FeedEntity:
    """An entity's versions table, and the fields that its document shows, in their order: the same as in the service's answers."""

    versions: Table
    fields: Sequence[str]


class _States:
    """The states of an entity that the changes from `first` to `last` began, each as its document: a Struct, which is quick to encode."""

    def __init__(self, name: str, entity: FeedEntity) -> None:
        self._document: Any = msgspec.defstruct(name, [(field, Any) for field in entity.fields])
        versions = entity.versions.c
        between = versions.seq_from.between(bindparam("first"), bindparam("last"))
        self._query = Query(select(versions.seq_from, *(versions[field] for field in entity.fields)).where(between))

    async def between(self, db: Database, first: int, last: int) -> dict[int, Any]:
        """By the change that began them."""
        document = self._document
        return {row[0]: document(*row[1:]) for row in await db.all(self._query, first=first, last=last)}


class Feed:
    """``Feed("/things", log, {"thing": FeedEntity(things_versions, FIELDS)})``; made once, in a store."""

    def __init__(self, source: str, log: LogTables, entities: Mapping[str, FeedEntity]) -> None:
        self._source = source
        columns = (log.changes.c[name] for name in Change.__slots__)
        following = select(*columns).where(log.changes.c.seq > bindparam("seq")).order_by(log.changes.c.seq)
        self._following = Query(following.limit(bindparam("limit", type_=BigInteger)))
        self._states = {name: _States(name, entity) for name, entity in entities.items()}

    async def answer(self, db: Database, query: ChangesQuery) -> list[Event]:
        """What a request asks for. Raises as `read` does."""
        if not query.last:
            return await self.read(db, query.after, query.limit, query.wait)
        seq = await db.last_change()
        return await self.read(db, f"{db.epoch}.{seq - 1}", 1) if seq else []

    async def read(self, db: Database, after: str | None, limit: int = 100, wait: float = 0.0) -> list[Event]:
        """The events after a cursor (None: from the first), at most ``limit``, in commit order.

        With none there yet, waits up to ``wait`` seconds for one. An event's id is the cursor to go on with. Raises BadRequest naming
        ``after`` for what is no cursor, Gone for a cursor from before a restore, or beyond the log's end: the reader must start anew.
        """
        seq = parse_cursor(db, after)
        changes = await db.all(self._following, seq=seq, limit=limit)
        if not changes and seq > db.last_seq and seq > await db.last_change():
            raise Gone("after: this change is not in the log any more, as after a restore by hand; read the feed from its beginning")
        if not changes and wait > 0:
            await db.wait_for_change(seq, wait)
            changes = await db.all(self._following, seq=seq, limit=limit)
        if not changes:
            return []
        states: dict[int, Any] = {}
        for name in {row[2] for row in changes} & self._states.keys():
            states |= await self._states[name].between(db, changes[0][0], changes[-1][0])
        return [self._event(db.epoch, row, states.get(row[0])) for row in changes]

    def _event(self, epoch: str, row: tuple[Any, ...], data: Any) -> Event:
        seq, at, entity, entity_id, version, kind, actor, request_id = row
        erased = kind == "erased"
        if erased:  # in the words of 0.1.0: what is left of the record
            kind = "deleted" if data is None else "updated"
        return Event(
            specversion="1.0",
            id=f"{epoch}.{seq}",
            source=self._source,
            type=f"roster.{entity}.{kind}",
            subject=f"{entity}/{entity_id}",
            time=at,
            recordversion=version,
            actor=actor,
            requestid=request_id,
            datacontenttype="application/json",
            data=data,
            erased=erased or UNSET,
        )


def parse_cursor(db: Database, cursor: str | None, field: str = "after") -> int:
    """The place in the log that a cursor names; 0 for None. Raises BadRequest naming the `field`, or Gone, as `Feed.read` does."""
    if cursor is None:
        return 0
    epoch, dot, seq = cursor.partition(".")
    if not (dot and seq.isascii() and seq.isdigit() and len(seq) <= 18 and epoch.isalnum() and epoch.isascii()):
        raise BadRequest.of(field, "is not the id of a change")
    if epoch != db.epoch:
        raise Gone(f"{field}: this change is from before the database was restored; read from the beginning")
    return int(seq)
