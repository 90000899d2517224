"""Teams follows employees while both are killed again and again under writes: in the end it knows what an undisturbed follower would."""

import asyncio
import os
import random
import sqlite3
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest

from shared.testing.processes import Roster
from tests.faults.conftest import PATIENCE

KILLS = int(os.environ.get("ROSTER_FOLLOWER_KILLS", "10"))
TEAMS, PEOPLE = 3, 40

pytestmark = pytest.mark.timeout(600)


class Services:
    """Both services, asked past the gateway; a service that was killed may give no answer."""

    def __init__(self, roster: Roster, http: httpx.AsyncClient) -> None:
        self._roster, self._http = roster, http

    async def __call__(self, service: str, method: str, path: str, **options: Any) -> httpx.Response:
        url = {"employees": self._roster.employees.url, "teams": self._roster.teams.url}[service]
        return await self._http.request(method, url + path, headers={"Authorization": self._roster.bearer(service)}, **options)

    async def feed(self, service: str) -> list[dict[str, Any]]:
        """Every event."""
        events: list[dict[str, Any]] = []
        while True:
            after = {"after": events[-1]["id"]} if events else {}
            batch = (await self(service, "GET", "/v1/changes", params={"limit": 1000, **after})).raise_for_status().json()
            if not batch:
                return events
            events += batch

    async def write(self, chance: random.Random) -> None:
        """People come, join, are away, are back and leave, for ever. What meets a dead service is tried no second time."""
        while True:
            person, team = chance.randrange(1, 3 * PEOPLE), chance.randrange(1, TEAMS + 1)
            name = f"u{chance.random()}"
            service, method, path, body = chance.choice(
                [
                    ("employees", "POST", "/v1/employees", {"username": name, "email": f"{name}@roster.example"}),
                    ("employees", "PATCH", f"/v1/employees/{person}", {"status": chance.choice(["active", "inactive"])}),
                    ("employees", "DELETE", f"/v1/employees/{person}", None),
                    ("teams", "PUT", f"/v1/teams/{team}/members/{person}", {"role": chance.choice(["lead", "member"])}),
                    ("teams", "PUT", f"/v1/teams/{team}/members/{person}", {"role": "member"}),
                ]
            )
            with suppress(httpx.HTTPError):
                await self(service, method, path, json=body)
            await asyncio.sleep(0.005)


def people(events: list[dict[str, Any]]) -> dict[int, str]:
    """What an undisturbed follower knows: a status by id."""
    found = {}
    for event in events:
        found[int(event["subject"].partition("/")[2])] = "deleted" if event["data"] is None else event["data"]["status"]
    return found


def known(roster: Roster) -> dict[int, str]:
    """What teams knows."""
    with closing(sqlite3.connect(f"file:{roster.database('teams')}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT employee_id, CASE WHEN deleted THEN 'deleted' ELSE status END FROM people").fetchall()
        away = database.execute("SELECT employee_id FROM absences WHERE at_to IS NULL").fetchall()
    found = dict(rows)
    assert sorted(id_ for (id_,) in away) == sorted(id_ for id_, status in found.items() if status != "active")
    return found


async def caught_up(roster: Roster, services: Services) -> dict[int, str]:
    """Whom teams knows, once it has read all."""
    wanted = people(await services.feed("employees"))
    async with asyncio.timeout(PATIENCE):
        while known(roster) != wanted:  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)
    return wanted


async def check_members(services: Services, staff: dict[int, str]) -> None:
    """Nobody who left is in a team, whoever is inactive is left out of lists, and each membership has ended once."""
    members = [event for event in await services.feed("teams") if event["subject"].startswith("membership/")]
    ended = [event["subject"] for event in members if event["data"] is None]
    assert len(ended) == len(set(ended))
    assert {event["actor"] for event in members if event["data"] is None} == {"service:employees-feed"}
    here = {event["subject"]: event["data"] for event in members}
    left = [data["employee_id"] for data in here.values() if data is not None]
    assert [id_ for id_ in left if staff.get(id_) == "deleted"] == []
    for team in range(1, TEAMS + 1):
        page = (await services("teams", "GET", f"/v1/teams/{team}/members", params={"limit": 200})).raise_for_status().json()
        of_team = [data["employee_id"] for data in here.values() if data is not None and data["team_id"] == team]
        assert [one["employee_id"] for one in page["items"]] == sorted(id_ for id_ in of_team if staff.get(id_, "active") == "active")


@pytest.mark.parametrize("seed", [int(os.environ.get("ROSTER_FOLLOWER_SEED", "1"))])
async def test_whoever_is_killed_teams_ends_where_an_undisturbed_follower_does(roster: Roster, seed: int) -> None:
    chance = random.Random(seed)
    roster.start("employees", "teams")
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        services = Services(roster, http)
        for number in range(1, TEAMS + 1):
            (await services("teams", "POST", "/v1/teams", json={"slug": f"t{number}", "name": f"Team {number}"})).raise_for_status()
        writing = [asyncio.create_task(services.write(random.Random(seed + number))) for number in (1, 2, 3)]
        for number in range(KILLS):
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            process = (roster.teams, roster.employees)[number % 2]
            process.kill()
            await asyncio.sleep(chance.uniform(0, 0.2))
            process.start()
            await asyncio.to_thread(process.wait_ready)
        for task in writing:
            task.cancel()
        ended = await asyncio.gather(*writing, return_exceptions=True)
        assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []
        staff = await caught_up(roster, services)
        assert set(staff.values()) == {"active", "inactive", "deleted"}
        await check_members(services, staff)


async def test_the_lag_is_told(roster: Roster) -> None:
    """Teams holds still for a second after a change: so much it was behind."""
    roster.start("employees", "teams")
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        services = Services(roster, http)
        await caught_up(roster, services)
        with roster.teams.frozen():
            body = {"username": "ada", "email": "ada@roster.example"}
            (await services("employees", "POST", "/v1/employees", json=body)).raise_for_status()
            await asyncio.sleep(1)
        await caught_up(roster, services)
        details = (await services("teams", "GET", "/readyz")).json()["details"]["employees"]
        assert details["lag_seconds"] >= 1
        metrics = (await services("teams", "GET", "/metrics")).text
        (line,) = (line for line in metrics.splitlines() if line.startswith("employees_feed_lag_seconds"))
        assert float(line.split()[1]) >= 1
