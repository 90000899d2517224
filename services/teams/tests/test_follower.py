"""Following employees: a feed made by hand on one side, a real database on the other."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import structlog

from shared.changes import Author
from shared.db import Database
from shared.errors import Problem
from shared.etags import Precondition
from shared.feedclient import FeedFault
from shared.following import Follower, Position
from shared.identity import Trust, Verifier
from shared.testing.callers import Signer
from teams.clients import EmployeeState, feed_of_employees
from teams.follower import follower_of
from teams.store import lists, members
from teams.store.projection import POSITIONS

AddTeam = Callable[..., Awaitable[int]]
Join = Callable[..., Awaitable[None]]
Reader = Follower[EmployeeState]
SIGNER = Signer("teams")


class Capture:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        self.told.append(dict(event))
        raise structlog.DropEvent


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest_asyncio.fixture
async def follower(db: Database, feed: Any, capture: Capture) -> AsyncIterator[Reader]:
    log = structlog.wrap_logger(None, processors=[capture])
    found = follower_of(feed_of_employees(feed.url, SIGNER.private_key), db, log, wait=1, longest_pause=0.05)
    yield found
    await found.stop()


async def settle(follower: Reader) -> None:
    """Read until the feed's end was reached once."""
    while await follower.step():
        if (await POSITIONS.read(follower._db)).complete:
            return


async def shown(db: Database, team_id: int) -> list[int]:
    return [row[2] for row in (await lists.MEMBERS.page(db, {"team_id": team_id, "active": True})).rows]


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in a database
            await asyncio.sleep(0.01)


async def test_it_asks_signed_and_goes_on_where_it_was(db: Database, feed: Any, follower: Reader) -> None:
    feed.add(1, "created")
    feed.add(2, "created")
    feed.most = 1
    await settle(follower)
    asked = [(query.get("after"), query["wait"], query["limit"]) for query in feed.queries]
    assert asked == [(None, "0", "500"), ("first.1", "0", "500"), ("first.2", "0", "500")]
    token = feed.headers["authorization"].removeprefix("Bearer ")
    caller = Verifier("employees", [Trust("teams", SIGNER.public_keys, limit="feed")]).verify(token)
    assert (caller.subject, caller.role) == ("service:teams", "feed")


async def test_deletes_and_statuses_arrive_whatever_is_delivered_twice(
    db: Database, feed: Any, follower: Reader, add_team: AddTeam, join: Join
) -> None:
    team = await add_team("core")
    for employee in (1, 2, 3):
        await join(team, employee)
        feed.add(employee, "created")
    feed.add(2, status="inactive")
    feed.add(3, "deleted")
    await follower.step()
    feed.repeat = 3
    await settle(follower)
    assert await shown(db, team) == [1]
    feed.add(2, status="active")
    await follower.step()
    await follower.step()
    assert await shown(db, team) == [1, 2]
    assert follower.effects == 1
    ended = [event for event in await _changes(db) if event["type"].endswith("deleted")]
    assert [(event["data"], event["actor"]) for event in ended] == [(None, "service:employees-feed")]


async def _changes(db: Database) -> list[dict[str, Any]]:
    from teams.store import FEED

    found: list[dict[str, Any]] = msgspec.to_builtins(await FEED.read(db, None, 1000))
    return found


async def test_a_restored_directory_is_read_from_its_beginning(
    db: Database, feed: Any, follower: Reader, add_team: AddTeam, join: Join, capture: Capture
) -> None:
    team = await add_team("core")
    for employee in (1, 2, 3):
        await join(team, employee)
        feed.add(employee, "created")
    await settle(follower)
    feed.epoch = "second"
    del feed.events[1:]
    feed.add(3, "created", born="2026")
    await settle(follower)
    assert (await POSITIONS.read(db)).reading == 2
    await settle(follower)
    assert await shown(db, team) == [1], "2 is not there any more, 3 is somebody else"
    assert [event["event"] for event in capture.told] == ["a followed service was restored; its feed is read from the beginning"]


@pytest.mark.parametrize("status", [401, 500, 503, 302, 404])
async def test_no_answer_is_no_news(db: Database, feed: Any, follower: Reader, status: int) -> None:
    feed.add(1, "created")
    feed.fails = [status]
    with pytest.raises(FeedFault, match=str(status)):
        await follower.step()
    assert await POSITIONS.read(db) == Position(None, 1, False)
    await settle(follower)
    assert (await POSITIONS.read(db)).cursor == "first.1"


EVENT = '{"id": "first.1", "type": "roster.employee.deleted", "subject": "employee/1", "time": "2026-11-22T08:00:00.000000Z", "data": null}'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "<html>",
        f"[{EVENT}",
        f"[{EVENT}, {EVENT}]",
        f"[{EVENT}]".replace("first.1", "first.2"),
        f"[{EVENT}, {EVENT.replace('first.1', 'first.3')}]",
        f"[{EVENT}, {EVENT.replace('first.1', 'second.2')}]",
        f"[{EVENT}]".replace("first.1", "first"),
        f"[{EVENT}]".replace('"employee/1"', "1"),
        f"[{EVENT}]".replace("null", '{"id": "1"}'),
        f"[{EVENT}]".replace("first.1", "first.\\u0661x"),
    ],
)
async def test_a_broken_batch_is_not_applied(db: Database, feed: Any, follower: Reader, body: str) -> None:
    feed.bodies = [body.encode()]
    with pytest.raises(FeedFault):
        await follower.step()
    assert await POSITIONS.read(db) == Position(None, 1, False)


