"""The log of a service: one row for every change to any of its records, in commit order, chained by hashes.

The log is audit trail, outbox and feed in one. ``seq`` counts from 1 without gaps and in commit order, ``at`` never goes backwards, and
``hash`` covers the row and the hash before it, so that an altered row is found (`shared.verification`). What a record looked like stands
in its entity's versions, not here; ``digest`` says what it was even after someone's data have been erased there.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import msgspec
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, bindparam, insert, select

from shared.db import Change, Connection, Query, exact_text
from shared.db.query import check_value

__all__ = ["Author", "Change", "LogTables", "digest_of", "hash_of", "log_tables"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and in which request."""

    actor: str
    request_id: str


@dataclass(frozen=True, slots=True)
class LogTables:
    """The tables that come with every service's log, and the statements on them."""

    changes: Table
    meta: Table
    idempotency: Table
    insert: Query
    last: Query
    after: Query

    def next(self, conn: Connection) -> tuple[int, str]:
        """The place and the time that the next change of this transaction will have."""
        seq, at, _ = self._head(conn)
        now = conn.now()
        return seq + 1, max(now, at)

    def append(self, conn: Connection, change: Change, digest: str) -> None:
        """Log a change whose seq and at came from `next`. It is written with the commit, so a unit does not find it in the table."""
        hash_ = hash_of(self._head(conn)[2], change, digest)
        conn.memo["log"] = (change.seq, change.at, hash_)
        row = {name: getattr(change, name) for name in Change.__slots__}
        conn.defer(self.insert, row | {"digest": digest, "hash": hash_})
        conn.logged.append(change)

    def _head(self, conn: Connection) -> tuple[int, str, str]:
        head = conn.memo.get("log")
        if head is None:
            head = conn.memo["log"] = conn.one(self.last) or (0, "", "")
        return head


def log_tables(metadata: MetaData) -> LogTables:
    """Declare the log's tables; `shared.migrate.create_log_tables` makes them in a service's first migration."""
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
    idempotency = Table(
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
    Index("ix_idempotency_created_at", idempotency.c.created_at)
    last = select(changes.c.seq, changes.c.at, changes.c.hash).order_by(changes.c.seq.desc()).limit(1)
    after = select(changes).where(changes.c.seq > bindparam("seq")).order_by(changes.c.seq).limit(bindparam("limit", type_=BigInteger))
    return LogTables(changes, meta, idempotency, Query(insert(changes)), Query(last), Query(after))


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
