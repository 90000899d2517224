"""The feed: CloudEvents, tombstones, order, and cursors."""

import asyncio
from functools import partial

import pytest
import sqlalchemy as sa

from shared.db import Connection, Database
from shared.errors import BadRequest, Gone
from shared.migrate import engine_of, new_epoch
from shared.testing.things import AUTHOR, events_of, records


async def test_events_tell_each_state_and_tombstones_that_it_ended(db: Database) -> None:
    def unit(conn: Connection) -> None:
        thing = records.add(conn, {"code": "a", "open": True}, AUTHOR)
        records.remove(conn, records.change(conn, thing, {"name": "N"}, AUTHOR), AUTHOR)

    await db.write(unit)
    created, updated, deleted = await events_of(db, None)
    assert created["specversion"] == "1.0"
    assert created["source"] == "/things"
    events = (created, updated, deleted)
    assert [event["type"] for event in events] == [f"roster.thing.{kind}" for kind in ("created", "updated", "deleted")]
    assert {event["subject"] for event in events} == {"thing/1"}
    assert (created["data"]["version"], created["data"]["name"]) == (1, None)
    assert (updated["data"]["version"], updated["data"]["name"]) == (2, "N")
    assert "name_key" not in updated["data"]
    assert deleted["data"] is None
    assert deleted["recordversion"] == 3


async def test_the_feed_goes_on_from_an_event(db: Database) -> None:
    await db.write(lambda conn: records.add_many(conn, [{"code": f"c{i}", "open": True} for i in range(7)], AUTHOR))
    seen: list[str] = []
    after = None
    while events := await events_of(db, after, limit=3):
        after = events[-1]["id"]
        seen += [event["data"]["code"] for event in events]
    assert seen == [f"c{i}" for i in range(7)]


async def test_a_reader_misses_nothing_while_many_write(db: Database) -> None:
    async def follow() -> list[str]:
        seen: list[str] = []
        after = None
        while len(seen) < 200:
            events = await events_of(db, after, limit=50, wait=10)
            after = events[-1]["id"] if events else after
            seen += [event["subject"] for event in events]
        return seen

    following = asyncio.create_task(follow())
    units = [partial(records.add, values={"code": f"c{i}", "open": True}, author=AUTHOR) for i in range(200)]
    await asyncio.gather(*(db.write(unit) for unit in units))
    assert await following == [f"thing/{i}" for i in range(1, 201)]


async def test_an_empty_feed_answers_after_its_time(db: Database) -> None:
    assert await events_of(db, None, wait=0.01) == []


async def test_a_cursor_from_before_a_restore_is_gone(things_url: str) -> None:
    db = Database(things_url)
    await db.open()
    await db.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR))
    (event,) = await events_of(db, None)
    assert await events_of(db, event["id"]) == []
    await db.close()
    engine = engine_of(things_url)
    with engine.begin() as connection:
        new_epoch(connection)
        assert connection.execute(sa.text("SELECT count(*) FROM meta")).scalar() == 1
    engine.dispose()
    db = Database(things_url)
    await db.open()
    with pytest.raises(Gone):
        await events_of(db, event["id"])
    for bad in ("", "x", "1", ".1", f"{db.epoch}.", f"{db.epoch}.-1", f"{db.epoch}.1x", f"{db.epoch}.{'9' * 19}", f"{db.epoch}.²"):
        with pytest.raises(BadRequest) as caught:
            await events_of(db, bad)
        assert caught.value.errors[0].field == "after"
    await db.close()


async def test_a_cursor_beyond_the_end_of_the_log_is_gone(db: Database) -> None:
    """A database file that was put back by hand keeps its epoch, and who follows it must not wait until the log has grown past them."""
    await db.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR))
    with pytest.raises(Gone, match="not in the log any more"):
        await events_of(db, f"{db.epoch}.2")
    assert await events_of(db, f"{db.epoch}.1") == []


async def test_a_cursor_of_a_change_by_another_process_is_not_gone(things_url: str) -> None:
    one, other = Database(things_url), Database(things_url)
    await one.open()
    await other.open()
    await other.write(lambda conn: records.add(conn, {"code": "a", "open": True}, AUTHOR))
    assert await events_of(one, f"{one.epoch}.1") == []
    await one.close()
    await other.close()
