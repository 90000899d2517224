"""Group commit: what is promised about the units of a batch, on both databases."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db import Connection, Database, InvalidParameter, StoreError, Unavailable, UniqueViolation
from shared.migrate import engine_of, upgrade
from shared.testing.things import ALL, AUTHOR, log, records
from shared.verification import verify

THINGS = "shared.testing.things"


def adding(code: str, **values: Any) -> Callable[[Connection], dict[str, Any]]:
    return lambda conn: records.add(conn, {"code": code, "open": True, **values}, AUTHOR)


class Gate:
    """A unit that keeps the writer busy until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, conn: Connection) -> None:
        self.entered.set()
        assert self.opened.wait(10)

    async def hold(self, db: Database) -> "asyncio.Task[None]":
        task = asyncio.create_task(db.write(self))
        await asyncio.to_thread(self.entered.wait, 10)
        return task


async def codes(db: Database) -> list[str]:
    return [row[3] for row in await db.all(ALL)]


async def test_a_unit_returns_and_raises_what_it_will(db: Database) -> None:
    def failing(conn: Connection) -> None:
        raise LookupError("mine")

    assert await db.write(lambda conn: "answer") == "answer"
    with pytest.raises(LookupError, match="mine"):
        await db.write(failing)


async def test_all_waiting_units_share_one_transaction(db: Database) -> None:
    commits: list[int] = []
    db.on_commit(lambda changes: commits.append(len(changes)))
    gate = Gate()
    held = await gate.hold(db)
    waiting = [asyncio.create_task(db.write(adding(f"c{i}"))) for i in range(50)]
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(held, *waiting)
    assert sum(commits) == 50
    assert len(commits) < 25  # one, or few more where a transaction reached its longest time
    assert len(await codes(db)) == 50


async def test_a_failing_unit_leaves_nothing_and_harms_no_other(db: Database) -> None:
    def failing(conn: Connection) -> None:
        adding("lost")(conn)
        raise LookupError

    gate = Gate()
    held = await gate.hold(db)
    tasks = [asyncio.create_task(db.write(unit)) for unit in (adding("a"), failing, adding("b"))]
    await asyncio.sleep(0)
    gate.opened.set()
    await held
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], LookupError)
    assert await codes(db) == ["a", "b"]
    assert (await verify(db, log)).seq == 2


async def test_a_double_in_a_batch_fails_only_its_unit(db: Database) -> None:
    gate = Gate()
    held = await gate.hold(db)
    tasks = [asyncio.create_task(db.write(adding(code))) for code in ("a", "b", "a", "c")]
    await asyncio.sleep(0)
    gate.opened.set()
    await held
    results = await asyncio.gather(*tasks, return_exceptions=True)
    error = results[2]
    assert isinstance(error, UniqueViolation)
    assert (error.table, error.columns, error.constraint) == ("things", ("code",), "uq_things_code")
    assert await codes(db) == ["a", "b", "c"]


async def test_a_unique_index_over_two_columns_is_named_alike(db: Database) -> None:
    await db.write(adding("a"))
    await db.write(adding("b", owner_id=1, amount=5))
    with pytest.raises(UniqueViolation) as caught:
        await db.write(adding("c", owner_id=1, amount=5))
    assert (caught.value.columns, caught.value.constraint) == (("owner_id", "amount"), "uq_things_owner_amount")


async def test_a_unit_that_swallows_a_refusal_fails_all_the_same(db: Database) -> None:
    def swallowing(conn: Connection) -> str:
        with contextlib.suppress(UniqueViolation):
            adding("a")(conn)
        return "done"

    await db.write(adding("a"))
    with pytest.raises(UniqueViolation):
        await db.write(swallowing)
    assert await codes(db) == ["a"]


async def test_a_refused_part_may_be_given_up(db: Database) -> None:
    def unit(conn: Connection) -> None:
        adding("b")(conn)
        with contextlib.suppress(UniqueViolation), conn.savepoint():
            adding("part")(conn)
            adding("a")(conn)
        adding("c")(conn)

    await db.write(adding("a"))
    await db.write(unit)
    assert await codes(db) == ["a", "b", "c"]
    assert (await verify(db, log)).seq == 3


