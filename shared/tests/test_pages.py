"""Keyset paging: every row once, in order, in both directions, empties last, whatever the page size."""

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.cursors import cursor_at, digest_of_filters, place_of, write_cursor
from shared.db import Database
from shared.errors import BadRequest, Gone, Problem
from shared.migrate import engine_of, new_epoch, upgrade
from shared.pages import next_link
from shared.testing.databases import sqlite_url
from shared.testing.things import AUTHOR, listing, records

FILTERS: list[dict[str, Any]] = [{}, {"open": True}, {"open": False, "id": [1, 2, 4, 6, 7]}, {"id": []}]
NAMES = ["b", None, "a", "", "c", "a", None, "B", "ä", "z"]


@pytest.fixture
async def filled(db: Database) -> Database:
    rows = [{"code": f"c{i}", "name": name, "open": i % 2 == 0} for i, name in enumerate(NAMES)]
    await db.write(lambda conn: records.add_many(conn, rows, AUTHOR))
    return db


async def walk(db: Database, filters: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    found, cursor = [], None
    for _ in range(100):
        page = await listing.page(db, filters, cursor=cursor, **options)
        assert len(page.rows) <= options.get("limit", 50)
        found += page.items()
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


def expected(filters: dict[str, Any], sort: str) -> list[int]:
    rows = [(i + 1, (name or "").casefold(), i % 2 == 0) for i, name in enumerate(NAMES)]
    rows = [row for row in rows if filters.get("open") in (None, row[2]) and ("id" not in filters or row[0] in filters["id"])]
    down = sort.startswith("-")
    if sort.lstrip("-") == "id":
        return sorted((row[0] for row in rows), reverse=down)
    filled = sorted((row for row in rows if row[1]), key=lambda row: (row[1], row[0]), reverse=down)
    return [row[0] for row in filled] + sorted((row[0] for row in rows if not row[1]), reverse=down)


async def test_every_row_once_in_order(filled: Database) -> None:
    for sort in ("id", "-id", "name", "-name"):
        for filters in FILTERS:
            for limit in (1, 2, 3, 4, 50):
                found = await walk(filled, filters, sort=sort, limit=limit)
                assert [row["id"] for row in found] == expected(filters, sort), (sort, filters, limit)


async def test_the_total_is_counted_only_when_asked_for(filled: Database) -> None:
    assert (await listing.page(filled, {}, limit=2)).total is None
    assert (await listing.page(filled, {"open": True}, limit=2, count=True)).total == 5


async def test_a_row_that_others_add_or_remove_skips_and_doubles_none(filled: Database) -> None:
    first = await listing.page(filled, {}, sort="name", limit=3)
    await filled.write(lambda conn: records.remove(conn, records.get(conn, first.items()[-1]["id"]) or {}, AUTHOR))
    await filled.write(lambda conn: records.add(conn, {"code": "new", "name": "a", "open": True}, AUTHOR))
    rest = [row["id"] for row in (await listing.page(filled, {}, sort="name", cursor=first.next, limit=50)).items()]
    seen = [row["id"] for row in first.items()] + [id_ for id_ in rest if id_ <= len(NAMES)]
    assert seen == expected({}, "name")


async def test_a_cursor_belongs_to_its_list(filled: Database) -> None:
    cursor = (await listing.page(filled, {"open": True}, sort="name", limit=2)).next
    for filters, sort in (({"open": False}, "name"), ({}, "name"), ({"open": True}, "-name"), ({"open": True}, "id")):
        with pytest.raises(BadRequest) as caught:
            await listing.page(filled, filters, sort=sort, cursor=cursor)
        assert caught.value.errors[0].field == "cursor"


async def test_an_unknown_sort_and_a_limit_out_of_bounds_are_named(filled: Database) -> None:
    for options, field in (({"sort": "code"}, "sort"), ({"sort": "--id"}, "sort"), ({"limit": 0}, "limit"), ({"limit": 201}, "limit")):
        with pytest.raises(BadRequest) as caught:
            await listing.page(filled, {}, **options)
        assert caught.value.errors[0].field == field


async def test_an_altered_cursor_is_refused_by_name(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "things.db")
    upgrade(url, "shared.testing.things")
    db = Database(url)
    await db.open()
    await db.write(lambda conn: records.add_many(conn, [{"code": f"c{i}", "name": "n", "open": True} for i in range(9)], AUTHOR))
    cursor = (await listing.page(db, {}, sort="name", limit=2)).next
    assert cursor is not None
    altered: list[str] = []

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.one_of(st.text(max_size=80), st.tuples(st.integers(0, len(cursor) - 1), st.characters())))
    def collect(change: str | tuple[int, str]) -> None:
        altered.append(change if isinstance(change, str) else cursor[: change[0]] + change[1] + cursor[change[0] + 1 :])

    collect()
    document = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[6:]
    altered += [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"", document, b"123456" + document, b"[]" * 9)]
    for candidate in altered:
        if candidate == cursor:
            continue
        with pytest.raises(BadRequest) as caught:
            await listing.page(db, {}, sort="name", cursor=candidate)
        assert caught.value.errors[0].field == "cursor"
    await db.close()


async def test_a_place_that_is_no_number_is_refused(db: Database) -> None:
    cursor = write_cursor(db.epoch, "line", digest_of_filters({}), ("text", 1))
    with pytest.raises(BadRequest, match="cursor"):
        place_of(db, "line", {}, cursor)
    assert place_of(db, "line", {}, cursor_at(db, "line", {}, 2, 1)) == (2, 1)


async def test_a_cursor_from_before_a_restore_is_gone(things_url: str) -> None:
    db = Database(things_url)
    await db.open()
    await db.write(lambda conn: records.add_many(conn, [{"code": f"c{i}", "open": True} for i in range(3)], AUTHOR))
    cursor = (await listing.page(db, {}, limit=1)).next
    await db.close()
    engine = engine_of(things_url)
    with engine.begin() as connection:
        new_epoch(connection)
    engine.dispose()
    db = Database(things_url)
    await db.open()
    with pytest.raises(Gone) as caught:
        await listing.page(db, {}, limit=1, cursor=cursor)
    assert isinstance(caught.value, Problem)
    await db.close()


def test_the_link_repeats_the_request_with_the_new_cursor() -> None:
    link = next_link("/v1/things", [("q", "a&b"), ("cursor", "old"), ("limit", "2")], "new_-")
    assert link == '</v1/things?q=a%26b&limit=2&cursor=new_->; rel="next"'
