"""Random operations on both databases at once: every answer is the same."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update

from shared.db import Connection, ConstraintViolation, Database, InvalidParameter, Query, UniqueViolation
from shared.errors import Problem
from shared.migrate import upgrade
from shared.testing.databases import postgresql_database, sqlite_url
from shared.testing.things import ALL, AUTHOR, events_of, listing, log, records, snapshot, things, things_versions
from shared.verification import verify

THINGS = "shared.testing.things"
LOG = Query(select(log.changes).order_by(log.changes.c.seq))
STATES = Query(select(things_versions).order_by(things_versions.c.seq_from))

texts = st.one_of(st.sampled_from(["", "a", "A", "b", "ß", "SS", "é", "é", "\U0001f600", "�", "a\0", "\ud800"]), st.text(max_size=4))
numbers = st.one_of(st.integers(-2, 2), st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63)]))
ids = st.integers(0, 6)
values = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | texts,
        "code": texts,
        "owner_id": st.none() | ids,
        "amount": st.none() | numbers,
        "open": st.booleans(),
    },
)
Unit = Callable[[Connection], Any]


def add(given: dict[str, Any]) -> Unit:
    return lambda conn: records.add(conn, {"code": "a", "open": True, **given}, AUTHOR)


def change(id_: int, given: dict[str, Any]) -> Unit:
    def unit(conn: Connection) -> Any:
        before = records.get(conn, id_)
        return before and records.change(conn, before, given, AUTHOR)

    return unit


def remove(id_: int) -> Unit:
    def unit(conn: Connection) -> Any:
        before = records.get(conn, id_)
        if before:
            records.remove(conn, before, AUTHOR)
        return before

    return unit


units = st.one_of(st.builds(add, values), st.builds(change, ids, values), st.builds(remove, ids))


def empty(conn: Connection) -> None:
    for table in (things_versions, log.changes):
        conn.run(Query(delete(table)))
    conn.run(Query(update(things).values(owner_id=None)))
    conn.run(Query(delete(things)))


class Clock:
    """Runs, and now and then jumps back."""

    ticks = 0

    def __call__(self) -> str:
        self.ticks += 1
        return f"2026-01-01T00:00:00.{self.ticks * 7919 % 1000:06}Z"


class SameAnswers(RuleBasedStateMachine):
    """Two stores whose clocks go alike."""

    def __init__(self, runner: asyncio.Runner, stores: list[Database], clocks: list[Clock]) -> None:
        super().__init__()
        self.runner, self.stores = runner, stores
        for db, clock in zip(stores, clocks, strict=True):
            runner.run(db.write(empty))
            clock.ticks = 0

    def both(self, ask: Callable[[Database], Any]) -> Any:
        """What both answer, results and refusals alike."""
        answers = [self.runner.run(self.answer(ask(db))) for db in self.stores]
        assert answers[0] == answers[1]
        return answers[0]

    async def answer(self, asked: Any) -> Any:
        try:
            return await asked
        except UniqueViolation as error:
            return "double", error.table, error.columns, error.constraint
        except ConstraintViolation:
            return "constraint"
        except InvalidParameter as error:
            return "invalid", error.parameter, error.reason
        except Problem as error:
            return error.status, error.errors

    @rule(unit=units)
    def write(self, unit: Unit) -> None:
        self.both(lambda db: db.write(unit))

    @rule(several=st.lists(units, min_size=2, max_size=4))
    def write_one_unit_of_several(self, several: list[Unit]) -> None:
        self.both(lambda db: db.write(lambda conn: [unit(conn) for unit in several]))

    @rule(several=st.lists(units, min_size=2, max_size=4))
    def write_what_can_be_written(self, several: list[Unit]) -> None:
        def unit(conn: Connection) -> list[Any]:
            done = []
            for part in several:
                with contextlib.suppress(ConstraintViolation, InvalidParameter), conn.savepoint():
                    done.append(part(conn))
            return done

        self.both(lambda db: db.write(unit))

    @rule(rows=st.lists(values, max_size=4))
    def write_many(self, rows: list[dict[str, Any]]) -> None:
        made = [{"open": True, **row, "code": f"{row.get('code', '')}{place}"} for place, row in enumerate(rows)]
        self.both(lambda db: db.write(lambda conn: records.add_many(conn, made, AUTHOR)))

    @rule(
        filters=st.fixed_dictionaries(
            {}, optional={"code": texts, "open": st.booleans(), "id": st.lists(ids | numbers), "codes": st.lists(texts)}
        ),
        sort=st.sampled_from(["id", "-id", "name", "-name", "created_at", "-created_at", "other"]),
        limit=st.integers(1, 3),
    )
    def walk_a_list(self, filters: dict[str, Any], sort: str, limit: int) -> None:
        async def walk(db: Database) -> list[Any]:
            found: list[Any] = []
            page = await listing.page(db, filters, sort=sort, limit=limit, count=True)
            found += [page.total, *page.rows]
            while page.next:
                page = await listing.page(db, filters, sort=sort, limit=limit, cursor=page.next)
                found += page.rows
            return found

        self.both(walk)

    @rule(seq=st.integers(0, 20))
    def read_the_past(self, seq: int) -> None:
        async def past(db: Database) -> list[Any]:
            return [row for page in [page async for page in snapshot.at(db, seq, size=2)] for row in page]

        self.both(past)

    @rule()
    def read_the_feed(self) -> None:
        async def events(db: Database) -> list[Any]:
            return [{**event, "id": event["id"].partition(".")[2]} for event in await events_of(db, None)]

        self.both(events)

    @rule(id_=st.integers(1, 8))
    def erase(self, id_: int) -> None:
        closed = {"open": False, "owner_id": None}
        erased = self.both(lambda db: db.write(lambda conn: records.erase(conn, id_, closed, AUTHOR), large=True))
        assert erased is None or erased["name"] == f"erased-{id_}"

    @invariant()
    def hold_the_same(self) -> None:
        self.both(lambda db: db.all(ALL))
        self.both(lambda db: db.all(STATES))
        rows = self.both(lambda db: db.all(LOG))
        assert self.both(lambda db: verify(db, log, [records])).seq == len(rows)


@pytest.mark.timeout(600)
def test_both_databases_give_the_same_answers(tmp_path: Path) -> None:
    async def opened(url: str, clock: Clock) -> Database:
        db = Database(url, readers=1, now=clock)
        await db.open()
        return db

    with postgresql_database() as url, asyncio.Runner() as runner:
        urls, clocks = [sqlite_url(tmp_path / "things.db"), url], [Clock(), Clock()]
        for each in urls:
            upgrade(each, THINGS)
        stores = [runner.run(opened(*each)) for each in zip(urls, clocks, strict=True)]
        try:
            run_state_machine_as_test(
                lambda: SameAnswers(runner, stores, clocks),  # type: ignore[arg-type] # it says so itself: a class or a function
                settings=settings(max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)),
            )
        finally:
            for db in stores:
                runner.run(db.close())
