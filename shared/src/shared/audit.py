"""The log of a service as its admins see it: rows by who, what and when, a page at a time, and whether all of it is as it was written.

A row's ``id`` is that of its event in the feed (`shared.feed`), and the cursor of a list: any row's, so that several logs can be merged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field
from sqlalchemy import bindparam, select

from shared.changes import Kind, LogTables
from shared.db import Database
from shared.errors import BadRequest, Problem
from shared.feed import parse_cursor
from shared.pages import Listing, Page, Sort
from shared.records import Records
from shared.verification import Head, LogBroken, head_of, verify

VERIFY_BUDGET: Final = 600.0
"""Seconds that walking a log may take: a million rows and their states take about a minute of one core."""

Place = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
RowId = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9]+\.[0-9]+$", min_length=3, max_length=200)]
Time = Annotated[str, Meta(min_length=27, max_length=27, extra_json_schema={"format": "date-time"})]
Instant = Annotated[datetime, Meta(tz=True, extra_json_schema={"minLength": 20, "maxLength": 100})]
Actor = Annotated[str, Meta(min_length=1, max_length=4096)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64)]
Hash = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$", max_length=64, description="SHA-256 in hexadecimal; '' of an empty log.")]
Entity = Annotated[str, Meta(pattern=r"^[a-z_]+$", min_length=1, max_length=100)]
EntityFilter = Annotated[
    str,
    Meta(
        pattern=r"^[a-z_]+(/[1-9][0-9]{0,17})?(?!\n)$",
        min_length=1,
        max_length=100,
        description="A kind of record, or one: thing/7.",
        extra={"expected": "a kind of record, alone or with the id of one: kind or kind/7"},
    ),
]
Limit = Annotated[int, Meta(ge=1, le=200)]
NotedHead = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,18}\.[0-9a-f]{64}(?!\n)$",
        max_length=83,
        description="A head noted before: seq.hash.",
        extra={"expected": "a head noted before: seq.hash"},
    ),
]


class AuditFilters(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which rows; joined by 'and'. Times are RFC 3339, with an offset."""

    actor: Annotated[str, Meta(min_length=1, max_length=200, description="Who made the change, as account:1.")] | None = None
    entity: EntityFilter | None = None
    since: Annotated[Instant, Meta(description="At this time or after it.")] | None = field(name="from", default=None)
    until: Annotated[Instant, Meta(description="Before this time.")] | None = field(name="to", default=None)


class AuditQuery(AuditFilters, kw_only=True, forbid_unknown_fields=True):
    """Which rows, and which page of them; the newest come first, or with `seq` the oldest."""

    sort: Literal["seq", "-seq"] = "-seq"
    limit: Limit = 50
    cursor: Annotated[str, Meta(min_length=1, max_length=200, description="The id of a row: the page after it.")] | None = None


class VerifyQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What else must hold: heads that the log has had."""

    head: Annotated[list[NotedHead], Meta(min_length=1, max_length=100)] | None = None


class AuditRow(Struct, frozen=True):
    """A row of the log: what was done to which record, when, by whom, in which request; the digest of the record after it, and the hash."""

    id: RowId
    seq: Id
    at: Time
    entity: Entity
    entity_id: Id
    version: Id
    kind: Kind
    actor: Actor
    request_id: Annotated[str, Meta(min_length=1, max_length=128)]
    digest: Digest
    hash: Digest


class AuditPage(Struct):
    """A page of a log."""

    items: Annotated[list[AuditRow], Meta(max_length=200)]
    next: RowId | None


class AuditFault(Struct, frozen=True):
    """The first row that is not as it was written, or whose state is not; 0 where no row tells of it."""

    seq: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    reason: Annotated[str, Meta(max_length=1000)]


class AuditCheck(Struct, frozen=True):
    """What became of a verification: how many rows are as they were written, and the last one's place and hash, to be noted elsewhere."""

    intact: bool
    count: Place
    seq: Place
    hash: Hash
    fault: AuditFault | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are wanted: `Asked.of` reads it from a query."""

    actor: str | None
    entity: str | None
    entity_id: int | None
    since: str | None
    until: str | None

    @classmethod
    def of(cls, filters: AuditFilters) -> "Asked":
        """Raises BadRequest for times that the calendar does not have in UTC."""
        entity, _, id_ = (filters.entity or "").partition("/")
        return cls(filters.actor, entity or None, int(id_) if id_ else None, _moment("from", filters.since), _moment("to", filters.until))


class Audit:
    """The log of a service, and the entities whose states it tells of; `others` are those of which it has no states. Made once, in a
    store.
    """

    def __init__(self, log: LogTables, records: Sequence[Records], others: Sequence[str] = ()) -> None:
        self.entities = (*(one.entity for one in records), *others)
        self._log = log
        self._records = records
        changes = log.changes
        self._listing = Listing(
            select(changes),
            changes.c.seq,
            sorts={"seq": Sort(changes.c.seq)},
            filters={
                "actor": changes.c.actor == bindparam("actor"),
                "entity": changes.c.entity == bindparam("entity"),
                "entity_id": changes.c.entity_id == bindparam("entity_id"),
                "since": changes.c.at >= bindparam("since"),
                "until": changes.c.at < bindparam("until"),
                "above": changes.c.seq > bindparam("above"),
                "below": changes.c.seq < bindparam("below"),
            },
        )

    async def page(self, db: Database, asked: Asked, *, sort: str, cursor: str | None, limit: int) -> Page:
        """A page, newest first with sort -seq; rows are the columns of AuditRow. Raises BadRequest naming entity or cursor, Gone."""
        if asked.entity is not None and asked.entity not in self.entities:
            raise unknown_entity(self.entities)
        place = None if cursor is None else parse_cursor(db, cursor, "cursor")
        newest_first = sort == "-seq"
        filters = {
            **{name: getattr(asked, name) for name in Asked.__slots__},
            "below": place if newest_first else None,
            "above": None if newest_first else place,
        }
        page = await self._listing.page(db, filters, sort=sort, limit=limit)
        rows = [(f"{db.epoch}.{row[0]}", *row) for row in page.rows]
        return Page(AuditRow.__struct_fields__, rows, rows[-1][0] if page.next is not None else None)

    async def head(self, db: Database) -> Head:
        return await head_of(db, self._log)

    async def verify(self, db: Database, noted: Sequence[Head] = ()) -> Head:
        """The log's head. Raises `shared.verification.LogBroken`."""
        return await verify(db, self._log, self._records, noted)

    async def check(self, db: Database, noted: Sequence[str] = ()) -> AuditCheck:
        """The same as a document; a noted head is `seq.hash`."""
        try:
            head = await self.verify(db, [_noted(text) for text in noted])
        except LogBroken as broken:
            return AuditCheck(False, broken.head.seq, broken.head.seq, broken.head.hash, AuditFault(broken.seq, broken.reason))
        return AuditCheck(True, head.seq, head.seq, head.hash, None)


def unknown_entity(known: Collection[str]) -> Problem:
    """For a kind of record that no log tells of: it is a slip, and no row would look like an answer."""
    return BadRequest.of("entity", f"is one of {', '.join(sorted(known))}, or one record of them, as {min(known)}/7")


def _noted(text: str) -> Head:
    seq, _, hash_ = text.partition(".")
    return Head(int(seq), hash_)


def _moment(name: str, time: datetime | None) -> str | None:
    """A time as the log has it."""
    if time is None:
        return None
    try:
        return time.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
    except OverflowError as error:
        raise BadRequest.of(name, "is not within the years 1 to 9999 in UTC") from error
