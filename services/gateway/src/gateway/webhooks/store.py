"""What the gateway's database is asked of webhooks: the records, their secrets, how far each came, and what became of deliveries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from gateway.leases import later
from gateway.models import log, webhook_deliveries, webhook_progress, webhook_secrets, webhooks, webhooks_versions
from gateway.webhooks.signing import new_secret
from shared.changes import Author, Change, digest_of
from shared.db import Connection, Database, Query
from shared.errors import Conflict, NotFound
from shared.etags import Precondition
from shared.pages import Listing, Page, Sort
from shared.records import Record, Records

MOST: Final = 50
"""Webhooks: each has a connection of its own now and then."""

KEPT: Final = 1_000
"""Deliveries of each webhook that are remembered."""

OVERLAP: Final = 86_400
"""Seconds for which deliveries are signed with a secret that was replaced, too."""

DISPATCHER: Final = Author("service:webhooks", "webhooks")

RECORDS: Final = Records("webhook", webhooks, webhooks_versions, log)
LISTING: Final = Listing(select(webhooks), webhooks.c.id, sorts={"id": Sort(webhooks.c.id)})
DELIVERIES: Final = Listing(
    select(webhook_deliveries),
    webhook_deliveries.c.id,
    sorts={"id": Sort(webhook_deliveries.c.id)},
    filters={"webhook_id": webhook_deliveries.c.webhook_id == bindparam("webhook_id")},
    default="-id",
)

_GET: Final = Query(select(webhooks).where(webhooks.c.id == bindparam("of")))
_COUNT: Final = Query(select(func.count()).select_from(webhooks))
_ENABLED: Final = Query(select(webhooks.c.id).where(webhooks.c.enabled))
_ADD_SECRET: Final = Query(insert(webhook_secrets))
_SECRET: Final = Query(select(webhook_secrets.c.secret).where(webhook_secrets.c.webhook_id == bindparam("of")))
_SECRETS: Final = Query(
    select(webhook_secrets.c.secret, webhook_secrets.c.previous, webhook_secrets.c.previous_until).where(
        webhook_secrets.c.webhook_id == bindparam("of")
    )
)
_ROTATE: Final = Query(
    update(webhook_secrets)
    .where(webhook_secrets.c.webhook_id == bindparam("of"))
    .values(secret=bindparam("new"), previous=bindparam("old"), previous_until=bindparam("end"))
)
_ADD_PROGRESS: Final = Query(insert(webhook_progress))
_PROGRESS: Final = Query(
    select(webhook_progress.c.cursor, webhook_progress.c.failures, webhook_progress.c.next_at).where(
        webhook_progress.c.webhook_id == bindparam("of")
    )
)
_MOVE: Final = Query(
    update(webhook_progress)
    .where((webhook_progress.c.webhook_id == bindparam("of")) & (webhook_progress.c.cursor == bindparam("at")))
    .values(cursor=bindparam("to"), failures=0, next_at=None)
)
_FAIL: Final = Query(
    update(webhook_progress)
    .where((webhook_progress.c.webhook_id == bindparam("of")) & (webhook_progress.c.failures == bindparam("before")))
    .values(failures=webhook_progress.c.failures + 1, next_at=bindparam("then"))
)
_AFRESH: Final = Query(update(webhook_progress).where(webhook_progress.c.webhook_id == bindparam("of")).values(failures=0, next_at=None))
_LAST_DELIVERY: Final = Query(select(func.coalesce(func.max(webhook_deliveries.c.id), 0)))
_ADD_DELIVERY: Final = Query(insert(webhook_deliveries))
_OLDEST: Final = Query(
    select(webhook_deliveries.c.id)
    .where(webhook_deliveries.c.webhook_id == bindparam("of"))
    .order_by(webhook_deliveries.c.id.desc())
    .offset(KEPT)
    .limit(1)
)
_PRUNE: Final = Query(
    delete(webhook_deliveries).where((webhook_deliveries.c.webhook_id == bindparam("of")) & (webhook_deliveries.c.id <= bindparam("last")))
)


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook as a delivery needs it. `secrets` are those in force; `next_at` is when the next attempt is due, None for at once."""

    id: int
    version: int
    url: str
    entities: tuple[str, ...]
    enabled: bool
    secrets: tuple[str, ...]
    cursor: str
    failures: int
    next_at: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery that was tried, as it is remembered."""

    message_id: str
    type: str
    subject: str
    attempt: int
    at: str
    delivered: bool
    status: int | None
    error: str | None
    duration_ms: int


async def get(db: Database, webhook_id: int) -> Record:
    """A webhook. Raises NotFound."""
    row = await db.one(_GET, of=webhook_id)
    if row is None:
        raise unknown(webhook_id)
    return RECORDS.record(row)


async def page(db: Database, *, cursor: str | None, limit: int, count: bool) -> Page:
    """A page of webhooks."""
    return await LISTING.page(db, {}, cursor=cursor, limit=limit, count=count)


async def deliveries(db: Database, webhook_id: int, *, cursor: str | None, limit: int, count: bool) -> Page:
    """A page of what was delivered, the newest first."""
    return await DELIVERIES.page(db, {"webhook_id": webhook_id}, cursor=cursor, limit=limit, count=count)


async def enabled(db: Database) -> set[int]:
    """The ids of those that are to be delivered to."""
    return {row[0] for row in await db.all(_ENABLED)}


async def target(db: Database, webhook_id: int, now: str) -> Target | None:
    """A webhook with all that a delivery needs; None when it is gone."""
    row = await db.one(_GET, of=webhook_id)
    progress, keys = await db.one(_PROGRESS, of=webhook_id), await db.one(_SECRETS, of=webhook_id)
    if row is None or progress is None or keys is None:
        return None
    record, (secret, previous, until) = RECORDS.record(row), keys
    secrets = (secret, previous) if previous is not None and until > now else (secret,)
    entities = tuple(record["entities"].split(","))
    return Target(webhook_id, record["version"], record["url"], entities, record["enabled"], secrets, *progress)


def add(conn: Connection, values: Mapping[str, Any], secret: str, cursor: str, author: Author) -> Record:
    """Add a webhook whose deliveries are signed with a secret and begin after a cursor. Raises Conflict when there are too many."""
    if conn.all(_COUNT)[0][0] >= MOST:
        raise Conflict(f"There are {MOST} webhooks, and no more can be.")
    record = RECORDS.add(conn, {**values, "enabled": True}, author)
    conn.run(_ADD_SECRET, webhook_id=record["id"], secret=secret, previous=None, previous_until=None)
    conn.run(_ADD_PROGRESS, webhook_id=record["id"], cursor=cursor, failures=0, next_at=None)
    return record


def change(conn: Connection, webhook_id: int, values: Mapping[str, Any], condition: Precondition, author: Author) -> Record:
    """Give it new values; one that is enabled (again), or has another address, is tried at once. Raises NotFound, PreconditionFailed."""
    before = _find(conn, webhook_id, condition)
    if values.get("enabled"):
        values = {**values, "reason": None}
    if values.get("enabled") or values.get("url", before["url"]) != before["url"]:
        conn.run(_AFRESH, of=webhook_id)
    return RECORDS.change(conn, before, values, author)


def remove(conn: Connection, webhook_id: int, condition: Precondition, author: Author) -> None:
    """Raises NotFound, PreconditionFailed."""
    RECORDS.remove(conn, _find(conn, webhook_id, condition), author)


def rotate(conn: Connection, webhook_id: int, author: Author) -> tuple[str, str]:
    """A new secret, and until when the one before is still good; the log has it as a change of `webhook_secret`. Raises NotFound."""
    row, webhook = conn.one(_SECRET, of=webhook_id), RECORDS.get(conn, webhook_id)
    if row is None or webhook is None:
        raise unknown(webhook_id)
    secret, until = new_secret(), later(conn.now(), OVERLAP)
    conn.run(_ROTATE, of=webhook_id, new=secret, old=row[0], end=until)
    seq, at = log.next(conn)
    change = Change(seq, at, "webhook_secret", webhook_id, webhook["version"], "updated", author.actor, author.request_id)
    log.append(conn, change, digest_of({"webhook_id": webhook_id}))
    return secret, until


def note(conn: Connection, webhook_id: int, attempt: Attempt) -> int:
    """Remember a delivery, and forget old ones; its id. Raises NotFound when the webhook was deleted meanwhile."""
    if conn.one(_GET, of=webhook_id) is None:
        raise unknown(webhook_id)
    last: int = conn.memo.get("last delivery") or conn.all(_LAST_DELIVERY)[0][0]
    id_ = conn.memo["last delivery"] = last + 1
    conn.run(_ADD_DELIVERY, id=id_, webhook_id=webhook_id, **{name: getattr(attempt, name) for name in Attempt.__slots__})
    old = conn.one(_OLDEST, of=webhook_id)
    if old is not None:
        conn.run(_PRUNE, of=webhook_id, last=old[0])
    return id_


def went_on(conn: Connection, target: Target, to: str) -> None:
    """The cursor moves; nothing happens when it is another one by now."""
    conn.run(_MOVE, of=target.id, at=target.cursor, to=to)


def failed(conn: Connection, target: Target, then: str) -> bool:
    """One failure more; the next attempt is due `then`. False, and nothing happens, when the webhook was changed during the delivery: what
    was wrong then may be right by now.
    """
    record = RECORDS.get(conn, target.id)
    if record is None or record["version"] != target.version:
        return False
    return conn.run(_FAIL, of=target.id, before=target.failures, then=then) > 0


def disable(conn: Connection, webhook_id: int, reason: str) -> None:
    """Deliver no more until somebody enables it again; nothing happens when it is gone or disabled."""
    before = RECORDS.get(conn, webhook_id)
    if before is not None and before["enabled"]:
        RECORDS.change(conn, before, {"enabled": False, "reason": reason}, DISPATCHER)


def unknown(webhook_id: int) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id}.")


def _find(conn: Connection, webhook_id: int, condition: Precondition) -> Record:
    before = RECORDS.get(conn, webhook_id)
    if before is None:
        raise unknown(webhook_id)
    condition.check(before["version"])
    return before


def joined(entities: Iterable[str]) -> str:
    """As they are stored: each once, in one order."""
    return ",".join(sorted(set(entities)))
