"""The feed of a service: its log as CloudEvents (1.0, JSON batch format), with each record's state, and tombstones for what was deleted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Table, bindparam, select

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

    `id` is the cursor to go on with; `data` is the record as it was after the change, null when it was deleted.
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


@dataclass(frozen=True, slots=True)
class FeedEntity:
    """An entity's versions table, and how one of its rows is shown: the same document as in the service's answers."""

    versions: Table
    present: Callable[[dict[str, Any]], dict[str, Any]]


class Feed:
    """``Feed("/things", log, {"thing": FeedEntity(things_versions, present)})``; made once, in a store."""

    def __init__(self, source: str, log: LogTables, entities: Mapping[str, FeedEntity]) -> None:
        self._source = source
        self._log = log
        self._entities = entities
        self._states = {name: Query(_states_between(entity.versions)) for name, entity in entities.items()}

    async def answer(self, db: Database, query: ChangesQuery) -> list[dict[str, Any]]:
        """What a request asks for. Raises as `read` does."""
        if not query.last:
            return await self.read(db, query.after, query.limit, query.wait)
        seq = await db.last_change()
        return await self.read(db, f"{db.epoch}.{seq - 1}", 1) if seq else []

    async def read(self, db: Database, after: str | None, limit: int = 100, wait: float = 0.0) -> list[dict[str, Any]]:
        """The events after a cursor (None: from the first), at most ``limit``, in commit order.

        With none there yet, waits up to ``wait`` seconds for one. An event's id is the cursor to go on with. Raises BadRequest naming
        ``after`` for what is no cursor, Gone for a cursor from before a restore, or beyond the log's end: the reader must start anew.
        """
        seq = parse_cursor(db, after)
        changes = await self._changes(db, seq, limit)
        if not changes and seq > db.last_seq and seq > await db.last_change():
            raise Gone("after: this change is not in the log any more, as after a restore by hand; read the feed from its beginning")
        if not changes and wait > 0:
            await db.wait_for_change(seq, wait)
            changes = await self._changes(db, seq, limit)
        if not changes:
            return []
        states: dict[tuple[str, int], dict[str, Any]] = {}
        for name in {change.entity for change in changes} & self._states.keys():
            entity = self._entities[name]
            columns = [column.name for column in entity.versions.columns]
            for row in await db.all(self._states[name], first=changes[0].seq, last=changes[-1].seq):
                state = dict(zip(columns, row, strict=True))
                states[name, state["seq_from"]] = entity.present(state)
        return [self._event(db.epoch, change, states.get((change.entity, change.seq))) for change in changes]

    async def _changes(self, db: Database, seq: int, limit: int) -> list[Change]:
        return [Change(*row[:8]) for row in await db.all(self._log.after, seq=seq, limit=limit)]

    def _event(self, epoch: str, change: Change, data: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"{epoch}.{change.seq}",
            "source": self._source,
            "type": f"roster.{change.entity}.{change.kind}",
            "subject": f"{change.entity}/{change.entity_id}",
            "time": change.at,
            "recordversion": change.version,
            "actor": change.actor,
            "requestid": change.request_id,
            "datacontenttype": "application/json",
            "data": data,
        }


def parse_cursor(db: Database, cursor: str | None) -> int:
    """The place in the log that a cursor names; 0 for None. Raises BadRequest or Gone as `Feed.read` does."""
    if cursor is None:
        return 0
    epoch, dot, seq = cursor.partition(".")
    if not (dot and seq.isascii() and seq.isdigit() and len(seq) <= 18 and epoch.isalnum() and epoch.isascii()):
        raise BadRequest.of("after", "is not a cursor of this feed")
    if epoch != db.epoch:
        raise Gone("after: this cursor is from before the database was restored; read the feed from its beginning")
    return int(seq)


def _states_between(versions: Table) -> Any:
    return select(versions).where(versions.c.seq_from.between(bindparam("first"), bindparam("last")))
