"""Teams and the gateway follow employees: the services as real processes, killed on either side."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from quart import Quart

from employees import create_app
from employees.config import Settings
from shared.feedclient import Event
from shared.testing.processes import Roster
from teams.clients import RULES

PATIENCE = 20.0


class Directory:
    """Calls employees and teams as the gateway would."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._client = httpx.Client(trust_env=False, timeout=5)

    def call(self, service: str, method: str, path: str, json: Any = None) -> Any:
        url = getattr(self.roster, service).url + path
        response = self._client.request(method, url, json=json, headers={"Authorization": self.roster.bearer(service)})
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def hire(self, name: str) -> int:
        return int(self.call("employees", "POST", "/v1/employees", {"username": name, "email": f"{name}@example.org"})["id"])

    def members(self, query: str = "") -> list[int]:
        return [item["employee_id"] for item in self.call("teams", "GET", f"/v1/teams/1/members{query}")["items"]]

    def becomes(self, wanted: list[int], query: str = "") -> None:
        """Waits until these are the members of the team."""
        self.until(lambda: self.members(query) == wanted)

    def until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, self.roster.teams.tail()
            time.sleep(0.02)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    with Roster(tmp_path / "roster") as roster:
        roster.start("employees", "teams")
        found = Directory(roster)
        found.call("teams", "POST", "/v1/teams", {"slug": "core", "name": "Core"})
        yield found
        found._client.close()


def join(directory: Directory, *employees: int) -> None:
    for employee in employees:
        directory.call("teams", "PUT", f"/v1/teams/1/members/{employee}", {})


def test_what_happens_to_employees_is_seen_in_teams(directory: Directory) -> None:
    ada, bob, eve = (directory.hire(name) for name in ("ada", "bob", "eve"))
    join(directory, ada, bob, eve)
    directory.call("employees", "PATCH", f"/v1/employees/{bob}", {"status": "inactive"})
    directory.becomes([ada, eve])
    assert directory.members("?include=inactive") == [ada, bob, eve]
    directory.call("employees", "PATCH", f"/v1/employees/{bob}", {"status": "active"})
    directory.becomes([ada, bob, eve])
    directory.call("employees", "DELETE", f"/v1/employees/{eve}")
    directory.becomes([ada, bob], "?include=inactive")
    with pytest.raises(AssertionError, match="deleted"):
        join(directory, eve)


def test_a_kill_on_either_side_loses_and_repeats_nothing(directory: Directory) -> None:
    staff = [directory.hire(f"person-{number}") for number in range(8)]
    join(directory, *staff)
    killed = itertools.cycle([directory.roster.teams, directory.roster.employees])
    for leaver, process in zip(staff[:-1], killed, strict=False):
        directory.call("employees", "DELETE", f"/v1/employees/{leaver}")
        process.kill()
        process.start()
        process.wait_ready()
    directory.becomes([staff[-1]], "?include=inactive")
    events = directory.call("teams", "GET", "/v1/changes?limit=1000")
    ended = [event["subject"] for event in events if event["type"] == "roster.membership.deleted"]
    assert len(ended) == len(set(ended)) == len(staff) - 1


def test_teams_answers_while_employees_is_away(directory: Directory) -> None:
    ada = directory.hire("ada")
    join(directory, ada)
    directory.roster.employees.kill()
    directory.until(lambda: _details(directory)["status"] == "failing")
    assert directory.members() == [ada]
    directory.roster.employees.start()
    directory.until(lambda: _details(directory)["status"] == "following")


def _details(directory: Directory) -> Any:
    return directory.call("teams", "GET", "/readyz")["details"]["employees"]


def test_an_account_ends_with_its_employee_whoever_is_killed_meanwhile(tmp_path: Path) -> None:
    with Roster(tmp_path / "roster") as roster, httpx.Client(trust_env=False, timeout=30) as client:
        roster.start("employees", "gateway")

        def call(method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
            return client.request(method, roster.gateway.url + path, json=json, headers=headers)

        admin = {"Cookie": roster.log_in()}
        person = call("POST", "/v1/employees", {"username": "ada", "email": "ada@example.org"}, **admin).json()["id"]
        account = call("POST", "/v1/accounts", {"username": "ada", "password": "punched cards all over", "role": "editor"}, **admin).json()
        path = f"/v1/accounts/{account['id']}"
        assert call("PATCH", path, {"employee_id": person}, **admin).json()["employee_id"] == person
        basic = ("ada", "punched cards all over")
        made = client.post(f"{roster.gateway.url}/v1/tokens", json={"name": "import", "scope": "write"}, auth=basic)
        token = {"Authorization": f"Bearer {made.json()['token']}"}
        assert call("GET", "/v1/employees", **token).status_code == 200
        call("DELETE", f"/v1/employees/{person}", **admin)
        roster.gateway.kill()
        roster.employees.kill()
        roster.start("employees", "gateway")
        until = time.monotonic() + PATIENCE
        while not call("GET", path, **admin).json()["disabled"]:
            assert time.monotonic() < until, roster.gateway.tail()
            time.sleep(0.02)
        time.sleep(1)
        assert call("GET", "/v1/employees", **token).status_code == 401


@pytest.fixture
def employees(tmp_path: Path) -> Quart:
    return create_app(Settings(open=True, database_url=f"sqlite:///{tmp_path / 'employees.db'}", log_level="error"))


def test_every_rule_of_the_client_is_its_owner_s(employees: Quart) -> None:
    owned = {
        (rule.rule, rule.endpoint.rpartition(".")[2], method) for rule in employees.url_map.iter_rules() for method in rule.methods or ()
    }
    used = {(rule.rule, rule.endpoint, method) for rule in RULES.iter_rules() for method in rule.methods or () if method != "HEAD"}
    assert used <= owned


async def test_every_field_that_the_client_reads_is_given(employees: Quart) -> None:
    async with employees.test_app() as running:
        client = running.test_client()
        local: Any = {"server": ("127.0.0.1", 8001)}
        made = await client.post("/v1/employees", json={"username": "ada", "email": "ada@example.org"}, scope_base=local)
        person = await made.get_json()
        (event,) = await (await client.get("/v1/changes?limit=500&wait=0", scope_base=local)).get_json()
    assert set(Event.__struct_fields__) - {"erased"} <= event.keys()
    assert event["data"] == person
    assert (event["type"], event["subject"]) == ("roster.employee.created", f"employee/{person['id']}")
    assert {name: person[name] for name in ("id", "username", "status")} == {"id": 1, "username": "ada", "status": "active"}
    assert person["created_at"] == event["time"]
