"""The log of a service: one row for every change to any of its records, in commit order, chained by hashes.

The log is audit trail, outbox and feed in one. ``seq`` counts from 1 without gaps and in commit order, ``at`` never goes backwards, and
``hash`` covers the row and the hash before it, so that an altered row is found (`shared.verification`). What a record looked like stands
in its entity's versions, not here; ``digest`` says what it was even after someone's data have been erased there.

A transaction's changes are later than those of every transaction before it, whatever the clocks of the processes that write say: what is
known to be committed up to a time stays all there is up to that time. `LogTables.settle` makes that so for the present moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    true,
    update,
)

from shared.db import Change, Connection, Query, exact_text
from shared.db.query import check_value
from shared.words import fold

__all__ = ["Author", "Change", "LogTables", "digest_of", "hash_of", "log_tables"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and in which request; `name` is what they are called, for people to read."""

    actor: str
    request_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class LogTables:
    """The tables that come with every service's log, and the statements on them. `names` is there where history is told."""

    changes: Table
    meta: Table
    idempotency: Table
    names: Table | None
    insert: Query
    last: Query
    """The last change's seq, at and hash, and the times `settled` and `aside`; always one row, of nulls where there is nothing."""
    after: Query
    until: Query
    """The seq of the last change up to the time `at`."""

    def next(self, conn: Connection) -> tuple[int, str]:
        """The place and the time that the next change of this transaction will have."""
        seq, at, _ = self._head(conn)
        now = conn.now()
        return seq + 1, max(now, at)

    def append(self, conn: Connection, change: Change, digest: str, name: str = "") -> None:
        """Log a change whose seq and at came from `next`. It is written with the commit, so a unit does not find it in the table.

        `name` is what its actor is called by now.
        """
        hash_ = hash_of(self._head(conn)[2], change, digest)
        conn.memo["log"] = (change.seq, change.at, hash_)
        row = {column: getattr(change, column) for column in Change.__slots__}
        conn.defer(self.insert, row | {"digest": digest, "hash": hash_})
        conn.logged.append(change)
        if name and self.names is not None:
            _remember(conn, change.actor, name)

    def forget(self, conn: Connection, names: Iterable[str]) -> None:
        """Know no longer that actors are called so, in whatever case: for a unit that erases somebody."""
        told = {fold(name) for name in names if name}
        for actor, name in conn.all(_NAMES) if self.names is not None else ():
            if fold(name) in told:
                conn.run(_FORGET, who=actor)
                conn.memo.pop(f"name of {actor}", None)

    def settle(self, conn: Connection) -> str:
        """A unit of work: the present moment, once nothing can be logged up to it any more but what is committed together with this."""
        return self._mark(conn, "settled")

    def aside(self, conn: Connection) -> str:
        """The time of a change beside the log, which is kept with times of its own, and is in order with those that are logged."""
        return self._mark(conn, "aside")

    def _mark(self, conn: Connection, name: str) -> str:
        seq, _, hash_ = self._head(conn)
        at = self.next(conn)[1]
        conn.memo["log"] = (seq, at, hash_)
        if conn.run(_MARK, mark=name, moment=at) == 0:
            conn.run(_FIRST_MARK, name=name, value=at)
        return at

    def _head(self, conn: Connection) -> tuple[int, str, str]:
        """The last change's place and hash, and the earliest time that another may have."""
        head = conn.memo.get("log")
        if head is None:
            seq, at, hash_, *marks = conn.one(self.last) or (None,) * 5
            latest = max(at or "", *(mark or "" for mark in marks))
            head = conn.memo["log"] = (seq or 0, after(latest) if latest else "", hash_ or "")
        return head


