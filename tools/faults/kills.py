"""Services that are killed (SIGKILL) in the middle of writes, again and again: nothing that they have acknowledged is lost.

Each function raises AssertionError saying what is missing.
"""

import random
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import httpx

import employees.store
import gateway.audit
import teams.store
from shared.audit import Audit
from shared.db import Database
from shared.testing.processes import Roster
from shared.testing.writers import Ledger, write_accounts, write_employees, write_teams, write_until_killed

CLIENTS: Final = 16
LEAST: Final = 100
"""Acknowledged writes before a kill."""


def rows(roster: Roster, service: str, query: str) -> dict[Any, Any]:
    """(key, state) rows of a service's database, read beside it."""
    connection = sqlite3.connect(f"file:{roster.database(service)}?mode=ro", uri=True)
    try:
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


async def check_whole(roster: Roster, service: str, audit: Audit) -> int:
    """The file is sound, and the chain of changes and the states that it tells of verify; the length of the chain."""
    connection = sqlite3.connect(f"file:{roster.database(service)}?mode=ro", uri=True)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    db = Database(f"sqlite:///{roster.database(service)}", readers=1)
    await db.open()
    try:
        return (await audit.verify(db)).seq
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


async def kill_employees(roster: Roster, rounds: int) -> Ledger:
    """Employees, killed so many times; what its clients were told."""
    ledger, chance = Ledger(), random.Random(1)  # noqa: S311 -- for repetition, not for secrets
    roster.start("employees")
    for _ in range(rounds):
        headers = {"Authorization": roster.bearer("employees")}
        await write_until_killed(roster.employees, ledger, [write_employees] * CLIENTS, headers, LEAST + chance.randrange(50))
        roster.start("employees")
        assert ledger.broken(rows(roster, "employees", "SELECT username, title FROM employees")) == {}
        length = await check_whole(roster, "employees", employees.store.AUDIT)
    events = read_feed(roster.employees.url, {"Authorization": roster.bearer("employees")})
    assert [int(event["id"].partition(".")[2]) for event in events] == list(range(1, length + 1))
    assert fold(events, "employee", "title") == rows(roster, "employees", "SELECT id, title FROM employees")
    return ledger


async def kill_teams(roster: Roster, rounds: int) -> Ledger:
    """Teams, as above; it runs alone."""
    ledger, chance = Ledger(), random.Random(2)  # noqa: S311 -- for repetition, not for secrets
    del roster.teams.env["TEAMS_EMPLOYEES_URL"]
    roster.start("teams")
    for _ in range(rounds):
        headers = {"Authorization": roster.bearer("teams")}
        await write_until_killed(roster.teams, ledger, [write_teams] * CLIENTS, headers, LEAST + chance.randrange(50))
        roster.start("teams")
        found = rows(roster, "teams", "SELECT slug, name FROM teams")
        found |= rows(
            roster, "teams", "SELECT slug || '/' || employee_id, role FROM memberships JOIN teams ON teams.id = memberships.team_id"
        )
        assert ledger.broken(found) == {}
        length = await check_whole(roster, "teams", teams.store.AUDIT)
    events = read_feed(roster.teams.url, {"Authorization": roster.bearer("teams")})
    assert [int(event["id"].partition(".")[2]) for event in events] == list(range(1, length + 1))
    assert fold(events, "team", "name") == rows(roster, "teams", "SELECT id, name FROM teams")
    assert fold(events, "membership", "role") == rows(roster, "teams", "SELECT id, role FROM memberships")
    return ledger


async def kill_gateway(roster: Roster, rounds: int) -> Ledger:
    """The gateway, as above: its own accounts and sessions, and people whom it passes on."""
    ledger, chance = Ledger(), random.Random(3)  # noqa: S311 -- for repetition, not for secrets
    roster.gateway.env |= {"GATEWAY_LOG_IN_LIMIT": "0", "GATEWAY_LOG_IN_LIMIT_ADDRESS": "0"}
    roster.gateway.env["GATEWAY_REQUEST_TIMEOUT_MS"] = "10000"  # every password costs some 50 ms of a core, and many are asked for at once
    roster.start("employees", "gateway")
    admin = roster.log_in()
    for _ in range(rounds):
        clients = [write_accounts] * 4 + [write_employees] * (CLIENTS - 4)
        some = partial(has_begun, ledger, len(sessions(ledger)) + 4)
        await write_until_killed(roster.gateway, ledger, clients, {"Cookie": admin}, LEAST + chance.randrange(50), some)
        roster.start("gateway")
        found = rows(roster, "employees", "SELECT username, title FROM employees")
        found |= rows(roster, "gateway", "SELECT 'account ' || username, role FROM accounts")
        found |= good_sessions(roster, sessions(ledger))
        assert ledger.broken(found) == {}
        await check_whole(roster, "gateway", gateway.audit.AUDIT)
    await check_whole(roster, "employees", employees.store.AUDIT)
    return ledger


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
