"""A directory to be asked for: some people, a team and its members."""

import time

import httpx

from shared.testing.processes import Roster

PATIENCE = 60.0


def fill(roster: Roster, people: int = 200) -> str:
    """Start the services, bring people and a team of five in, and log in; the session's cookie."""
    roster.start("employees", "teams", "gateway")
    cookie = roster.log_in()
    bring_in(roster.gateway.url, cookie, people)
    return cookie


def bring_in(url: str, cookie: str, people: int = 200) -> None:
    """People, and a team of five, through the gateway."""
    with httpx.Client(base_url=url, headers={"Cookie": cookie}, timeout=PATIENCE) as client:
        rows = "username,email,display_name\n" + "".join(f"person{n},person{n}@roster.example,Person {n}\n" for n in range(1, people + 1))
        client.post("/v1/employees/import", content=rows, headers={"Content-Type": "text/csv"}).raise_for_status()
        client.post("/v1/teams", json={"slug": "crew", "name": "Crew"}).raise_for_status()
        for employee_id in range(1, min(people, 5) + 1):
            client.put(f"/v1/teams/1/members/{employee_id}", json={"role": "member"}).raise_for_status()


def await_well(roster: Roster, cookie: str) -> None:
    """Returns when the gateway reads from both services and writes to them again: a breaker may be open for a while."""
    until = time.monotonic() + PATIENCE
    asked = [("GET", "/v1/employees/1"), ("GET", "/v1/teams/1"), ("PATCH", "/v1/employees/1"), ("PATCH", "/v1/teams/1")]
    headers = {"Cookie": cookie, "Content-Type": "application/merge-patch+json"}
    with httpx.Client(base_url=roster.gateway.url, headers=headers, timeout=PATIENCE) as client:
        while failed := [found for method, path in asked if (found := client.request(method, path, content=b"{}")).status_code != 200]:
            assert time.monotonic() < until, f"not well again after {PATIENCE} s: {failed[0].text}"
            time.sleep(0.1)
