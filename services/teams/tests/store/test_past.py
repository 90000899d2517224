"""How things were: for a thousand instants, what the store answers is what a plain fold over the log says."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared.changes import Author
from shared.db import Connection, Database
from shared.errors import Problem
from shared.etags import Precondition
from shared.migrate import upgrade
from shared.past import Past
from shared.testing.past import UnsteadyClock, about, everything
from shared.timeline import Timeline
from teams.models import FIELDS, MAX_PATHS, MEMBERSHIP_FIELDS, log
from teams.store import FEED, lists, members, projection, teams
from teams.store.history import HISTORY

AUTHOR = Author("account:1", "request-1", "ada")
ANY = Precondition(None)
INSTANTS = 1_000
TEAMS, PEOPLE = 18, 6
Record = dict[str, Any]


class State:
    """Everything at an instant: what the log and the projection's notes up to then come to."""

    def __init__(self, events: list[Record], flips: list[tuple[str, int, bool]], at: str) -> None:
        found: dict[str, dict[int, Record]] = {"team": {}, "membership": {}}
        for event in events:
            entity, _, id_ = event["subject"].partition("/")
            if event["time"] <= at and event["data"] is None:
                del found[entity][int(id_)]
            elif event["time"] <= at:
                found[entity][int(id_)] = event["data"]
        self.teams = dict(sorted(found["team"].items()))
        self.memberships = dict(sorted(found["membership"].items()))
        self.away = {person: away for time, person, away in flips if time <= at}

    def shown(self, person: int, everyone: bool) -> bool:
        return everyone or not self.away.get(person, False)

    def line(self, team: int | None) -> list[int]:
        """A team and those above it."""
        return [] if team is None else [team, *self.line(self.teams[team]["parent_id"])]

    def of(self, everyone: bool) -> list[Record]:
        return [one for one in self.memberships.values() if self.shown(one["employee_id"], everyone)]

    def paths(self, team: int, person: int) -> list[list[str]]:
        """From a team down to each membership of someone, the shortest first."""
        lines = [self.line(one["team_id"]) for one in self.memberships.values() if one["employee_id"] == person]
        slugs = [[self.teams[step]["slug"] for step in reversed(line[: line.index(team) + 1])] for line in lines if team in line]
        return sorted(slugs, key=lambda path: (len(path), "/".join(path)))[:MAX_PATHS]

    def role(self, team: int, person: int) -> str | None:
        return next((one["role"] for one in self.memberships.values() if (one["team_id"], one["employee_id"]) == (team, person)), None)


