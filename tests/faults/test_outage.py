"""With employees stopped, teams goes on alone in time, and catches up when employees is back. (The gateway's part: test_partial.py.)"""

from contextlib import ExitStack

import httpx
import pytest

from shared.testing.processes import Roster

IN_TIME = 5.0
"""Seconds after which a client gives up; a service that asks nobody else needs far less."""


def at(roster: Roster, service: str) -> httpx.Client:
    url = {"employees": roster.employees.url, "teams": roster.teams.url}[service]
    return httpx.Client(base_url=url, headers={"Authorization": roster.bearer(service)}, timeout=IN_TIME)


@pytest.mark.parametrize("how", ["frozen", "gone"])
def test_teams_goes_on_without_employees_and_catches_up(roster: Roster, how: str) -> None:
    roster.start("employees", "teams")
    with at(roster, "employees") as employees, at(roster, "teams") as teams, ExitStack() as outage:
        ids = [
            employees.post("/v1/employees", json={"username": name, "email": f"{name}@roster.example"}).raise_for_status().json()["id"]
            for name in ("stays", "leaves")
        ]
        team = teams.post("/v1/teams", json={"slug": "crew", "name": "Crew"}).raise_for_status().json()["id"]
        members = f"/v1/teams/{team}/members"
        if how == "frozen":
            employees.delete(f"/v1/employees/{ids[1]}").raise_for_status()
            outage.enter_context(roster.employees.frozen())
        else:
            roster.employees.kill()
        assert teams.get("/readyz").status_code == 200
        assert teams.put(f"{members}/{ids[0]}", json={"role": "member"}).is_success
        assert [member["employee_id"] for member in teams.get(members).raise_for_status().json()["items"]] == [ids[0]]
        outage.close()
        if how == "gone":
            roster.start("employees")
        employees.delete(f"/v1/employees/{ids[0]}").raise_for_status()
        while teams.get("/v1/memberships", params={"employee_id": ids[0], "include": "inactive"}).raise_for_status().json()["items"]:
            pass  # the test's own time limit ends this


def test_all_three_end_cleanly_when_told_to(roster: Roster) -> None:
    roster.start("employees", "teams", "gateway")
    with at(roster, "teams") as teams:
        teams.get("/v1/teams").raise_for_status()  # a kept connection must not hold the end up
        assert [service.stop() for service in (roster.gateway, roster.teams, roster.employees)] == [0, 0, 0]
