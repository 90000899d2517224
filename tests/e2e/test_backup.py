"""Back-up and restore as docs/operations.md tells it: taken while the services run, put back while they don't."""

import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from shared.testing.databases import postgresql_database
from shared.testing.processes import SERVICES, Process, Roster

KINDS = ("employees", "teams", "memberships")
PATIENCE = 30.0
pytestmark = pytest.mark.timeout(300)


class House:
    """The three services, and one admin who asks through the gateway."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.client = httpx.Client(base_url=roster.gateway.url, timeout=30, trust_env=False)

    def log_in(self) -> None:
        self.client.headers["Cookie"] = self.roster.log_in()

    def hire(self, name: str) -> int:
        answer = self.client.post("/v1/employees", json={"username": name, "email": f"{name}@roster.example"})
        return int(answer.raise_for_status().json()["id"])

    def join(self, team: int, person: int) -> None:
        self.client.put(f"/v1/teams/{team}/members/{person}", json={"role": "member"}).raise_for_status()

    def members(self, team: int) -> list[int]:
        answer = self.client.get(f"/v1/teams/{team}/members").raise_for_status()
        return [member["employee_id"] for member in answer.json()["items"]]

    def wait_for_members(self, team: int, wanted: list[int]) -> None:
        until = time.monotonic() + PATIENCE
        while (found := self.members(team)) != wanted:
            assert time.monotonic() < until, f"{found}\n{self.roster.teams.tail()}"
            time.sleep(0.05)

    def exports(self) -> dict[str, bytes]:
        return {kind: self.client.get(f"/v1/{kind}/export").raise_for_status().content for kind in KINDS}

    def cursors(self) -> dict[str, str]:
        """A path that goes on from a cursor, of every list that the gateway has."""
        next_of = {path: self.client.get(f"{path}?limit=1").raise_for_status().json()["next"] for path in LISTS}
        return {path: f"{path}?limit=1&cursor={cursor}" for path, cursor in next_of.items()}

    def feed(self, service: str, after: str | None = None) -> httpx.Response:
        process: Process = getattr(self.roster, service)
        query = {} if after is None else {"after": after}
        return httpx.get(f"{process.url}/v1/changes", params=query, headers={"Authorization": self.roster.bearer(service)})


LISTS = ("/v1/employees", "/v1/teams", "/v1/accounts")


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        urls = {}
        if request.param == "postgresql":
            urls = {f"{name.upper()}_DATABASE_URL": stack.enter_context(postgresql_database()) for name in SERVICES}
        house = House(stack.enter_context(Roster(tmp_path / "roster", env=urls)))
        stack.callback(house.client.close)
        house.roster.start(*SERVICES)
        house.log_in()
        yield house


def run(process: Process, *command: str | Path) -> None:
    """`python -m <service> <command>`, with the service's own settings."""
    program = [*process.command[:-1], *map(str, command)]
    done = subprocess.run(program, env=process.env, cwd="/", check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_everything_comes_back_as_it_was(house: House, tmp_path: Path) -> None:
    roster = house.roster
    people = [house.hire(name) for name in ("ada", "bob", "cleo")]
    team, _ = (
        house.client.post("/v1/teams", json={"slug": name, "name": name}).raise_for_status().json()["id"] for name in ("crew", "deck")
    )
    for person in people:
        house.join(team, person)
    house.client.post(
        "/v1/accounts", json={"username": "reader", "password": "a long enough pass phrase", "role": "viewer"}
    ).raise_for_status()
    before, cursors = house.exports(), house.cursors()
    feeds = {service: house.feed(service).raise_for_status().json()[-1]["id"] for service in ("teams", "employees")}
    for service in ("gateway", "teams", "employees"):
        run(getattr(roster, service), "backup", tmp_path / service)
        assert stat.S_IMODE((tmp_path / service).stat().st_mode) == 0o600

    house.client.delete(f"/v1/employees/{people[0]}").raise_for_status()
    house.join(team, house.hire("dora"))
    assert house.exports() != before
    assert all(house.client.get(path).status_code == 200 for path in cursors.values())
    for service in SERVICES:
        assert getattr(roster, service).stop() == 0
        run(getattr(roster, service), "restore", tmp_path / service)
    roster.start(*SERVICES)

    assert house.exports() == before  # with the session that was there when the backup was made
    assert {path: house.client.get(path).status_code for path in cursors.values()} == dict.fromkeys(cursors.values(), 410)
    assert {service: house.feed(service, after).status_code for service, after in feeds.items()} == dict.fromkeys(feeds, 410)
    house.client.delete(f"/v1/employees/{people[1]}").raise_for_status()
    house.wait_for_members(team, [people[0], people[2]])  # teams follows the restored feed


def test_who_was_hired_after_the_backup_leaves_the_teams_when_only_employees_are_restored(house: House, tmp_path: Path) -> None:
    roster = house.roster
    team = house.client.post("/v1/teams", json={"slug": "crew", "name": "Crew"}).raise_for_status().json()["id"]
    stays = house.hire("stays")
    run(roster.employees, "backup", tmp_path / "employees")
    later = house.hire("later")
    for person in (stays, later):
        house.join(team, person)
    known = house.client.get("/v1/employees").raise_for_status().json()["items"]
    assert [person["id"] for person in known] == house.members(team) == [stays, later]
    wait_until_followed(house, later)

    assert roster.employees.stop() == 0
    run(roster.employees, "restore", tmp_path / "employees")
    roster.start("employees")
    house.wait_for_members(team, [stays])


def wait_until_followed(house: House, person: int) -> None:
    """Until teams has heard of someone: it counts who is inactive out only when it knows that they are."""
    until = time.monotonic() + PATIENCE
    for status, wanted in (("inactive", False), ("active", True)):
        house.client.patch(f"/v1/employees/{person}", json={"status": status}).raise_for_status()
        while (person in house.members(1)) != wanted:
            assert time.monotonic() < until, house.roster.teams.tail()
            time.sleep(0.05)
