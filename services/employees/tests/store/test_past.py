"""How things were: for a thousand instants, what the store answers is what a plain fold over the log says."""

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from employees.models import FIELDS, log
from employees.store import FEED, lines, lists, people
from employees.store.history import HISTORY
from shared.changes import Author
from shared.db import Connection, Database
from shared.errors import Problem
from shared.etags import Precondition
from shared.migrate import upgrade
from shared.past import Past
from shared.testing.past import UnsteadyClock, about, everything
from shared.timeline import Timeline

AUTHOR = Author("account:1", "request-1", "ada")
INSTANTS = 1_000
Record = dict[str, Any]


def edits(dice: random.Random) -> Iterator[Any]:
    """Units that add, change and remove people; some of them are refused."""
    for number in range(260):
        id_ = dice.randint(1, 40)
        values: Record = dict.fromkeys(FIELDS[1:-3])
        values |= {"username": f"u{number}", "email": f"u{number}@e.org", "status": "active", "department": dice.choice(("R", "s", None))}
        change = dice.choice(
            (
                {"title": f"t{number}"},
                {"department": dice.choice(("R", "r", "S", None))},
                {"manager_id": dice.choice((None, dice.randint(1, 40)))},
                {"status": dice.choice(("active", "active", "inactive"))},
            )
        )
        if number < 12 or dice.random() < 0.25:
            yield lambda conn, values=values: people.add(conn, values, AUTHOR)
        elif dice.random() < 0.15:
            yield lambda conn, id_=id_: people.remove(conn, id_, AUTHOR, Precondition(None), "none")
        else:
            heir: Any = "none" if change.get("status") == "inactive" else None
            yield lambda conn, id_=id_, change=change, heir=heir: people.change(conn, id_, change, AUTHOR, Precondition(None), heir)


def fold(events: list[Record], at: str) -> dict[int, Record]:
    """Everyone at an instant."""
    found: dict[int, Record] = {}
    for event in events:
        if event["time"] <= at:
            id_ = int(event["subject"].partition("/")[2])
            if event["data"] is None:
                del found[id_]
            else:
                found[id_] = event["data"]
    return dict(sorted(found.items()))


def ids(rows: Any) -> list[int]:
    return [row[0] for row in rows]


def line(state: dict[int, Record], id_: int) -> list[int]:
    """Those above someone, the nearest first."""
    manager = state[id_]["manager_id"]
    return [] if manager is None else [manager, *line(state, manager)]


async def walk(reader: Past, asked: Record, limit: int) -> list[Any]:
    """A whole list, page by page, with its total."""
    rows: list[Any] = []
    cursor = None
    filters = dict.fromkeys(lists.ASKED) | asked
    while True:
        page = await lists.page(reader, filters, sort="id", cursor=cursor, limit=limit, count=True)
        rows, cursor = rows + page.rows, page.next
        if cursor is None:
            assert page.total == len(rows)
            return rows


async def agree_on_lists(reader: Past, state: dict[int, Record], dice: random.Random) -> None:
    one: Record = dice.choice([*state.values()]) if state else {"username": "nobody", "email": "nobody@e.org"}
    some = sorted(dice.sample(range(1, 60), 5))
    questions: list[tuple[Record, Callable[[Record], bool]]] = [
        ({}, lambda person: True),
        ({"department": "S"}, lambda person: (person["department"] or "").lower() == "s"),
        ({"status": "inactive"}, lambda person: person["status"] == "inactive"),
        ({"manager_id": "none"}, lambda person: person["manager_id"] is None),
        ({"manager_id": some[0], "status": "active"}, lambda person: (person["manager_id"], person["status"]) == (some[0], "active")),
        ({"username": [one["username"].upper(), "u1"]}, lambda person: person["username"] in (one["username"], "u1")),
        ({"email": one["email"]}, lambda person: person["email"] == one["email"]),
        ({"id": some}, lambda person: person["id"] in some),
    ]
    for asked, matches in questions:
        rows = await walk(reader, asked, dice.choice((7, 200)))
        assert [dict(zip(FIELDS, row, strict=True)) for row in rows] == [person for person in state.values() if matches(person)], asked


