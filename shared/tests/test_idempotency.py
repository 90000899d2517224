"""The same key brings back the same answer, once done."""

import asyncio
from collections.abc import Callable

import pytest

from shared.db import Connection, Database
from shared.errors import Invalid
from shared.idempotency import REPLAYED, Answer, Idempotency, IdempotencyKey
from shared.testing.things import ALL, AUTHOR, log, records

idempotency = Idempotency(log)


def key(name: str = "k", body: bytes = b"{}", caller: str = "account:1") -> IdempotencyKey:
    return IdempotencyKey.of(caller, "create_thing", name, "/v1/things", body)


def creating(code: str) -> Callable[[Connection], Answer]:
    def unit(conn: Connection) -> Answer:
        thing = records.add(conn, {"code": code, "open": True}, AUTHOR)
        return Answer(201, f'{{"id":{thing["id"]}}}'.encode(), {"Location": f"/v1/things/{thing['id']}"})

    return unit


async def test_a_repetition_brings_back_the_first_answer(db: Database) -> None:
    first = await idempotency.write_once(db, key(), creating("a"))
    again = await idempotency.write_once(db, key(), creating("b"))
    assert again == Answer(201, b'{"id":1}', {"Location": "/v1/things/1", REPLAYED: "true"})
    assert REPLAYED not in first.headers
    assert len(await db.all(ALL)) == 1


async def test_two_at_the_same_time_are_done_once(db: Database) -> None:
    answers = await asyncio.gather(*(idempotency.write_once(db, key(), creating(f"c{i}")) for i in range(10)))
    assert {answer.document for answer in answers} == {b'{"id":1}'}
    assert sum(REPLAYED in answer.headers for answer in answers) == 9


async def test_another_request_with_the_same_key_is_refused(db: Database) -> None:
    await idempotency.write_once(db, key(), creating("a"))
    with pytest.raises(Invalid) as caught:
        await idempotency.write_once(db, key(body=b'{"x":1}'), creating("b"))
    assert caught.value.errors[0].field == "Idempotency-Key"
    await idempotency.write_once(db, key(caller="account:2", body=b'{"x":1}'), creating("c"))


async def test_a_failure_is_not_kept(db: Database) -> None:
    def failing(conn: Connection) -> Answer:
        raise LookupError

    with pytest.raises(LookupError):
        await idempotency.write_once(db, key(), failing)
    assert (await idempotency.write_once(db, key(), creating("a"))).status == 201


async def test_an_answer_is_kept_for_a_day(things_url: str) -> None:
    now = ["2026-01-01T12:00:00.000000Z"]
    db = Database(things_url, now=lambda: now[0])
    await db.open()
    await idempotency.write_once(db, key(), creating("a"))
    now[0] = "2026-01-02T12:00:00.000000Z"
    assert REPLAYED in (await idempotency.write_once(db, key(), creating("b"))).headers
    now[0] = "2026-01-02T12:00:00.000001Z"
    assert (await idempotency.write_once(db, key(), creating("b"))).document == b'{"id":2}'
    await db.close()


async def test_without_a_key_a_unit_just_runs(db: Database) -> None:
    assert (await idempotency.write_once(db, None, creating("a"))).status == 201
    assert (await idempotency.write_once(db, None, creating("b"))).document == b'{"id":2}'


def test_a_key_is_visible_ascii() -> None:
    for bad in ("", "x" * 256, "ä", "a\nb", "\0"):
        with pytest.raises(Invalid):
            key(bad)
