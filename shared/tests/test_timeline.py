"""Which instant is meant, and what is settled: on both databases, with clocks that are told what to say."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.db import Connection, Database, Reader, utc_now
from shared.errors import BadRequest, Invalid
from shared.past import Past, Present
from shared.testing.things import ALL, AUTHOR, BY_ID, EVERYTHING, log, records
from shared.timeline import Timeline, explicit_instant, read_instant


class Clock:
    """Says what it is told: seconds after noon."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds

    def __call__(self) -> str:
        return at(self.seconds)


def at(seconds: float) -> str:
    return f"2026-03-01T12:00:{seconds:09.6f}Z"


def adding(code: str) -> Callable[[Connection], dict[str, Any]]:
    return lambda conn: records.add(conn, {"code": code, "open": True}, AUTHOR)


@asynccontextmanager
async def opened(url: str, clock: Clock) -> AsyncIterator[Database]:
    db = Database(url, now=clock)
    await db.open()
    try:
        yield db
    finally:
        await db.close()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", "2026-03-01T23:59:59.999999Z"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000Z"),
        ("2026-03-01t12:00:00z", "2026-03-01T12:00:00.000000Z"),
        ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500000Z"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456Z"),
        ("2026-03-01T12:00:00+01:30", "2026-03-01T10:30:00.000000Z"),
        ("2026-03-01T12:00:00 01:30", "2026-03-01T10:30:00.000000Z"),
        ("2026-03-01T23:00:00-02:00", "2026-03-02T01:00:00.000000Z"),
        ("0001-01-01", "0001-01-01T23:59:59.999999Z"),
    ],
)
def test_times_and_dates_are_read(text: str, instant: str) -> None:
    assert read_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-03", "20260301", "2026-02-30", "2026-13-01", "2026-03-01Z", "2026-03-01\n", "0000-01-01", "\uff12026-03-01"),
        *("2026-03-01T12:00:00", "2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00.Z", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_instant(text)
    assert caught.value.errors[0].field == "as_of"


def test_a_day_that_lasts_is_now_for_all_who_are_asked() -> None:
    before = utc_now()
    assert before <= explicit_instant(before[:10]) <= utc_now()
    assert explicit_instant("2020-01-01") == "2020-01-01T23:59:59.999999Z"
    assert explicit_instant("2999-01-01") == "2999-01-01T23:59:59.999999Z", "for the services to refuse"


async def test_a_moment_is_the_last_change_up_to_it(things_url: str) -> None:
    clock = Clock(10)
    async with opened(things_url, clock) as db:
        timeline = Timeline(db, log)
        await db.write(adding("a"))
        clock.seconds = 20
        await db.write(adding("b"))
        found = [(await timeline.moment(at(seconds))).seq for seconds in (9, 10, 10.000001, 19.999999, 20)]
        assert found == [0, 1, 1, 1, 2]


async def test_a_quiet_service_settles_what_it_is_asked_about(things_url: str) -> None:
    clock = Clock(10)
    async with opened(things_url, clock) as db:
        timeline = Timeline(db, log)
        await db.write(adding("a"))
        clock.seconds = 30
        moment = await timeline.moment(at(25))
        assert (moment.seq, moment.stable >= at(25), moment.latest) == (1, True, True)
        clock.seconds = 12  # set back: what was promised stands
        await db.write(adding("b"))
        assert (await timeline.moment(at(25))).seq == 1
        assert (await timeline.moment(moment.stable)).seq == 1


async def test_another_process_with_a_clock_that_is_behind_keeps_the_promise(things_url: str) -> None:
    async with opened(things_url, Clock(30)) as ahead, opened(things_url, Clock(5)) as behind:
        moment = await Timeline(ahead, log).moment(at(29))
        made = await behind.write(adding("a"))
        assert made["created_at"] > moment.stable
        assert (await Timeline(behind, log).moment(at(29))).seq == 0, "though its own clock says that this is still to come"


async def test_a_day_means_its_end_and_the_present_one_what_is_settled(things_url: str) -> None:
    clock = Clock(10)
    async with opened(things_url, clock) as db:
        timeline = Timeline(db, log)
        await db.write(adding("a"))
        for _ in range(3):
            moment = await timeline.moment("2026-03-01")
            assert (moment.seq, moment.at, moment.stable) == (1, at(10), at(10)), "no second has gone by: nothing is written for it"
        clock.seconds = 40
        moment = await timeline.moment("2026-03-01")
        assert (moment.seq, moment.at) == (1, at(40))
        await db.write(adding("b"))
        assert (await timeline.moment("2026-03-01")).seq == 2, "what was answered is in it"
        assert (await timeline.moment("2026-02-28")).seq == 0
        for future in ("2026-03-02", at(42), "2026-03-01T13:00:41.500000Z"):
            with pytest.raises(Invalid) as caught:
                await timeline.moment(future)
            assert caught.value.errors[0].field == "as_of"


async def test_a_moment_that_is_a_little_ahead_is_waited_for(things_url: str) -> None:
    clock = Clock(10)
    async with opened(things_url, clock) as db:
        asyncio.get_running_loop().call_later(0.01, lambda: setattr(clock, "seconds", 10.2))
        moment = await Timeline(db, log).moment(at(10.1))
        assert moment.at == at(10.1) <= moment.stable


async def test_while_a_long_transaction_writes_an_answer_says_how_far_it_holds(things_url: str) -> None:
    clock, begun, end = Clock(10), threading.Event(), threading.Event()

    def long(conn: Connection) -> None:
        records.add(conn, {"code": "long", "open": True}, AUTHOR)
        begun.set()
        end.wait(30)

    async with opened(things_url, clock) as db:
        timeline = Timeline(db, log)
        await db.write(adding("a"))
        clock.seconds = 20
        writing = asyncio.create_task(db.write(long))
        await asyncio.to_thread(begun.wait, 30)
        clock.seconds = 50
        moment = await timeline.moment(at(45))
        assert (moment.seq, moment.stable) == (1, at(10)), "the long one will have been at 20"
        day = await timeline.moment("2026-03-01")
        assert (day.at, day.stable) == (at(10), at(10)), "the present day goes no further than what is settled"
        end.set()
        await writing
        assert (await timeline.moment(at(45))).seq == 2
        assert (await timeline.moment(day.at)).seq == 1


async def test_all_that_a_unit_changes_has_one_time(things_url: str) -> None:
    class Running(Clock):
        def __call__(self) -> str:
            self.seconds += 1
            return super().__call__()

    def unit(conn: Connection) -> None:
        first = records.add(conn, {"code": "a", "open": True}, AUTHOR)
        records.add(conn, {"code": "b", "open": True}, AUTHOR)
        records.change(conn, first, {"name": "N"}, AUTHOR)

    async with opened(things_url, Running(1)) as db:
        await asyncio.gather(db.write(unit), db.write(adding("c")))
        times = [row[1] for row in await db.all(log.after, seq=0, limit=10)]
        assert len(set(times[:3])) == 1
        assert times[3] > times[0]


async def test_a_change_beside_the_log_is_in_order_with_those_in_it(things_url: str) -> None:
    clock = Clock(10)
    async with opened(things_url, clock) as db:
        timeline = Timeline(db, log)
        await db.write(adding("a"))
        assert (await timeline.moment(at(10))).latest
        clock.seconds = 5
        aside = await db.write(log.aside)
        assert aside > at(10)
        assert not (await timeline.moment(at(10))).latest
        assert (await timeline.moment(aside)).latest
        assert (await db.write(adding("b")))["created_at"] > aside


async def test_a_query_that_knows_no_past_is_refused_by_it(things_url: str) -> None:
    async with opened(things_url, Clock(10)) as db:
        await db.write(adding("a"))
        past = Past(db, await Timeline(db, log).moment(at(10)))
        assert len(await past.all(EVERYTHING)) == 1
        for query, parameters in ((ALL, {}), (BY_ID, {"id": 1})):
            with pytest.raises(TypeError, match="past"):
                await past.all(query, **parameters)


async def test_what_happens_while_the_present_is_read_makes_it_the_past(things_url: str) -> None:
    clock = Clock(10)
    asked: list[type[Any]] = []

    async def give(reader: Reader) -> int:
        asked.append(type(reader))
        if len(asked) == 2:
            await db.write(adding("meanwhile"))
        return len(await reader.all(EVERYTHING))

    async with opened(things_url, clock) as db:
        timeline = Timeline(db, log)
        await db.write(adding("a"))
        assert (await timeline.answer(at(10), None, give))[0] == 1
        found, moment = await timeline.answer(at(10), None, give)
        assert (found, moment.seq) == (1, 1), "not what came meanwhile"
        assert asked == [Present, Present, Past]
        await db.write(adding("b"))
        found, moment = await timeline.answer("2026-03-01", None, give)
        assert (found, moment.seq) == (3, 3), "what was answered before is in it, though nobody had looked since"
        found, moment = await timeline.answer(at(9), None, give)
        assert (found, moment.seq) == (0, 0)