async def agree_on_one(reader: Past, state: dict[int, Record], id_: int) -> None:
    row = await people.get(reader, id_)
    assert (None if row is None else dict(zip(FIELDS, row, strict=True))) == state.get(id_)
    assert await lines.exists(reader, id_) == (id_ in state)
    above = await lines.managers(reader, id_, cursor=None, limit=200)
    assert (None if above is None else ids(above.rows)) == (line(state, id_) if id_ in state else None)
    for depth in (1, 3):
        page = await lines.reports(reader, id_, depth, cursor=None, limit=200, count=True)
        below = [(line(state, other).index(id_) + 1, other) for other in state if id_ in line(state, other)[:depth]]
        assert [(row[-1], row[0]) for row in page.rows] == sorted(below)
        assert page.total == len(below)


@pytest.mark.timeout(600)
async def test_a_thousand_instants_are_what_a_fold_over_the_log_says(database_url: str) -> None:
    upgrade(database_url, "employees")
    dice = random.Random(1)
    clock = UnsteadyClock(dice)
    db = Database(database_url, readers=2, now=clock)
    await db.open()
    for unit in edits(dice):
        try:
            await db.write(unit)
        except Problem:
            continue
    events = await everything(FEED, db)
    times = sorted({event["time"] for event in events})
    clock.time += timedelta(days=1)
    timeline = Timeline(db, log)
    for _ in range(INSTANTS):
        moment = await timeline.moment(about(dice.choice(times), dice))
        assert moment.at <= moment.stable
        reader, state = Past(db, moment), fold(events, moment.at)
        await agree_on_one(reader, state, dice.randint(1, 60))
        if dice.random() < 0.1:
            await agree_on_lists(reader, state, dice)
    await db.close()


async def test_what_is_known_to_be_settled_never_changes(database_url: str) -> None:
    """While two processes write whose clocks disagree, each answer up to its stable time is what the log says in the end."""
    upgrade(database_url, "employees")
    dice = random.Random(3)
    ahead, behind = UnsteadyClock(dice), UnsteadyClock(dice)
    ahead.time += timedelta(seconds=2)
    both = [Database(database_url, readers=2, now=clock) for clock in (ahead, behind)]
    for db in both:
        await db.open()
    seen: list[tuple[str, dict[int, Any]]] = []

    async def write(db: Database) -> None:
        for unit in edits(random.Random(id(db))):
            try:
                await db.write(unit)
            except Problem:
                continue

    async def ask(db: Database) -> None:
        timeline = Timeline(db, log)
        for _ in range(60):
            await asyncio.sleep(0)
            latest = await timeline.moment(db.now()[:10])
            at = dice.choice(seen)[0] if seen and dice.random() < 0.3 else latest.at
            moment = await timeline.moment(at)
            if moment.at <= moment.stable:
                rows = await walk(Past(db, moment), {}, 200)
                seen.append((moment.at, {row[0]: dict(zip(FIELDS, row, strict=True)) for row in rows}))

    await asyncio.gather(*(write(db) for db in both), *(ask(db) for db in both))
    events = await everything(FEED, both[0])
    assert seen
    for at, state in seen:
        assert state == fold(events, at), at
    for db in both:
        await db.close()


async def test_a_history_tells_each_change_with_who_and_what_also_of_the_deleted(db: Database) -> None:
    def unit(conn: Connection) -> None:
        values = dict.fromkeys(FIELDS[1:-3]) | {"username": "ada", "email": "a@b", "status": "active"}
        people.add(conn, values, AUTHOR)
        people.change(conn, 1, {"title": "Boss"}, Author("service:x", "request-2"), Precondition(None))
        people.remove(conn, 1, AUTHOR, Precondition(None))

    await db.write(unit)
    rows: list[Any] = []
    cursor = None
    while not rows or cursor:
        page = await HISTORY.page(db, 1, cursor=cursor, limit=2)
        rows, cursor = rows + [row for (row,) in page.rows], page.next
    assert [(row["kind"], row["version"], row["actor"], row["actor_name"], row["request_id"]) for row in rows] == [
        ("deleted", 3, "account:1", "ada", "request-1"),
        ("updated", 2, "service:x", None, "request-2"),
        ("created", 1, "account:1", "ada", "request-1"),
    ]
    assert rows[1]["changes"] == [{"field": "title", "old": None, "new": "Boss"}]
    assert {"field": "username", "old": "ada", "new": None} in rows[0]["changes"]
    assert {"field": "email", "old": None, "new": "a@b"} in rows[2]["changes"]