# The statements on these two read alike for every service's own.
_meta = Table("meta", MetaData(), Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
_MARK = Query(update(_meta).where(_meta.c.name == bindparam("mark")).values(value=bindparam("moment")))
_FIRST_MARK = Query(insert(_meta))
_names = Table("names", MetaData(), Column("actor", Text, primary_key=True), Column("name", Text, nullable=False))
_NAME = Query(select(_names.c.name).where(_names.c.actor == bindparam("who")))
_NAMES = Query(select(_names.c.actor, _names.c.name))
_FIRST_NAME = Query(insert(_names))
_RENAME = Query(update(_names).where(_names.c.actor == bindparam("who")).values(name=bindparam("called")))
_FORGET = Query(delete(_names).where(_names.c.actor == bindparam("who")))


def log_tables(metadata: MetaData, *, history: bool = False) -> LogTables:
    """Declare the log's tables; `shared.migrate.create_log_tables` makes them in a service's first migration.

    With `history`, also what is needed to tell how things were (`shared.migrate.create_history_tables`).
    """
    changes = Table(
        "changes",
        metadata,
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("at", exact_text(), nullable=False),
        Column("entity", exact_text(), nullable=False),
        Column("entity_id", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
        Column("kind", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("hash", Text, nullable=False),
    )
    Index("ix_changes_entity_id", changes.c.entity, changes.c.entity_id, changes.c.seq)
    meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
    names = None
    if history:
        Index("ix_changes_at", changes.c.at, changes.c.seq)
        names = Table("names", metadata, Column("actor", exact_text(), primary_key=True), Column("name", Text, nullable=False))
    idempotency = _idempotency(metadata)
    following = select(changes).where(changes.c.seq > bindparam("seq")).order_by(changes.c.seq).limit(bindparam("limit", type_=BigInteger))
    until = select(changes.c.seq).where(changes.c.at <= bindparam("at")).order_by(changes.c.at.desc(), changes.c.seq.desc()).limit(1)
    return LogTables(changes, meta, idempotency, names, Query(insert(changes)), Query(_last(changes, meta)), Query(following), Query(until))


def _idempotency(metadata: MetaData) -> Table:
    table = Table(
        "idempotency",
        metadata,
        Column("scope", exact_text(), primary_key=True),
        Column("key", exact_text(), primary_key=True),
        Column("fingerprint", Text, nullable=False),
        Column("status", Integer, nullable=False),
        Column("headers", Text, nullable=False),
        Column("document", LargeBinary, nullable=False),
        Column("created_at", exact_text(), nullable=False),
    )
    Index("ix_idempotency_created_at", table.c.created_at)
    return table


def _last(changes: Table, meta: Table) -> Select[Any]:
    last = select(changes.c.seq, changes.c.at, changes.c.hash).order_by(changes.c.seq.desc()).limit(1).subquery("last")
    one = select(literal_column("1")).subquery("one")
    marks = [select(meta.c.value).where(meta.c.name == name).scalar_subquery().label(name) for name in ("settled", "aside")]
    return select(last, *marks).select_from(one.outerjoin(last, true()))


def _remember(conn: Connection, actor: str, name: str) -> None:
    """Keep what an actor is called by now."""
    key = f"name of {actor}"
    if conn.memo.get(key) == name:
        return
    conn.memo[key] = name
    known = conn.one(_NAME, who=actor)
    if known is None:
        conn.run(_FIRST_NAME, actor=actor, name=name)
    elif known[0] != name:
        conn.run(_RENAME, who=actor, called=name)


def after(at: str) -> str:
    """The moment after one."""
    later = datetime.fromisoformat(at) + timedelta(microseconds=1)
    return later.isoformat(timespec="microseconds")[:26] + "Z"


def digest_of(document: dict[str, Any]) -> str:
    """A record's fingerprint: SHA-256 over its fields by name, without those that are null, so that a new optional field changes no old
    digest. Raises InvalidParameter for what can't be stored.
    """
    try:
        return sha256(msgspec.json.encode({name: value for name, value in sorted(document.items()) if value is not None})).hexdigest()
    except (UnicodeEncodeError, OverflowError):
        for name, value in document.items():
            check_value(name, value)
        raise


def hash_of(before: str, change: Change, digest: str) -> str:
    """A log row's hash: over the hash before it and everything that the row says."""
    fields = (
        before,
        change.seq,
        change.at,
        change.entity,
        change.entity_id,
        change.version,
        change.kind,
        change.actor,
        change.request_id,
        digest,
    )
    return sha256(msgspec.json.encode(fields)).hexdigest()


Kind = Literal["created", "updated", "deleted", "erased"]