async def test_it_runs_on_its_own_and_survives_an_outage(
    db: Database, feed: Any, follower: Reader, add_team: AddTeam, join: Join, capture: Capture
) -> None:
    team = await add_team("core")
    await join(team, 1)
    await join(team, 2)
    feed.add(1, "created")
    await follower.start()
    await eventually(lambda: _is(follower.events == 1 and follower.report()["status"] == "following"))
    await feed.stop()
    await eventually(lambda: _is(follower.all_failures >= 5))
    assert (follower.report()["status"], bool(follower.report()["reason"])) == ("failing", True)
    assert await shown(db, team) == [1, 2]
    feed.add(1, "deleted")
    await feed.start()

    async def gone() -> bool:
        return await shown(db, team) == [2]

    await eventually(gone)
    await eventually(lambda: _is(follower.report()["status"] == "following"))
    assert [event["event"] for event in capture.told] == [
        "following employees does not go on at the moment",
        "following employees goes on again",
    ]


async def _is(value: bool) -> bool:
    return value


async def test_two_processes_follow_without_doing_anything_twice(db: Database, feed: Any, add_team: AddTeam, join: Join) -> None:
    team = await add_team("core")
    for employee in range(1, 21):
        await join(team, employee)
        feed.add(employee, "created")
        feed.add(employee, "deleted")
    feed.most = 3
    log = structlog.wrap_logger(None, processors=[Capture()])
    both = [follower_of(feed_of_employees(feed.url, ""), db, log, wait=0, longest_pause=0.05) for _ in range(2)]
    await asyncio.gather(*(settle(one) for one in both))
    for one in both:
        await one.stop()
    assert sum(one.effects for one in both) == 20
    assert await shown(db, team) == []


def spoiled(batch: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """As it is, in another order, with something twice, or without something."""
    way, place = chance.randrange(6), chance.randrange(len(batch) or 1)
    if way == 0:
        chance.shuffle(batch)
    elif way == 1:
        batch[place:place] = batch[place : place + 1]
    elif way == 2:
        del batch[place : place + 1]
    return batch


def histories(feed: Any, chance: random.Random) -> dict[int, str]:
    """What happens to ten people, in the feed; who is how in the end."""
    staff: dict[int, str] = {}
    for _ in range(60):
        employee = chance.randrange(1, 11)
        if staff.get(employee) == "deleted":
            continue
        staff[employee] = chance.choice(["active", "inactive", "active", "deleted"]) if employee in staff else "active"
        feed.add(employee, "deleted" if staff[employee] == "deleted" else "updated", status=staff[employee])
    return staff


@pytest.mark.parametrize("seed", range(5))
async def test_batches_in_disorder_and_readers_killed_end_as_in_order(
    db: Database, feed: Any, add_team: AddTeam, join: Join, seed: int
) -> None:
    """Two processes at once, one of them ended at any moment and begun anew; batches are doubled, mixed, torn, and come again."""
    chance = random.Random(seed)
    team = await add_team("core")
    for employee in range(1, 11):
        await join(team, employee)
    staff = histories(feed, chance)
    feed.most, feed.repeat = 7, 2
    feed.spoil = partial(spoiled, chance=chance)
    log = structlog.wrap_logger(None, processors=[Capture()])
    steady = follower_of(feed_of_employees(feed.url, ""), db, log, wait=0, longest_pause=0.02)
    await steady.start()
    for _ in range(20):
        killed = follower_of(feed_of_employees(feed.url, ""), db, log, wait=0, longest_pause=0.02)
        await killed.start()
        await asyncio.sleep(chance.uniform(0, 0.02))
        await killed.stop()

    async def is_through() -> bool:
        return (await POSITIONS.read(db)).cursor == f"first.{len(feed.events)}"

    await eventually(is_through)
    await steady.stop()
    assert await shown(db, team) == [employee for employee in range(1, 11) if staff.get(employee, "active") == "active"]
    ended = [event["subject"] for event in await _changes(db) if event["type"] == "roster.membership.deleted"]
    assert len(ended) == len(set(ended)) == list(staff.values()).count("deleted")


async def test_someone_added_while_their_tombstone_comes_is_no_orphan(db: Database, feed: Any, follower: Reader, add_team: AddTeam) -> None:
    teams = [await add_team(f"t{number}") for number in range(30)]
    author, anyhow = Author("account:1", "r"), Precondition(None)
    feed.add(1, "created")
    await settle(follower)
    feed.add(1, "deleted")
    reading = asyncio.create_task(follower.step())

    async def put(team: int) -> bool:
        try:
            await db.write(lambda conn: members.put(conn, (team, 1), {"role": "member"}, anyhow, author, following=True))
        except Problem:
            return False
        return True

    results = [await put(team) for team in teams] + await asyncio.gather(*(put(team) for team in teams))
    await reading
    assert not await put(teams[0])
    page = await lists.MEMBERSHIPS.page(db, {"employee_id": [1]})
    assert page.rows == []
    assert follower.effects <= sum(results)


async def test_a_feed_that_is_gone_from_its_beginning_is_a_fault(db: Database, feed: Any, follower: Reader) -> None:
    feed.fails = [410]
    with pytest.raises(FeedFault, match="beginning"):
        await follower.step()
    assert (await POSITIONS.read(db)).reading == 1