class Edits:
    """Random writes, some of them refused; `flips` are those of the projection that showed someone gone or back."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.seqs = 0
        self.away: dict[int, bool] = {}
        self.flips: list[tuple[str, int, bool]] = []

    async def make(self, db: Database) -> None:
        for number in range(500):
            if number > 20 and self.dice.random() < 0.15:
                await self.person(db)
                continue
            try:
                await db.write(self.unit(number))
            except Problem:
                continue

    def unit(self, number: int) -> Callable[[Connection], Any]:
        dice, team, person = self.dice, self.dice.randint(1, TEAMS), self.dice.randint(1, PEOPLE)
        values = {"slug": f"t{number}", "name": f"T{number}", "parent_id": dice.choice((None, dice.randint(1, TEAMS)))}
        if number < 8 or dice.random() < 0.1:
            return lambda conn: teams.create(conn, {"description": None, "external_id": None, **values}, AUTHOR)
        if dice.random() < 0.08:
            below: Any = dice.choice((None, "reparent", "delete"))
            return lambda conn: teams.remove(conn, team, below, ANY, AUTHOR)
        if dice.random() < 0.2:
            return lambda conn: teams.update(conn, team, {"parent_id": values["parent_id"], "name": values["name"]}, ANY, AUTHOR)
        if dice.random() < 0.2:
            return lambda conn: members.remove(conn, team, person, ANY, AUTHOR)
        part = {"role": dice.choice(("lead", "member")), "since": None}
        return lambda conn: members.put(conn, (team, person), part, ANY, AUTHOR, following=True)

    async def person(self, db: Database) -> None:
        person = self.dice.randint(1, PEOPLE)
        deleted = person == PEOPLE and self.dice.random() < 0.2
        status = self.dice.choice(("active", "inactive"))
        self.seqs += 1
        at = await projection.POSITIONS.read(db)
        event = projection.Person(person, "x", "inactive" if deleted else status, deleted, "then", self.seqs)
        await db.write(lambda conn: projection.apply(conn, at, [event], str(self.seqs), AUTHOR))
        away = deleted or status != "active"
        if away != self.away.get(person, False):
            self.away[person] = away
            aside = (await db.all(log.last))[0][4]
            self.flips.append((aside, person, away))


async def walk(page_of: Callable[[str | None], Any]) -> list[Any]:
    """A whole list, page by page."""
    rows: list[Any] = []
    cursor = None
    while True:
        page = await page_of(cursor)
        rows, cursor = rows + page.rows, page.next
        if cursor is None:
            assert page.total == len(rows)
            return rows


def listed(reader: Past, listing: Any, filters: Record, **more: Any) -> Any:
    return walk(lambda cursor: listing.page(reader, filters, cursor=cursor, limit=7, count=True, **more))


def rows_of(records: Any, fields: tuple[str, ...]) -> list[Any]:
    return [tuple(record[name] for name in fields) for record in records]


def of_teams(dice: random.Random, reader: Past, state: State) -> Iterator[tuple[Any, Any]]:
    """Coroutines, each with what they must come to: lists of teams."""
    team, some = dice.randint(1, TEAMS), sorted(dice.sample(range(1, TEAMS), 4))
    parent = state.teams[team]["parent_id"] if team in state.teams else None
    for filters, matches in (
        ({}, lambda one: True),
        ({"slug": ["t1", "t4"]}, lambda one: one["slug"] in ("t1", "t4")),
        ({"id": some}, lambda one: one["id"] in some),
        ({"roots": True}, lambda one: one["parent_id"] is None),
        ({"parent_id": parent or 1}, lambda one: one["parent_id"] == (parent or 1)),
    ):
        yield listed(reader, lists.TEAMS, filters), rows_of(filter(matches, state.teams.values()), FIELDS)
    below = sorted((line.index(team), other) for other in state.teams if team in (line := state.line(other))[1:3])
    depths = [(*rows_of([state.teams[other]], FIELDS)[0], depth) for depth, other in below]
    yield listed(reader, lists.SUBTEAMS, {}, always={"team_id": team, "levels": 2}), depths


def of_people(dice: random.Random, reader: Past, state: State) -> Iterator[tuple[Any, Any]]:
    """The same of who is in them."""
    team, person, everyone = dice.randint(1, TEAMS), dice.randint(1, PEOPLE), dice.random() < 0.5
    some, role = sorted(dice.sample(range(1, TEAMS), 4)), dice.choice((None, "lead"))
    active = None if everyone else True
    within = [one for one in state.of(everyone) if role in (None, one["role"])]
    mine = sorted((one for one in within if one["team_id"] == team), key=lambda one: one["employee_id"])
    yield listed(reader, lists.MEMBERS, {"team_id": team, "role": role, "active": active}), rows_of(mine, MEMBERSHIP_FIELDS)
    theirs = [one for one in within if one["employee_id"] == person and one["team_id"] in some]
    asked = {"employee_id": [person], "team_id": some, "role": role, "active": active}
    yield listed(reader, lists.MEMBERSHIPS, asked), rows_of(theirs, MEMBERSHIP_FIELDS)
    yield (
        walk(lambda cursor: lists.effective_members(reader, team, everyone=everyone, cursor=cursor, limit=3, count=True)),
        [
            (who, state.role(team, who), paths)
            for who in range(1, PEOPLE + 1)
            if state.shown(who, everyone) and (paths := state.paths(team, who))
        ],
    )
    yield (
        walk(lambda cursor: lists.effective_memberships(reader, person, everyone=everyone, cursor=cursor, limit=3, count=True)),
        [
            (one, state.teams[one]["slug"], person, state.role(one, person), paths)
            for one in state.teams
            if state.shown(person, everyone) and (paths := state.paths(one, person))
        ],
    )


async def found(asked: Any) -> Any:
    """What a read of one gives, or None."""
    try:
        return await asked
    except Problem:
        return None


@pytest.mark.timeout(600)
async def test_a_thousand_instants_are_what_a_fold_over_the_log_says(database_url: str) -> None:
    upgrade(database_url, "teams")
    dice = random.Random(5)
    clock = UnsteadyClock(dice)
    db = Database(database_url, readers=2, now=clock)
    await db.open()
    edits = Edits(dice)
    await edits.make(db)
    events = await everything(FEED, db)
    times = sorted({event["time"] for event in events} | {time for time, _, _ in edits.flips})
    assert len(edits.flips) > 10
    assert len(events) > 150
    clock.time += timedelta(days=1)
    timeline = Timeline(db, log)
    for _ in range(INSTANTS):
        moment = await timeline.moment(about(dice.choice(times), dice))
        assert moment.at <= moment.stable
        reader, state = Past(db, moment), State(events, edits.flips, moment.at)
        team, person = dice.randint(1, TEAMS), dice.randint(1, PEOPLE)
        row = await found(teams.get(reader, team))
        assert (None if row is None else dict(zip(FIELDS, row, strict=True))) == state.teams.get(team)
        part = await found(members.get(reader, team, person))
        assert (None if part is None else part[3]) == state.role(team, person)
        for place, (asked, expected) in enumerate((*of_teams(dice, reader, state), *of_people(dice, reader, state))):
            if dice.random() < 0.1:
                assert await asked == expected, (place, moment)
            else:
                asked.close()
    await db.close()


async def test_a_team_s_history_has_its_memberships(db: Database) -> None:
    def unit(conn: Connection) -> None:
        teams.create(conn, {"slug": "a", "name": "A", "description": None, "parent_id": None, "external_id": None}, AUTHOR)
        teams.create(conn, {"slug": "b", "name": "B", "description": None, "parent_id": None, "external_id": None}, AUTHOR)
        for team in (1, 2):
            members.put(conn, (team, 7), {"role": "member", "since": "2026-01-01"}, ANY, AUTHOR, following=False)
        members.put(conn, (1, 7), {"role": "lead", "since": None}, ANY, AUTHOR, following=False)
        teams.remove(conn, 1, None, ANY, AUTHOR)

    await db.write(unit)
    rows: list[Any] = []
    cursor = None
    while not rows or cursor:
        page = await HISTORY.page(db, 1, cursor=cursor, limit=2)
        rows, cursor = rows + [row for (row,) in page.rows], page.next
    assert [(row["entity"], row["kind"], row.get("employee_id")) for row in rows] == [
        ("team", "deleted", None),
        ("membership", "deleted", 7),
        ("membership", "updated", 7),
        ("membership", "created", 7),
        ("team", "created", None),
    ]
    assert rows[2]["changes"] == [{"field": "role", "old": "member", "new": "lead"}]
