"""What is known of employees: events applied once, in one unit with the cursor, and memberships ended."""

import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from shared.changes import Author
from shared.db import Connection, Database, Query
from shared.errors import Invalid
from shared.following import Position
from teams.models import follower, log, people
from teams.store import lists, teams
from teams.store import projection as store
from teams.store.projection import Person

AUTHOR = Author("service:employees-feed", "feed")
EVERYONE = Query(select(people.c.employee_id, people.c.status, people.c.deleted).order_by(people.c.employee_id))
FOLLOWER = Query(select(follower))
AddTeam = Callable[..., Awaitable[int]]
Join = Callable[..., Awaitable[None]]


def active(employee_id: int, seq: int, **changes: Any) -> Person:
    return replace(Person(employee_id, f"u{employee_id}", "active", False, "2020", seq), **changes)


def deleted(employee_id: int, seq: int) -> Person:
    return Person(employee_id, "", "inactive", True, "", seq)


async def apply(db: Database, *events: Person, cursor: str | None = None) -> int:
    at = await store.POSITIONS.read(db)
    return await db.write(lambda conn: store.apply(conn, at, events, cursor or str(events[-1].seq), AUTHOR))


async def members_of(db: Database, team_id: int, active_only: bool = True) -> list[int]:
    page = await lists.MEMBERS.page(db, {"team_id": team_id, "active": active_only or None})
    return [row[2] for row in page.rows]


async def test_inactive_people_are_left_out_and_come_back(db: Database, add_team: AddTeam, join: Join) -> None:
    team = await add_team("core")
    for employee in (1, 2, 3):
        await join(team, employee)
    await apply(db, active(1, 1), active(2, 2, status="inactive"))
    assert await members_of(db, team) == [1, 3], "3 is not known yet, and shown"
    assert await members_of(db, team, active_only=False) == [1, 2, 3]
    await apply(db, active(2, 3))
    assert await members_of(db, team) == [1, 2, 3]


async def test_who_is_deleted_leaves_every_team_once(db: Database, add_team: AddTeam, join: Join) -> None:
    teams = [await add_team(slug) for slug in ("a", "b")]
    for team in teams:
        await join(team, 1)
        await join(team, 2)
    assert await apply(db, active(1, 1), active(2, 2), deleted(1, 3)) == 2
    log = await db.last_change()
    assert [await members_of(db, team, active_only=False) for team in teams] == [[2], [2]]
    assert await apply(db, deleted(1, 3), cursor="3") == 0
    assert await apply(db, active(1, 1), cursor="3") == 0, "an old event changes nothing"
    assert await db.last_change() == log
    assert await db.all(EVERYONE) == [(1, "active", True), (2, "active", False)]


async def test_an_account_named_like_someone_erased_is_forgotten(db: Database, add_team: AddTeam) -> None:
    assert log.names is not None
    names = Query(select(log.names.c.name).order_by(log.names.c.name))
    for actor, name in (("account:1", "u1"), ("account:2", "u2")):
        await db.write(partial(teams.RECORDS.add, values={"slug": name, "name": name}, author=Author(actor, "r", name)))
    await apply(db, active(1, 1, username="U1"), active(2, 2))
    await apply(db, active(1, 3, username="erased-1", status="inactive", erased=True))
    assert await db.all(names) == [("u2",)]


async def test_a_batch_read_at_another_place_is_not_applied(db: Database, add_team: AddTeam, join: Join) -> None:
    await join(await add_team("core"), 1)
    at = await store.POSITIONS.read(db)
    await apply(db, active(1, 1))
    assert await db.write(lambda conn: store.apply(conn, at, [deleted(1, 2)], "2", AUTHOR)) == 0
    assert (await store.POSITIONS.read(db)).cursor == "1"
    assert await db.all(EVERYONE) == [(1, "active", False)]


async def test_effect_and_cursor_are_one(db: Database, add_team: AddTeam, join: Join) -> None:
    team = await add_team("core")
    await join(team, 1)
    at = await store.POSITIONS.read(db)

    def broken(conn: Connection) -> None:
        assert store.apply(conn, at, [active(1, 1), deleted(1, 2)], "2", AUTHOR) == 1
        raise RuntimeError("the end of the process")

    with pytest.raises(RuntimeError, match="the end"):
        await db.write(broken)
    assert (await store.POSITIONS.read(db), await members_of(db, team), await db.all(EVERYONE)) == (at, [1], [])
    assert await apply(db, active(1, 1), deleted(1, 2)) == 1


