"""What a process remembers of who was let in, and how it asks again without keeping anybody waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, literal, select

from gateway.credentials import AHEAD, FRESH, Credentials, Found, Grant, caller_of
from gateway.errors import ServiceUnavailable
from gateway.models import sessions
from gateway.revocations import InDatabase
from shared.db import Database, Query, Unavailable
from shared.observe import logger

SEEN = Query(select(sessions.c.seen_at))
_numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
ENDLESS = Query(select(func.count()).select_from(_numbers.union_all(select(_numbers.c.n + 1))))
PATHS = ("/v1/employees/7", "/v1/session")
"""One is forwarded, one the gateway's own."""
GRANT = Grant("digest", 1, 7, caller_of(7, "ada", "viewer"))


class Held(Credentials[Grant]):
    """Answers only when `told`; what is then `there`."""

    def __init__(self) -> None:
        self.now = 1000.0
        no_database: Any = None
        super().__init__(no_database, InDatabase(), lambda: self.now, logger("test"))
        self.there: Grant | Unavailable | None = GRANT
        self.asked = 0
        self.told = asyncio.Event()
        self.told.set()

    async def _find(self, shown: bytes, known: Grant | None, used: float, now: float) -> Found[Grant] | None:
        self.asked += 1
        found = self.there
        await self.told.wait()
        if isinstance(found, Unavailable):
            raise found
        return None if found is None else Found(found, self.now)


@pytest.fixture
async def held() -> Held:
    found = Held()
    assert await found.check(b"shown") == GRANT
    return found


async def test_of_many_who_ask_one_asks_ahead_and_nobody_waits(held: Held) -> None:
    held.told.clear()
    held.now += AHEAD + 0.01
    assert [held.known(b"shown") for _ in range(10)] == [GRANT] * 10
    await asyncio.sleep(0)
    assert held.asked == 2
    held.told.set()
    await held.close()
    held.now += AHEAD - 0.01
    assert held.known(b"shown") == GRANT
    await asyncio.sleep(0)
    assert held.asked == 2


async def test_what_was_found_ahead_to_have_ended_lets_nobody_in(held: Held) -> None:
    held.there = None
    held.now += AHEAD + 0.01
    assert held.known(b"shown") == GRANT
    await held.close()
    assert held.known(b"shown") is None


async def test_what_could_not_be_asked_ahead_is_asked_when_its_second_is_over(held: Held) -> None:
    held.there = Unavailable("no database")
    held.now += AHEAD + 0.01
    assert held.known(b"shown") == GRANT
    await held.close()
    assert held.known(b"shown") == GRANT
    held.now += FRESH - AHEAD
    assert held.known(b"shown") is None
    with pytest.raises(ServiceUnavailable):
        await held.check(b"shown")
    held.there = GRANT
    assert await held.check(b"shown") == GRANT
    assert held.known(b"shown") == GRANT


async def test_that_it_lasts_is_asked_once_a_second_however_many_wonder(held: Held) -> None:
    mine = replace(GRANT, shown=b"shown")
    held.now += FRESH + 0.01
    assert [await held.lasts(mine) for _ in range(10)] == [True] * 10
    assert held.asked == 2
    held.there = None
    held.now += FRESH + 0.01
    assert not await held.lasts(mine)


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead", "by a request"])
async def test_what_was_read_before_it_ended_is_not_remembered(held: Held, ahead: bool) -> None:
    held.told.clear()
    held.now += AHEAD + 0.01 if ahead else FRESH + 0.01
    assert held.known(b"shown") == (GRANT if ahead else None)
    reading = None if ahead else asyncio.create_task(held.check(b"shown"))
    await asyncio.sleep(0)
    assert held.asked == 2
    held.forget(GRANT.account_id)
    held.told.set()
    await held.close()
    assert reading is None or await reading == GRANT
    assert held.known(b"shown") is None


async def test_who_else_has_ended_keeps_nothing_from_being_remembered(held: Held) -> None:
    held.told.clear()
    held.now += AHEAD + 0.01
    assert held.known(b"shown") == GRANT
    await asyncio.sleep(0)
    held.forget(GRANT.account_id + 1)
    held.told.set()
    await held.close()
    held.now += AHEAD - 0.01
    assert held.known(b"shown") == GRANT


async def test_a_use_that_is_noted_ahead_is_written_before_the_end(house: Any) -> None:
    browser = await house.browser().log_in("viewer")
    assert (await browser.get("/v1/session")).status_code == 200
    house.clock.now += FRESH - 0.2
    db, cookie = house.app.extensions["db"], browser.cookie.encode()
    before = await db.all(SEEN)
    house.app.extensions["gateway"].sessions.known(cookie)
    house.clock.now += 100.0  # by the time it asks, a minute has gone by
    await house.app.extensions["gateway"].sessions.close()
    assert await db.all(SEEN) != before


async def test_a_session_that_is_used_all_the_time_is_never_a_second_old(house: Any) -> None:
    browser = await house.browser().log_in("viewer")
    assert (await browser.get("/v1/session")).status_code == 200
    house.clock.now += AHEAD + 0.1
    assert (await browser.get("/v1/session")).status_code == 200
    await house.app.extensions["gateway"].sessions.close()
    await house.app.extensions["db"].write(lambda conn: conn.run(Query(delete(sessions))))  # behind the gateway's back
    house.clock.now += AHEAD - 0.1
    assert (await browser.get("/v1/session")).status_code == 200, "the database was asked anew"
    house.clock.now += FRESH
    assert (await browser.get("/v1/session")).status_code == 401


@asynccontextmanager
async def closed(db: Database) -> AsyncIterator[None]:
    """A database that raises StoreError at once."""
    await db.close()
    yield


@asynccontextmanager
async def hanging(db: Database) -> AsyncIterator[None]:
    """A database whose two readers read without end."""
    reads = [asyncio.create_task(db.all(ENDLESS)) for _ in range(2)]
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)


@pytest.mark.parametrize("broken", [closed, hanging])
async def test_sessions_that_cannot_be_checked_let_nobody_in(house: Any, viewer: Any, broken: Any) -> None:
    """Nor tokens; also of those who were let in just now."""
    house.employees.on("GET /v1/employees/7", json={"id": 7})
    token = (await viewer("POST", "/v1/tokens", json={"name": "laptop", "scope": "read"})).json()["token"]
    shown = [{}, {"Authorization": f"Bearer {token}", "Cookie": ""}]
    for headers in shown:
        for path in PATHS:
            assert (await viewer.get(path, headers=headers)).status_code == 200
    seen = len(house.employees.seen)
    async with broken(house.app.extensions["db"]):
        house.clock.now += 2
        for headers in shown:
            for path in PATHS:
                answer = await viewer.get(path, headers=headers)
                assert answer.status_code == 503
                assert answer.headers["retry-after"]
        assert len(house.employees.seen) == seen
        assert (await viewer.get("/")).status_code == 200
