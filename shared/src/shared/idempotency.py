"""A POST that may be repeated: the same key brings back the first answer, and nothing is done twice.

The answer is stored in the transaction that made it, so both are there or neither. It is kept for 24 hours. An error is not stored: a
repetition tries again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from sqlalchemy import LargeBinary, and_, bindparam, delete, insert, select, update

from shared.changes import LogTables
from shared.db import Connection, Database, Query, exact_text
from shared.errors import Invalid

KEPT = timedelta(hours=24)
REPLAYED = "Idempotency-Replayed"
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller sent: ``scope`` (who, on which operation) keeps callers apart, ``fingerprint`` says what was asked for.

    ``key`` is a digest of theirs, who may have put anything into it, somebody's name for one.
    """

    scope: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, caller: str, operation: str, key: str, target: str, body: bytes) -> "IdempotencyKey":
        """The key of a request. Raises Invalid for one that is empty, too long, or not visible ASCII."""
        if not 1 <= len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
            raise Invalid.of("Idempotency-Key", f"is 1 to {_LONGEST} visible ASCII characters")
        return cls(f"{operation} {caller}", sha256(key.encode()).hexdigest(), sha256(target.encode() + b"\0" + body).hexdigest())


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is stored: its status, the document's bytes, and the headers that belong to it."""

    status: int
    document: bytes
    headers: Mapping[str, str]


class Idempotency:
    """The stored answers of a service; made once, in a store."""

    def __init__(self, log: LogTables) -> None:
        table = log.idempotency
        this = and_(table.c.scope == bindparam("of_scope"), table.c.key == bindparam("of_key"))
        self._find = Query(select(table.c.fingerprint, table.c.status, table.c.headers, table.c.document, table.c.created_at).where(this))
        self._insert = Query(insert(table))
        self._forget = Query(delete(table).where(table.c.created_at < bindparam("before")))
        of_record = table.c.headers.like(bindparam("of_record", type_=exact_text()))
        self._replace = Query(
            update(table).where(of_record).values(headers=bindparam("new_headers"), document=bindparam("new_document", type_=LargeBinary))
        )

    async def write_once(self, db: Database, key: IdempotencyKey | None, unit: Callable[[Connection], Answer]) -> Answer:
        """Run the unit, or bring back what it answered when it ran for this key; without a key it just runs.

        An answer that was brought back carries ``Idempotency-Replayed: true``. Raises Invalid (422) for a key that was used for another
        request.
        """
        if key is None:
            return await db.write(unit)
        return await db.write(lambda conn: self._once(conn, key, unit))

    def replace(self, conn: Connection, location: str, answer: Answer) -> None:
        """Put an answer in the place of all that tell of the record at `location`: it was erased, and repetitions must not tell of it."""
        of_record = f"%{msgspec.json.encode(location).decode()}%"
        headers = msgspec.json.encode(dict(answer.headers)).decode()
        conn.run(self._replace, of_record=of_record, new_headers=headers, new_document=answer.document)

    def _once(self, conn: Connection, key: IdempotencyKey, unit: Callable[[Connection], Answer]) -> Answer:
        now = conn.now()
        before = _earlier(now)
        found = conn.one(self._find, of_scope=key.scope, of_key=key.key)
        if found is not None and found[4] >= before:
            fingerprint, status, headers, document, _ = found
            if fingerprint != key.fingerprint:
                raise Invalid.of("Idempotency-Key", "was used for another request within the last 24 hours")
            return Answer(status, bytes(document), {**msgspec.json.decode(headers, type=dict[str, str]), REPLAYED: "true"})
        conn.run(self._forget, before=before)
        answer = unit(conn)
        conn.run(
            self._insert,
            scope=key.scope,
            key=key.key,
            fingerprint=key.fingerprint,
            status=answer.status,
            headers=msgspec.json.encode(dict(answer.headers)).decode(),
            document=answer.document,
            created_at=now,
        )
        return answer


def _earlier(now: str) -> str:
    """The time before which stored answers count no more."""
    return (datetime.fromisoformat(now) - KEPT).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