async def test_nobody_deleted_is_added(db: Database, add_team: AddTeam, join: Join) -> None:
    team = await add_team("core")
    await apply(db, active(1, 1), deleted(1, 2))
    with pytest.raises(Invalid) as refused:
        await join(team, 1)
    assert [error.field for error in refused.value.errors] == ["employee_id"]
    await join(team, 1, following=False)
    assert await members_of(db, team, active_only=False) == [1]


async def test_a_new_reading_buries_whom_it_does_not_meet(db: Database, add_team: AddTeam, join: Join) -> None:
    team = await add_team("core")
    for employee in (1, 2, 3, 4):
        await join(team, employee)
    await apply(db, active(1, 1), active(2, 2), active(3, 3))
    await db.write(lambda conn: store.finish_reading(conn, Position("3", 1, False), AUTHOR))
    at = await store.POSITIONS.read(db)
    assert at == Position("3", 1, True)
    await db.write(lambda conn: store.POSITIONS.read_anew(conn, at))
    await db.write(lambda conn: store.POSITIONS.read_anew(conn, at))
    assert await store.POSITIONS.read(db) == Position(None, 2, False)
    reborn = active(3, 2, born="2026", username="someone-else")
    assert await apply(db, active(1, 1), reborn) == 1, "the id is another person's now"
    assert await members_of(db, team) == [1, 2, 4], "until the reading's end, 2 is as it was"
    now = await store.POSITIONS.read(db)
    assert await db.write(lambda conn: store.finish_reading(conn, now, AUTHOR)) == 1
    assert await db.write(lambda conn: store.finish_reading(conn, now, AUTHOR)) == 0
    assert await members_of(db, team, active_only=False) == [1, 4], "nobody ever knew of 4"
    assert await db.all(EVERYONE) == [(1, "active", False), (2, "active", True), (3, "active", False)]
    assert await db.all(FOLLOWER) == [("employees", "2", 2, True)]


def history(chance: random.Random) -> list[Person]:
    """What happens to five people, in order: each is hired, changes now and then, and may leave for good."""
    events: list[Person] = []
    here = dict.fromkeys(range(1, 6), False)
    for seq in range(1, chance.randrange(8, 30)):
        if not here:
            break
        employee = chance.choice(sorted(here))
        if here[employee] and chance.random() < 0.2:
            del here[employee]
            events.append(deleted(employee, seq))
        else:
            here[employee] = True
            events.append(active(employee, seq, status=chance.choice(["active", "inactive"])))
    return events


def delivered(events: list[Person], chance: random.Random) -> list[list[Person]]:
    """Each event at least once, some more often, in any order, in batches of any size."""
    some = [*events, *chance.choices(events, k=chance.randrange(len(events)))]
    chance.shuffle(some)
    batches = []
    while some:
        size = chance.randrange(1, 8)
        batches.append(some[:size])
        del some[:size]
    return batches


async def test_whatever_is_delivered_twice_or_late_ends_as_in_order(db: Database, add_team: AddTeam, join: Join) -> None:
    """Two groups of people with one history: the second's comes in disorder."""
    chance = random.Random(5)
    cursors = itertools.count(1)
    for number in range(0, 400, 20):
        orderly, other = await add_team(f"orderly-{number}"), await add_team(f"other-{number}")
        for employee in range(1, 6):
            await join(orderly, number * 100 + employee)
            await join(other, number * 100 + 1000 + employee)
        events = history(chance)
        for batch, offset in [
            *(([event], number * 100) for event in events),
            *((batch, number * 100 + 1000) for batch in delivered(events, chance)),
        ]:
            moved = [replace(event, employee_id=event.employee_id + offset, username=f"u{event.employee_id + offset}") for event in batch]
            await apply(db, *moved, cursor=f"e.{next(cursors)}")
        everyone = {id_: "deleted" if gone else status for id_, status, gone in await db.all(EVERYONE)}
        for employee in range(1, 6):
            assert everyone.get(number * 100 + employee) == everyone.get(number * 100 + 1000 + employee), (number, employee)
        for shown in (True, False):
            assert [id_ - number * 100 for id_ in await members_of(db, orderly, shown)] == [
                id_ - number * 100 - 1000 for id_ in await members_of(db, other, shown)
            ]
