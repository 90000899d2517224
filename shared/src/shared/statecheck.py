"""Whether the states of an entity's records, old and current, are what the log tells of them.

A change has the digest of the state that it left: that state is looked up and its digest taken anew, its computed columns too. States of
someone whose data were erased must be blank instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, func, literal, or_, select

from shared.changes import Change, LogTables, digest_of
from shared.db import Database, Query, StoreError, Unavailable, any_of
from shared.records import Record, Records

NOTHING = digest_of({})
"""The digest of an erasure after which there is no record: it was deleted before."""


class Fault(NamedTuple):
    """The change whose state is wrong, and in which way."""

    seq: int
    reason: str


class StateCheck:
    """The check of one entity."""

    def __init__(self, log: LogTables, records: Records) -> None:
        self._records = records
        self._entity = records.entity
        changes, versions, table = log.changes, records.versions, records.table
        of_entity = and_(changes.c.entity == literal(records.entity), changes.c.seq.between(bindparam("first"), bindparam("last")))
        self._states = Query(select(versions).where(versions.c.seq_from.between(bindparam("first"), bindparam("last"))))
        ended = and_(versions.c.id == changes.c.entity_id, versions.c.version == changes.c.version - 1)
        self._ended = Query(select(changes.c.seq, *versions.columns).join_from(changes, versions, ended).where(of_entity))
        erased = and_(changes.c.entity == literal(records.entity), changes.c.kind == literal("erased"))
        erasures = select(changes.c.entity_id, func.max(changes.c.seq)).where(erased, any_of(changes.c.entity_id, "ids"))
        self._erasures = Query(erasures.group_by(changes.c.entity_id))
        same = and_(*(table.c[name].is_not_distinct_from(versions.c[name]) for name in records.columns))
        open_ = and_(versions.c.id == table.c.id, versions.c.version == table.c.version, versions.c.seq_to.is_(None))
        last = select(func.max(changes.c.seq)).where(changes.c.entity == literal(records.entity), changes.c.entity_id == table.c.id)
        strange = select(table.c.id, last.scalar_subquery()).outerjoin(versions, and_(open_, same)).where(versions.c.id.is_(None))
        self._strange = Query(strange.order_by(table.c.id).limit(1))
        newest = select(func.max(changes.c.seq)).scalar_subquery()
        beyond = or_(versions.c.seq_from < 1, versions.c.seq_from > newest)
        lost = and_(versions.c.seq_to.is_(None), versions.c.id.not_in(select(table.c.id)))
        stray = select(versions.c.id, versions.c.seq_from).where(or_(beyond, lost)).order_by(versions.c.seq_from).limit(1)
        self._stray = Query(stray)

    async def fault(self, db: Database, changes: Sequence[Change], digests: Sequence[str]) -> Fault | None:
        """The first of these changes, which follow each other, whose state is wrong. They are looked at again before that is told: somebody
        may be erased meanwhile.
        """
        try:
            found = await self._fault(db, changes, digests)
            return found and await self._fault(db, changes, digests)
        except Unavailable:
            raise
        except StoreError:  # bytes that are no text: whose?
            if len(changes) == 1:
                return Fault(changes[0].seq, f"the state of {_name(changes[0])} can't be read")
            half = len(changes) // 2
            first = await self.fault(db, changes[:half], digests[:half])
            return first or await self.fault(db, changes[half:], digests[half:])

    async def fault_now(self, db: Database) -> Fault | None:
        """What is wrong with the current rows: one that is not as its last change left it, or a state of no change."""
        try:
            if row := await db.one(self._strange):
                return Fault(row[1] or 0, f"the current row of {self._entity}/{row[0]} is not what the log tells of it")
            if row := await db.one(self._stray):
                return Fault(row[1], f"a state of {self._entity}/{row[0]} that the log does not tell of, or whose record is gone")
        except Unavailable:
            raise
        except StoreError:
            return Fault(0, f"the current rows of {self._entity} can't be read")
        return None

    async def _fault(self, db: Database, changes: Sequence[Change], digests: Sequence[str]) -> Fault | None:
        bounds = {"first": changes[0].seq, "last": changes[-1].seq}
        states = {row[-2]: self._state(row) for row in await db.all(self._states, **bounds)}
        ended = {row[0]: self._state(row[1:]) for row in await db.all(self._ended, **bounds)}
        ours = [(change, digest) for change, digest in zip(changes, digests, strict=True) if change.entity == self._entity]
        ids = sorted({change.entity_id for change, _ in ours} | {state["id"] for state in states.values()})
        erasures: dict[int, int] = dict(await db.all(self._erasures, ids=ids))
        for change, digest in ours:
            reason = self._reason(change, digest, states.pop(change.seq, None), ended.get(change.seq), erasures)
            if reason is not None:
                return Fault(change.seq, f"{reason} of {_name(change)}")
        if states:
            return Fault(min(states), f"it left no state of {self._entity}, and there is one")
        return None

    def _reason(self, change: Change, digest: str, state: Record | None, before: Record | None, erasures: Mapping[int, int]) -> str | None:
        erased = erasures.get(change.entity_id, 0) > change.seq
        if change.kind != "created" and digest != NOTHING and (before is None or before["seq_to"] != change.seq):
            return "it did not end the state before it"
        if change.kind == "deleted" and before is not None:
            gone = {**before, "version": change.version}
            return None if erased or self._digest(gone) == digest else "the last state"
        if change.kind == "deleted" or digest == NOTHING:
            return None if state is None else "it left no state, and there is one"
        if state is None:
            return "the state is missing"
        if (state["id"], state["version"]) != (change.entity_id, change.version):
            return "the state is another one's"
        if erased:
            return None if self._is_blank(state) else "the state tells of someone erased"
        fits = self._digest(state) == digest and all(state[name] == value for name, value in self._records.computed(state).items())
        return None if fits and bytes not in map(type, state.values()) else "the state"  # bytes may have the digest of a text

    def _state(self, row: Sequence[Any]) -> Record:
        names = (*(column.name for column in self._records.versions.columns),)
        return dict(zip(names, row, strict=True))

    def _digest(self, state: Record) -> str:
        computed = self._records.computed(state)
        return digest_of({name: state[name] for name in self._records.columns if name not in computed})

    def _is_blank(self, state: Record) -> bool:
        assert self._records.erased is not None
        return all(state[name] == value for name, value in self._records.erased(state["id"]).items())


def _name(change: Change) -> str:
    return f"{change.entity}/{change.entity_id}"
