"""Positions in a followed feed: left once each, in the unit that has the effect. The loop is tested where a service follows another."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from sqlalchemy import MetaData

from shared.db import Connection, Database
from shared.feedclient import Event
from shared.following import START, Position, Positions, follower_table
from shared.migrate import engine_of

METADATA = MetaData()
TABLE = follower_table(METADATA)
ONE, OTHER = Positions(TABLE, "one"), Positions(TABLE, "other")
FIRST, SECOND = Position("a.1", 1, False), Position("a.2", 1, True)


@pytest_asyncio.fixture
async def db(things_url: str) -> AsyncIterator[Database]:
    engine = engine_of(things_url)
    METADATA.create_all(engine)
    engine.dispose()
    found = Database(things_url, readers=1)
    await found.open()
    yield found
    await found.close()


async def test_a_position_is_left_once_and_feeds_do_not_mix(db: Database) -> None:
    assert await ONE.read(db) == START
    moves = [db.write(partial(ONE.move, at=START, to=to)) for to in (FIRST, SECOND)]
    assert sorted(await asyncio.gather(*moves)) == [False, True]
    assert await ONE.read(db) in (FIRST, SECOND)
    assert await OTHER.read(db) == START


async def test_a_unit_that_fails_has_not_moved(db: Database) -> None:
    def broken(conn: Connection) -> None:
        assert ONE.move(conn, START, FIRST)
        raise RuntimeError("the effect failed")

    with pytest.raises(RuntimeError):
        await db.write(broken)
    assert await ONE.read(db) == START


async def test_a_new_reading_begins_once(db: Database) -> None:
    await db.write(lambda conn: ONE.move(conn, START, SECOND))
    for _ in range(2):
        await db.write(lambda conn: ONE.read_anew(conn, SECOND))
    assert await ONE.read(db) == Position(None, 2, False)


@pytest.mark.parametrize(
    ("subject", "id_"),
    [("thing/7", 7), ("things/7", None), ("other/7", None), ("thing/", None), ("thing", None), ("thing/x", None), ("thing/-7", None)],
)
def test_an_event_tells_whom_it_is_about(subject: str, id_: int | None) -> None:
    event: Event[dict[str, str]] = Event("a.12", "roster.thing.updated", subject, "2026", {})
    assert (event.id_of("thing"), event.seq, event.deleted) == (id_, 12, False)
