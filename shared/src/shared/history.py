"""The history of a record: who changed it, when, in which request, and what was changed, newest first; also after it was deleted.

It is the log's rows, and the differences between the versions that each of them ended and began.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import Select, Table, bindparam, select

from shared.changes import Change, LogTables
from shared.cursors import cursor_at, place_of
from shared.db import Reader, any_of
from shared.pages import Page
from shared.past import Lasting
from shared.timeline import AsOf

LAST: Final = 2**63 - 1
_CHANGE: Final = tuple(Change.__slots__)

Value = Annotated[str, Meta(max_length=1000)] | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | bool | None


class HistoryQuery(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which page of a history; with `as_of`, of what had happened by then."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=4000)] | None = None
    as_of: AsOf | None = None


class FieldChange(msgspec.Struct):
    """A field that got another value. Where somebody's data were erased, they are missing here too."""

    field: Annotated[str, Meta(min_length=1, max_length=100)]
    old: Value
    new: Value


class HistoryEntry(msgspec.Struct):
    """One change of a record, as the document describes it; a service narrows `entity`.

    `actor` is the account that asked (or the service), `actor_name` what it is called by now, null where nobody knows.
    """

    at: Annotated[str, Meta(min_length=27, max_length=27, extra_json_schema={"format": "date-time"})]
    actor: Annotated[str, Meta(min_length=1, max_length=4096)]
    actor_name: Annotated[str, Meta(max_length=4096)] | None
    request_id: Annotated[str, Meta(min_length=1, max_length=128)]
    entity: Annotated[str, Meta(min_length=1, max_length=100)]
    id: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    version: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    kind: Literal["created", "updated", "deleted", "erased"]
    changes: Annotated[list[FieldChange], Meta(max_length=100)]


@dataclass(frozen=True, slots=True)
class HistoryEntity:
    """An entity's versions table, the fields whose changes are told, and those that every entry has beside them."""

    versions: Table
    fields: Sequence[str]
    always: Sequence[str] = ()


class History:
    """``History(log, {"thing": HistoryEntity(…)}, places)``; made once, in a store.

    ``places`` selects the seqs of a record's changes: those below the parameter ``before`` of the record ``id``, from the last one down,
    at most ``limit``.
    """

    def __init__(self, log: LogTables, entities: Mapping[str, HistoryEntity], places: Select[Any]) -> None:
        assert log.names is not None, "declare the log with history=True"
        self._entities = entities
        self._places = Lasting(places)
        self._changes = Lasting(select(*(log.changes.c[name] for name in _CHANGE)).where(any_of(log.changes.c.seq, "seqs")))
        self._names = Lasting(select(log.names.c.actor, log.names.c.name).where(any_of(log.names.c.actor, "actors")))
        self._states = {name: Lasting(_states(entity)) for name, entity in entities.items()}

    async def page(self, db: Reader, id_: int, *, cursor: str | None, limit: int) -> Page:
        """One page; rows are entries as dicts. Nothing for a record that never was. Raises BadRequest and Gone for the cursor."""
        told = {"id": id_}
        before = LAST if db.at is None else await db.last_change() + 1
        if cursor is not None:
            before = place_of(db, "history", told, cursor)[0]
        seqs = [seq for (seq,) in await db.all(self._places, id=id_, before=before, limit=limit + 1)]
        following = cursor_at(db, "history", told, seqs[limit - 1], 0) if len(seqs) > limit else None
        changes = [Change(*row) for row in await db.all(self._changes, seqs=seqs[:limit])]
        changes.sort(key=lambda change: -change.seq)
        names: dict[str, str] = dict(await db.all(self._names, actors=sorted({change.actor for change in changes})))
        states: dict[tuple[str, int, int], dict[str, Any]] = {}
        for name in {change.entity for change in changes}:
            states |= await self._read(db, name, [change for change in changes if change.entity == name])
        return Page((), [(self._entry(change, names, states),) for change in changes], following)

    async def _read(self, db: Reader, name: str, changes: Sequence[Change]) -> dict[tuple[str, int, int], dict[str, Any]]:
        """The states that some changes began and ended, by entity, id and version."""
        entity = self._entities[name]
        columns = ("id", "version", *entity.fields, *entity.always)
        versions = [change.version for change in changes]
        ids = sorted({change.entity_id for change in changes})
        rows = await db.all(self._states[name], ids=ids, least=min(versions) - 1, most=max(versions))
        return {(name, row[0], row[1]): dict(zip(columns, row, strict=True)) for row in rows}

    def _entry(self, change: Change, names: Mapping[str, str], states: Mapping[tuple[str, int, int], Mapping[str, Any]]) -> dict[str, Any]:
        entity = self._entities[change.entity]
        before, after = ((change.entity, change.entity_id, change.version - back) for back in (1, 0))
        old, new = states.get(before, {}), states.get(after, {})
        return {
            "at": change.at,
            "actor": change.actor,
            "actor_name": names.get(change.actor),
            "request_id": change.request_id,
            "entity": change.entity,
            "id": change.entity_id,
            "version": change.version,
            "kind": change.kind,
            **{name: (new or old).get(name) for name in entity.always},
            "changes": list(_differences(entity.fields, old, new)),
        }


def _differences(fields: Iterable[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for name in fields:
        if old.get(name) != new.get(name):
            yield {"field": name, "old": old.get(name), "new": new.get(name)}


def _states(entity: HistoryEntity) -> Select[Any]:
    versions = entity.versions.c
    columns = (versions[name] for name in ("id", "version", *entity.fields, *entity.always))
    return select(*columns).where(any_of(versions.id, "ids"), versions.version.between(bindparam("least"), bindparam("most")))
