"""Reads on held connections: bounded, first come first served, and unharmed by callers who leave."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import BigInteger, bindparam, func, literal, literal_column, select

from shared.db import Database, InvalidParameter, Query, StoreError, any_of
from shared.migrate import upgrade
from shared.testing.things import AUTHOR, BY_ID, listing, records, things

_numbers = select(literal(1, BigInteger).label("n")).cte("numbers", recursive=True)
_numbers = _numbers.union_all(select(_numbers.c.n + 1).where(_numbers.c.n < bindparam("upto", type_=BigInteger)))
COUNT = Query(select(func.count()).select_from(_numbers))
"""Takes as long as one likes."""

FOREVER = 2**40


@pytest.fixture
async def two(things_url: str) -> AsyncIterator[Database]:
    db = Database(things_url, readers=2)
    await db.open()
    await db.write(lambda conn: records.add_many(conn, [{"code": f"c{i}", "open": i % 2 == 0} for i in range(20)], AUTHOR))
    yield db
    await db.close()


async def test_a_cancelled_read_stops_its_statement_and_frees_its_connection(two: Database) -> None:
    for _ in range(5):
        long = [asyncio.create_task(two.all(COUNT, upto=FOREVER)) for _ in range(2)]
        await asyncio.sleep(0.05)
        for task in long:
            task.cancel()
        results = await asyncio.gather(*long, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert (await two.one(BY_ID, id=3) or ())[0] == 3


async def test_a_read_that_nobody_could_cancel_is_ended_by_the_server(postgresql_url: str) -> None:
    upgrade(postgresql_url, "shared.testing.things")
    db = Database(postgresql_url)
    await db.open()
    assert await db.all(Query(select(func.current_setting("statement_timeout")))) == [("30s",)]
    await db.close()


async def test_a_read_beyond_the_bound_waits_for_its_turn(two: Database) -> None:
    long = [asyncio.create_task(two.all(COUNT, upto=FOREVER)) for _ in range(2)]
    await asyncio.sleep(0.05)
    order: list[int] = []

    async def read(number: int) -> None:
        assert await two.one(BY_ID, id=number)
        order.append(number)

    waiting = [asyncio.create_task(read(number)) for number in range(1, 9)]
    await asyncio.sleep(0.05)
    assert order == []
    long[0].cancel()
    await asyncio.gather(*waiting)
    assert order == list(range(1, 9))
    long[1].cancel()
    await asyncio.gather(*long, return_exceptions=True)


async def test_a_read_cancelled_while_it_waits_is_never_run(two: Database) -> None:
    long = [asyncio.create_task(two.all(COUNT, upto=FOREVER)) for _ in range(2)]
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(two.all(COUNT, upto=FOREVER))
    await asyncio.sleep(0)
    for task in (waiting, *long):
        task.cancel()
    await asyncio.gather(waiting, *long, return_exceptions=True)
    assert await two.one(BY_ID, id=1)


async def test_a_storm_of_cancelled_reads_harms_no_other(two: Database) -> None:
    """Whoever stays gets their own row: an interrupt never hits a neighbour, a late answer never another question."""
    chance = random.Random(7)

    async def staying(number: int) -> None:
        for _ in range(20):
            assert (await two.one(BY_ID, id=number) or ())[0] == number

    async def leaving(number: int) -> None:
        task = asyncio.create_task(two.all(COUNT, upto=chance.choice([10, 1000, FOREVER])))
        await asyncio.sleep(chance.random() / 50)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*(staying(i) for i in range(1, 9)), *(leaving(i) for i in range(60)))


async def test_a_list_of_any_length_is_one_parameter(two: Database) -> None:
    query = Query(select(things.c.id).where(any_of(things.c.id, "ids")).order_by(things.c.id))
    assert await two.all(query, ids=[]) == []
    assert await two.all(query, ids=[3, 1, 99, 2**63 - 1]) == [(1,), (3,)]
    codes = Query(select(things.c.code).where(any_of(things.c.code, "codes")).order_by(things.c.id))
    assert await two.all(codes, codes=["c1", "c1", "'", '"', "ü", "c0"]) == [("c0",), ("c1",)]


async def test_a_fixed_list_may_stand_in_the_statement(two: Database) -> None:
    query = Query(select(things.c.id).where(things.c.code.in_(["c1", "c2"]), things.c.open == bindparam("open")))
    assert await two.all(query, open=True) == [(3,)]
    with pytest.raises(TypeError, match="any_of"):
        await two.all(Query(select(things.c.id).where(things.c.id.in_(bindparam("ids", expanding=True)))), ids=[1])


async def test_booleans_come_back_as_such(two: Database) -> None:
    row = await two.one(Query(select(things.c.open, things.c.id).where(things.c.id == 1)))
    assert row == (True, 1)
    assert row is not None
    assert type(row[0]) is bool


async def test_what_cannot_be_stored_is_refused_alike(two: Database) -> None:
    for query, values in (
        (BY_ID, {"id": 2**63}),
        (Query(select(things).where(things.c.code == bindparam("code"))), {"code": "a\0"}),
        (Query(select(things).where(things.c.code == bindparam("code"))), {"code": "\udfff"}),
        (Query(select(things).where(any_of(things.c.code, "codes"))), {"codes": ["ok", "\0"]}),
        (Query(select(things).where(any_of(things.c.id, "ids"))), {"ids": [1, 2**64]}),
    ):
        with pytest.raises(InvalidParameter) as caught:
            await two.all(query, **values)
        assert caught.value.parameter in values
    with pytest.raises(InvalidParameter):
        await listing.page(two, {"code": "\ud800"})
    with pytest.raises(InvalidParameter):
        await listing.page(two, {"code": "\0"})
    assert await two.one(BY_ID, id=2**63 - 1) is None


async def test_parameters_are_checked_by_name(two: Database) -> None:
    with pytest.raises(TypeError, match="missing"):
        await two.all(BY_ID)
    with pytest.raises(TypeError, match="unknown"):
        await two.all(BY_ID, id=1, other=2)


async def test_text_sorts_by_code_point(two: Database) -> None:
    texts = ["Z", "a", "_", "é", "z", "\U0001f600", "�", "-", "A"]
    await two.write(lambda conn: records.add_many(conn, [{"code": text, "open": True} for text in texts], AUTHOR))
    query = Query(select(things.c.code).where(any_of(things.c.code, "codes")).order_by(things.c.code))
    assert [row[0] for row in await two.all(query, codes=texts)] == sorted(texts)
    above = Query(select(literal_column("1")).where(things.c.code > bindparam("code"), any_of(things.c.code, "codes")))
    assert len(await two.all(above, code="a", codes=texts)) == sum(text > "a" for text in texts)


async def test_whatever_a_read_raises_the_reader_goes_on(things_url: str) -> None:
    class Word(str):
        """Text that the check of plain values passes over."""

    async with asyncio.timeout(20):
        one = Database(things_url, readers=1)
        await one.open()
        with pytest.raises(StoreError):
            await one.all(Query(select(things).where(things.c.code == bindparam("code"))), code=Word("\ud800"))
        assert await one.all(BY_ID, id=1) == []
        await one.close()