async def test_a_unit_not_started_when_its_caller_leaves_is_skipped(db: Database) -> None:
    gate = Gate()
    held = await gate.hold(db)
    task = asyncio.create_task(db.write(adding("never")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.opened.set()
    await held
    assert await codes(db) == []


async def test_a_unit_started_when_its_caller_leaves_is_finished(db: Database) -> None:
    entered, opened = threading.Event(), threading.Event()

    def unit(conn: Connection) -> None:
        entered.set()
        assert opened.wait(10)
        adding("a")(conn)

    task = asyncio.create_task(db.write(unit))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    opened.set()
    await db.write(lambda conn: None)
    assert await codes(db) == ["a"]


async def test_callers_cancelled_at_any_moment_never_break_the_writer(db: Database) -> None:
    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.one_of(st.none(), st.floats(0, 0.01)), min_size=20, max_size=60), st.integers(0, 2**32))
    def scenario(delays: list[float | None], salt: int) -> None:
        drawn.append((delays, salt))

    drawn: list[tuple[list[float | None], int]] = []
    await asyncio.to_thread(scenario)
    for round_, (delays, _) in enumerate(drawn):
        tasks = [asyncio.create_task(db.write(adding(f"r{round_} {i}"))) for i in range(len(delays))]
        for task, delay in zip(tasks, delays, strict=True):
            if delay is not None:
                asyncio.get_running_loop().call_later(delay, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        acknowledged = {result["code"] for result in results if isinstance(result, dict)}
        await db.write(lambda conn: None)
        assert acknowledged <= set(await codes(db))
        assert all(isinstance(result, dict | asyncio.CancelledError) for result in results)
    assert (await verify(db, log)).seq == len(await codes(db))


async def test_the_answer_comes_after_the_commit(db: Database) -> None:
    """Whoever was answered finds what was written, by another connection; whoever read or failed learns only of durable things."""
    other = Database(db.url)
    await other.open()

    async def write(code: str) -> None:
        await db.write(adding(code))
        assert code in await codes(other)

    await asyncio.gather(*(write(f"c{i}") for i in range(30)))
    await other.close()


async def test_bad_values_fail_their_unit_alike_on_both(db: Database) -> None:
    for values in ({"name": "a\0b"}, {"name": "a\ud800"}, {"amount": 2**63}, {"amount": -(2**63) - 1}):
        with pytest.raises(InvalidParameter) as caught:
            await db.write(adding("x", **values))
        assert caught.value.parameter in values
    await db.write(adding("ok", amount=2**63 - 1))
    await db.write(adding("ok too", amount=-(2**63)))
    assert await codes(db) == ["ok", "ok too"]


async def test_a_closed_database_refuses(things_url: str) -> None:
    db = Database(things_url)
    with pytest.raises(Unavailable):
        await db.write(lambda conn: None)
    await db.open()
    task = asyncio.create_task(db.write(adding("last")))
    await asyncio.sleep(0)
    await db.close()
    assert (await task)["code"] == "last"
    with pytest.raises(Unavailable):
        await db.write(lambda conn: None)
    with pytest.raises(Unavailable):
        await db.all(ALL)


async def test_a_close_that_is_cut_off_ends_the_reads_all_the_same(things_url: str) -> None:
    db = Database(things_url)
    await db.open()
    go = threading.Event()
    writing = asyncio.create_task(db.write(lambda conn: go.wait(20)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(db.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(Unavailable, match="closed"):
        await db.ping()
    go.set()
    assert await writing


async def test_two_processes_write_one_log(db: Database) -> None:
    other = Database(db.url)
    await other.open()
    await asyncio.gather(*((db if i % 2 else other).write(adding(f"c{i}")) for i in range(60)))
    await other.close()
    assert (await verify(db, log)).seq == 60
    assert [row[0] for row in await db.all(ALL)] == list(range(1, 61))


async def test_a_stricter_default_of_the_server_does_not_part_two_writers(postgresql_url: str) -> None:
    upgrade(postgresql_url, THINGS)
    engine = engine_of(postgresql_url)
    with engine.begin() as connection:
        name = engine.url.database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable')
    engine.dispose()
    one, other = Database(postgresql_url), Database(postgresql_url)
    await one.open()
    await other.open()
    await asyncio.gather(*((one if i % 2 else other).write(adding(f"c{i}")) for i in range(60)))
    assert (await verify(one, log)).seq == 60
    await one.close()
    await other.close()


async def test_an_exception_that_is_no_error_does_not_end_the_writer(db: Database) -> None:
    def leaving(conn: Connection) -> None:
        raise SystemExit(3)

    with pytest.raises(StoreError):
        await db.write(leaving)
    assert await db.write(lambda conn: 1) == 1
