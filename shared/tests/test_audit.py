"""Lists of a log: filters, order and pages."""

import datetime
from typing import Any

import pytest

from shared.audit import Asked, Audit, AuditFilters, AuditRow
from shared.changes import Author
from shared.db import Database
from shared.errors import BadRequest, Gone
from shared.testing.things import log, records

AUDIT = Audit(log, [records])
UTC = datetime.UTC


async def story(db: Database) -> None:
    """Seven changes of three things by two actors."""
    for number in range(3):
        one = Author(f"account:{number % 2}", f"r-{number}")
        thing = await db.write(lambda conn, who=one, code=number: records.add(conn, {"code": f"c{code}", "open": True}, who))  # type: ignore[misc]  # a lambda with defaults
        await db.write(lambda conn, who=one, of=thing: records.change(conn, of, {"name": "new"}, who))  # type: ignore[misc]  # a lambda with defaults
    await db.write(lambda conn: records.remove(conn, records.get(conn, 1) or {}, Author("account:1", "r-9")))


async def rows(db: Database, sort: str = "seq", limit: int = 200, **filters: Any) -> list[AuditRow]:
    """All pages."""
    asked, cursor, found = Asked.of(AuditFilters(**filters)), None, []
    while True:
        page = await AUDIT.page(db, asked, sort=sort, cursor=cursor, limit=limit)
        found += [AuditRow(*row) for row in page.rows]
        cursor = page.next
        if cursor is None:
            return found


async def test_filters_are_joined(db: Database) -> None:
    await story(db)
    every = await rows(db)
    assert [one.seq for one in every] == [1, 2, 3, 4, 5, 6, 7]
    assert [one.id for one in every] == [f"{db.epoch}.{seq}" for seq in range(1, 8)]
    assert [(one.kind, one.entity_id, one.actor) for one in every[-2:]] == [("updated", 3, "account:0"), ("deleted", 1, "account:1")]
    assert [one.seq for one in await rows(db, actor="account:1")] == [3, 4, 7]
    assert [one.seq for one in await rows(db, entity="thing/1")] == [1, 2, 7]
    assert [one.seq for one in await rows(db, entity="thing/1", actor="account:1")] == [7]
    with pytest.raises(BadRequest, match="thing"):
        await rows(db, entity="things")
    at = datetime.datetime.fromisoformat(every[3].at)
    zone = datetime.timezone(datetime.timedelta(hours=-7))
    assert [one.seq for one in await rows(db, since=at.astimezone(zone))] == [one.seq for one in every if one.at >= every[3].at]
    assert [one.seq for one in await rows(db, until=at)] == [one.seq for one in every if one.at < every[3].at]


@pytest.mark.parametrize("sort", ["seq", "-seq"])
@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_pages_are_the_whole(db: Database, sort: str, limit: int) -> None:
    await story(db)
    whole = await rows(db, sort)
    assert [one.seq for one in whole] == sorted((one.seq for one in whole), reverse=sort == "-seq")
    assert await rows(db, sort, limit) == whole
    assert await rows(db, sort, limit, actor="account:0") == [one for one in whole if one.actor == "account:0"]


async def test_cursors_that_are_none_are_refused(db: Database) -> None:
    asked = Asked.of(AuditFilters())
    for bad in ("x", f"{db.epoch}.x", "."):
        with pytest.raises(BadRequest) as caught:
            await AUDIT.page(db, asked, sort="seq", cursor=bad, limit=1)
        assert caught.value.errors[0].field == "cursor"
    with pytest.raises(Gone):
        await AUDIT.page(db, asked, sort="seq", cursor="other.1", limit=1)
    with pytest.raises(BadRequest):
        Asked.of(AuditFilters(since=datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))))


async def test_a_check_tells_the_head_or_the_first_row_that_is_wrong(db: Database) -> None:
    await story(db)
    head = await AUDIT.head(db)
    intact = await AUDIT.check(db, [f"7.{head.hash}"])
    assert (intact.intact, intact.count, intact.seq, intact.hash, intact.fault) == (True, 7, 7, head.hash, None)
    cut = await AUDIT.check(db, [f"9.{head.hash}"])
    assert (cut.intact, cut.count, cut.fault and cut.fault.seq) == (False, 7, 8)
