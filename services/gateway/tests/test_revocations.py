"""What ends at one gateway process has ended at the others, with Redis between them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import delete

from gateway.app import REDIS_CONNECTIONS, make_redis
from gateway.credentials import AHEAD, FRESH
from gateway.errors import ServiceUnavailable
from gateway.models import sessions
from gateway.revocations import REREAD, InRedis
from gateway.store.accounts import find_log_in
from gateway.store.sessions import MOST
from shared.db import Query
from shared.observe import logger
from shared.testing.redis import RedisServer


@pytest.fixture
def shared(settings: Any, redis: RedisServer) -> Any:
    return msgspec.structs.replace(settings, redis_url=redis.url)


async def test_log_out_reaches_other_processes_within_a_second(shared: Any, open_house: Any) -> None:
    async with open_house(shared) as first, open_house(shared, first.clock) as second:
        browser = await first.browser().log_in("viewer")
        copied = second.browser()
        copied.cookie = browser.cookie
        for _ in range(3):
            assert (await copied.get("/v1/session")).status_code == 200
            first.clock.now += 1.0
        await browser("DELETE", "/v1/session")
        assert (await copied.get("/v1/session")).status_code == 401


async def test_the_database_is_asked_when_something_has_ended_and_each_minute(shared: Any, open_house: Any) -> None:
    async with open_house(shared) as first, open_house(shared, first.clock) as second:
        browser, stays = await first.browser().log_in("viewer"), await first.browser().log_in("editor")
        other = await second.browser().log_in("viewer")
        for one in (browser, stays, other):
            assert (await one.get("/v1/session")).status_code == 200
        await first.app.extensions["db"].write(lambda conn: conn.run(Query(delete(sessions))))  # behind the gateways' back
        first.clock.now += REREAD / 2
        for one in (browser, stays):
            assert (await one.get("/v1/session")).status_code == 200
        assert (await other("DELETE", "/v1/session")).status_code == 204  # something of the viewer's has ended
        first.clock.now += 1
        assert (await browser.get("/v1/session")).status_code == 401
        assert (await stays.get("/v1/session")).status_code == 200
        first.clock.now += REREAD / 2
        assert (await stays.get("/v1/session")).status_code == 401


async def test_a_session_that_is_used_all_the_time_is_asked_about_ahead(shared: Any, open_house: Any, redis: RedisServer) -> None:
    async with open_house(shared) as house:
        browser = await house.browser().log_in("viewer")
        for _ in range(3):
            assert (await browser.get("/v1/session")).status_code == 200
            await house.app.extensions["gateway"].sessions.close()  # what was asked by the way
            house.clock.now += AHEAD + 0.1
        redis.kill()
        house.clock.now -= 0.2
        assert (await browser.get("/v1/session")).status_code == 200
        house.clock.now += FRESH
        assert (await browser.get("/v1/session")).status_code == 503


async def test_sessions_end_by_themselves_under_the_same_stamp(shared: Any, open_house: Any) -> None:
    async with open_house(msgspec.structs.replace(shared, session_idle=20, session_absolute=50)) as house:
        browser = await house.browser().log_in("viewer")
        for _ in range(4):
            assert (await browser.get("/v1/session")).status_code == 200
            house.clock.now += 12
        assert (await browser.get("/v1/session")).status_code == 200
        house.clock.now += 2
        assert (await browser.get("/v1/session")).status_code == 401
        idle = await house.browser().log_in("viewer")
        assert (await idle.get("/v1/session")).status_code == 200
        house.clock.now += 20
        assert (await idle.get("/v1/session")).status_code == 401


async def test_without_redis_nobody_is_let_in_and_nothing_is_ended(shared: Any, open_house: Any, redis: RedisServer) -> None:
    async with open_house(shared) as house:
        house.employees.on("GET /v1/employees/7", json={"id": 7})
        browser = await house.browser().log_in("viewer")
        assert (await browser.get("/v1/session")).status_code == 200
        redis.kill()
        assert (await browser("DELETE", "/v1/session")).status_code == 503
        house.clock.now += 1
        for path in ("/v1/session", "/v1/employees/7"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await house.browser().get("/readyz")).json()["checks"].keys() == {"database", "redis"}
        assert house.employees.seen == []
        assert (await browser.get("/")).status_code == 200
        redis.start()  # and it remembers nothing
        assert (await browser.get("/v1/session")).status_code == 200
        assert (await browser("DELETE", "/v1/session")).status_code == 204


@pytest.mark.parametrize("by", ["the database", "Redis"])
async def test_of_too_many_sessions_the_one_unused_the_longest_ends_everywhere(
    settings: Any, open_house: Any, redis: RedisServer, by: str
) -> None:
    told = msgspec.structs.replace(settings, redis_url=redis.url if by == "Redis" else "")
    async with open_house(told) as first, open_house(told, first.clock) as second:
        oldest, used = await first.browser().log_in("viewer"), await first.browser().log_in("viewer")
        there = second.browser()
        there.cookie = oldest.cookie
        assert (await there.get("/v1/session")).status_code == 200
        await begin_sessions(first, MOST - 2)
        first.clock.now += 61
        assert (await used.get("/v1/session")).status_code == 200
        await first.app.extensions["gateway"].sessions.close()  # the note of its use
        newest = await first.browser().log_in("viewer")
        first.clock.now += 1
        assert [(await one.get("/v1/session")).status_code for one in (oldest, there, used, newest)] == [401, 401, 200, 200]
        assert len((await newest.get(f"/v1/sessions?limit={2 * MOST}")).json()["items"]) == MOST


async def begin_sessions(house: Any, number: int) -> None:
    """As log-ins begin them, without a password for each."""
    viewer = await find_log_in(house.app.extensions["db"], "viewer")
    for _ in range(number):
        await house.app.extensions["gateway"].sessions.begin(viewer, ending=None, user_agent=None, request_id="test")


async def test_a_redis_that_has_lost_everything_lets_nobody_in_who_has_logged_out(shared: Any, open_house: Any, redis: RedisServer) -> None:
    async with open_house(shared) as first, open_house(shared, first.clock) as second:
        browser = await first.browser().log_in("viewer")
        copied = second.browser()
        copied.cookie = browser.cookie
        assert (await copied.get("/v1/session")).status_code == 200
        await browser("DELETE", "/v1/session")
        redis.kill()
        redis.start()
        first.clock.now += 1
        assert (await copied.get("/v1/session")).status_code == 401


async def test_an_account_stays_marked_when_a_write_was_given_up(redis: RedisServer) -> None:
    """A request that runs out of time leaves its write to the database, which may make it later: under a stamp nobody would ask again."""
    client = Redis.from_url(redis.url)
    stamps, writing = InRedis(client, logger("test")), asyncio.Event()

    async def change() -> None:
        async with stamps.changing(7):
            writing.set()
            await asyncio.Event().wait()

    before = await stamps.stamp(7)
    request = asyncio.create_task(change())
    await writing.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await stamps.stamp(7) == b""
    assert 0 < await client.ttl("roster:marks:7") <= REREAD
    async with stamps.changing(7):
        pass
    assert await stamps.stamp(7) == b"", "another's end says nothing of this write"
    await client.delete("roster:marks:7")  # as it is after a minute
    assert await stamps.stamp(7) not in (b"", before)
    await client.aclose()


async def test_an_account_that_is_changing_has_no_stamp_and_a_stamp_never_comes_back(redis: RedisServer) -> None:
    client = Redis.from_url(redis.url)
    stamps = InRedis(client, logger("test"))
    before = await stamps.stamp(7)
    assert before == await stamps.stamp(7) != b""
    assert await stamps.stamp(8) not in (b"", before)
    async with stamps.changing(7):
        assert await stamps.stamp(7) == b""
    after = await stamps.stamp(7)
    assert after not in (b"", before)
    async with stamps.changing(7):
        redis.kill()  # the writer has written, and can't say so
    redis.start()
    assert await stamps.stamp(7) not in (b"", before, after)
    redis.kill()
    with pytest.raises(ServiceUnavailable):
        await stamps.stamp(7)
    with pytest.raises(ServiceUnavailable):
        async with stamps.changing(7):
            raise AssertionError("nothing may be written")
    await client.aclose()


A, B, READER = "A", "B", "reader"


def orders(steps: Counter[str]) -> Iterator[tuple[str, ...]]:
    """Every order in which these may take so many steps each."""
    if not steps.total():
        yield ()
    for who in +steps:
        for rest in orders(steps - Counter([who])):
            yield (who, *rest)


async def trusted_wrongly(stamps: InRedis, account_id: int, order: tuple[str, ...]) -> bool:
    """Whether a reader, after all of this, takes for true what is not. Whom a writer's steps end before its mark is gone was killed."""
    database: set[str] = set()
    around = {writer: stamps.changing(account_id) for writer in (A, B)}
    known: dict[str, Any] = {}
    for step, who in enumerate(order):
        done = order[:step].count(who)
        if who == READER:
            known |= {"database": set(database)} if done else {"stamp": await stamps.stamp(account_id)}
        elif done == 0:
            await around[who].__aenter__()
        elif done == 1:
            database.add(who)
        else:
            await around[who].__aexit__(None, None, None)
    now = await stamps.stamp(account_id)
    return now != b"" and now == known["stamp"] and known["database"] != database


@pytest.mark.parametrize(("steps_of_a", "steps_of_b"), [(3, 3), (2, 3), (2, 2)])
async def test_whatever_writers_of_one_account_overlap_and_are_killed_no_old_word_is_trusted(
    redis: RedisServer, steps_of_a: int, steps_of_b: int
) -> None:
    async with Redis.from_url(redis.url) as client:
        stamps = InRedis(client, logger("test"))
        all_orders = enumerate(orders(Counter({A: steps_of_a, B: steps_of_b, READER: 2})))
        wrong = [order for number, order in all_orders if await trusted_wrongly(stamps, number, order)]
    assert wrong == []


async def test_more_callers_at_once_than_connections_to_redis_are_all_answered(shared: Any) -> None:
    client = make_redis(shared)
    assert client is not None
    stamps = InRedis(client, logger("test"))
    found = await asyncio.gather(*(stamps.stamp(account_id) for account_id in range(REDIS_CONNECTIONS + 50)))
    assert len(set(found)) == REDIS_CONNECTIONS + 50
    await client.aclose()
