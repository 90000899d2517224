"""A service that is killed in the middle of writes loses nothing that it has acknowledged, and comes back whole."""

import os
import random
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
import pytest

import employees.models
import gateway.models
import teams.models
from shared.changes import LogTables, verify
from shared.db import Database
from shared.testing.processes import Roster
from shared.testing.writers import Ledger, write_accounts, write_employees, write_teams, write_until_killed

ROUNDS = int(os.environ.get("ROSTER_KILL_ROUNDS", "20"))
CLIENTS = 16
LEAST = 100

pytestmark = pytest.mark.timeout(600)


def rows(roster: Roster, service: str, query: str) -> dict[Any, Any]:
    """(key, state) rows of a service's database, read beside it."""
    connection = sqlite3.connect(f"file:{roster.database(service)}?mode=ro", uri=True)
    try:
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


async def check_whole(roster: Roster, service: str, log: LogTables) -> int:
    """The file is sound and the chain of changes verifies; the length of the chain."""
    connection = sqlite3.connect(f"file:{roster.database(service)}?mode=ro", uri=True)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    db = Database(f"sqlite:///{roster.database(service)}", readers=1)
    await db.open()
    try:
        return await verify(db, log)
    finally:
        await db.close()


def read_feed(url: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    """All events of a feed."""
    events: list[dict[str, Any]] = []
    with httpx.Client(base_url=url, headers=headers) as client:
        while True:
            after = {"after": events[-1]["id"]} if events else {}
            batch = client.get("/v1/changes", params={"limit": 1000, **after}).raise_for_status().json()
            if not batch:
                return events
            events += batch


def fold(events: list[dict[str, Any]], kind: str, field: str) -> dict[int, Any]:
    """What a follower of the feed would have by its end: a field by id, of those that are not deleted."""
    found: dict[int, Any] = {}
    for event in events:
        entity, _, number = event["subject"].partition("/")
        if entity == kind and event["data"] is None:
            del found[int(number)]
        elif entity == kind:
            found[int(number)] = event["data"][field]
    return found


async def test_employees_lose_no_acknowledged_write(roster: Roster) -> None:
    ledger, chance = Ledger(), random.Random(1)
    roster.start("employees")
    for _ in range(ROUNDS):
        headers = {"Authorization": roster.bearer("employees")}
        await write_until_killed(roster.employees, ledger, [write_employees] * CLIENTS, headers, LEAST + chance.randrange(50))
        roster.start("employees")
        assert ledger.broken(rows(roster, "employees", "SELECT username, title FROM employees")) == {}
        length = await check_whole(roster, "employees", employees.models.log)
    events = read_feed(roster.employees.url, {"Authorization": roster.bearer("employees")})
    assert [int(event["id"].partition(".")[2]) for event in events] == list(range(1, length + 1))
    assert fold(events, "employee", "title") == rows(roster, "employees", "SELECT id, title FROM employees")


async def test_teams_lose_no_acknowledged_write(roster: Roster) -> None:
    ledger, chance = Ledger(), random.Random(2)
    del roster.teams.env["TEAMS_EMPLOYEES_URL"]
    roster.start("teams")
    for _ in range(ROUNDS):
        headers = {"Authorization": roster.bearer("teams")}
        await write_until_killed(roster.teams, ledger, [write_teams] * CLIENTS, headers, LEAST + chance.randrange(50))
        roster.start("teams")
        found = rows(roster, "teams", "SELECT slug, name FROM teams")
        found |= rows(
            roster, "teams", "SELECT slug || '/' || employee_id, role FROM memberships JOIN teams ON teams.id = memberships.team_id"
        )
        assert ledger.broken(found) == {}
        length = await check_whole(roster, "teams", teams.models.log)
    events = read_feed(roster.teams.url, {"Authorization": roster.bearer("teams")})
    assert [int(event["id"].partition(".")[2]) for event in events] == list(range(1, length + 1))
    assert fold(events, "team", "name") == rows(roster, "teams", "SELECT id, name FROM teams")
    assert fold(events, "membership", "role") == rows(roster, "teams", "SELECT id, role FROM memberships")


async def test_the_gateway_loses_no_acknowledged_write(roster: Roster) -> None:
    ledger, chance = Ledger(), random.Random(3)
    roster.gateway.env |= {"GATEWAY_LOG_IN_LIMIT": "0", "GATEWAY_LOG_IN_LIMIT_ADDRESS": "0"}
    roster.gateway.env["GATEWAY_REQUEST_TIMEOUT_MS"] = "10000"  # every password costs some 50 ms of a core, and many are asked for at once
    roster.start("employees", "gateway")
    admin = roster.log_in()
    for _ in range(ROUNDS):
        clients = [write_accounts] * 4 + [write_employees] * (CLIENTS - 4)
        some = partial(has_begun, ledger, len(sessions(ledger)) + 4)
        await write_until_killed(roster.gateway, ledger, clients, {"Cookie": admin}, LEAST + chance.randrange(50), some)
        roster.start("gateway")
        found = rows(roster, "employees", "SELECT username, title FROM employees")
        found |= rows(roster, "gateway", "SELECT 'account ' || username, role FROM accounts")
        found |= good_sessions(roster, sessions(ledger))
        assert ledger.broken(found) == {}
        await check_whole(roster, "gateway", gateway.models.log)
    await check_whole(roster, "employees", employees.models.log)


def sessions(ledger: Ledger) -> list[str]:
    """The keys of all sessions that were begun."""
    return [key for key in ledger.allowed if key.startswith("session ")]


def has_begun(ledger: Ledger, count: int) -> bool:
    """Whether there were so many sessions."""
    return len(sessions(ledger)) >= count


def good_sessions(roster: Roster, keys: list[str]) -> dict[str, str]:
    """Those of the cookies (after "session ") that the gateway takes."""
    good = {}
    with httpx.Client(base_url=roster.gateway.url) as client:
        for key in keys:
            answer = client.get("/v1/session", headers={"Cookie": key.removeprefix("session ")})
            assert answer.status_code in (200, 401), answer.text
            if answer.status_code == 200:
                good[key] = "good"
    return good
