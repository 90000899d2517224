"""How far teams is behind employees: from the answer to a deletion until teams shows no membership of that person."""

import time

import httpx

from bench.machine import LOAD_CORE
from bench.scene import Figure, Scene
from shared.testing.processes import Roster

MOST = 2.0
LIMIT = 30.0


def measure(scene: Scene) -> list[Figure]:
    with scene:
        roster = scene.roster()
        roster.teams.core = LOAD_CORE
        roster.start("employees", "teams")
        ids = _members(roster, scene.scale.deletions)
        lags = sorted(_lag(roster, employee_id) for employee_id in ids)
    p50, p99 = lags[len(lags) // 2], lags[min(len(lags) - 1, int(len(lags) * 0.99))]
    what = f"teams behind employees, {len(lags)} deletions"
    return [Figure("lag", what, f"≤ {MOST:.0f} s", f"p50 {p50 * 1e3:,.0f} ms", "–", f"p99 {p99 * 1e3:,.0f} ms", p99 <= MOST)]


def _members(roster: Roster, count: int) -> list[int]:
    """New people who are all in one team, once teams knows of them."""
    employees = _client(roster, "employees")
    rows = "username,email\n" + "".join(f"leaver{n},leaver{n}@roster.example\n" for n in range(count))
    employees.post("/v1/employees/import", content=rows, headers={"Content-Type": "text/csv"}).raise_for_status()
    ids = [employees.get("/v1/employees", params={"username": f"leaver{n}"}).json()["items"][0]["id"] for n in range(count)]
    teams = _client(roster, "teams")
    team = teams.post("/v1/teams", json={"slug": "leavers", "name": "Leavers"}).raise_for_status().json()["id"]
    for employee_id in ids:
        teams.put(f"/v1/teams/{team}/members/{employee_id}", json={"role": "member"}).raise_for_status()
    return ids


def _lag(roster: Roster, employee_id: int) -> float:
    teams = _client(roster, "teams")
    assert _memberships(teams, employee_id) == 1
    _client(roster, "employees").delete(f"/v1/employees/{employee_id}").raise_for_status()
    started = time.perf_counter()
    while _memberships(teams, employee_id):
        assert time.perf_counter() - started < LIMIT, f"the membership of {employee_id} did not end: {roster.teams.tail()}"
        time.sleep(0.002)
    return time.perf_counter() - started


def _memberships(teams: httpx.Client, employee_id: int) -> int:
    answer = teams.get("/v1/memberships", params={"employee_id": employee_id, "include": "inactive"}).raise_for_status()
    return len(answer.json()["items"])


def _client(roster: Roster, service: str) -> httpx.Client:
    url = {"employees": roster.employees.url, "teams": roster.teams.url}[service]
    return httpx.Client(base_url=url, headers={"Authorization": roster.bearer(service)})
