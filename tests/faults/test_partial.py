"""One service stopped, killed or frozen: the others answer in time, and say which part is missing."""

import http.client
import time
from typing import Any

import msgspec
import pytest

from shared.testing.processes import Roster

WITHIN = 4.0
"""Seconds: the gateway's own deadline is 2; the rest is for a busy machine."""


class Client:
    """Requests to the gateway in one session, and how long each took."""

    def __init__(self, roster: Roster) -> None:
        self._port = roster.gateway.port
        self._cookie = ""
        login = msgspec.json.encode({"username": "admin", "password": roster.admin_password()})
        response, _ = self._send("POST", "/v1/session", login)
        self._cookie = response.headers["Set-Cookie"].partition(";")[0]

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        begun = time.monotonic()
        response, text = self._send(method, path, None if body is None else msgspec.json.encode(body))
        assert time.monotonic() - begun < WITHIN
        document = msgspec.json.decode(text) if text and "json" in response.headers["Content-Type"] else text
        return response.status, {name.lower(): value for name, value in response.headers.items()}, document

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            headers = {"Cookie": self._cookie, **({"Content-Type": "application/json"} if body is not None else {})}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


@pytest.fixture
def client(roster: Roster) -> Client:
    """A small directory: ada leads bea, both are in the team core, which is under all."""
    roster.start("employees", "teams", "gateway")
    client = Client(roster)
    assert client("POST", "/v1/employees", {"username": "ada", "email": "ada@example.org"})[0] == 201
    assert client("POST", "/v1/employees", {"username": "bea", "email": "bea@example.org", "manager_id": 1})[0] == 201
    assert client("POST", "/v1/teams", {"slug": "all", "name": "All"})[0] == 201
    assert client("POST", "/v1/teams", {"slug": "core", "name": "Core", "parent_id": 1})[0] == 201
    for employee_id in (1, 2):
        assert client("PUT", f"/v1/teams/2/members/{employee_id}", {"role": "member"})[0] == 201
    return client


def parts_missing(document: Any) -> list[tuple[str, int]]:
    return [(part["part"], part["status"]) for part in document.get("_parts", [])]


def test_everything_is_there_while_everything_runs(client: Client) -> None:
    _, headers, document = client("GET", "/v1/employees/2?expand=manager,teams,reports")
    assert headers["x-gateway-complete"] == "true"
    assert document["manager"]["username"] == "ada"
    assert [one["team"]["slug"] for one in document["teams"]["items"]] == ["core"]
    _, _, chart = client("GET", "/v1/org-chart?root=1")
    assert [one["username"] for one in chart["root"]["reports"]] == ["bea"]
    _, _, table = client("GET", "/v1/memberships/export")
    assert [line.split(b",")[:2] for line in table.splitlines()[1:]] == [[b"core", b"ada"], [b"core", b"bea"]]


def comes_back(client: Client, path: str) -> bool:
    """Whether a path answers again, once an open breaker has looked after the service."""
    end = time.monotonic() + 30
    while client("GET", path)[0] != 200:
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_without_employees_teams_go_on(roster: Roster, client: Client) -> None:
    roster.employees.kill()
    assert client("GET", "/v1/teams/2")[0] == 200
    assert client("PATCH", "/v1/teams/2", {"name": "The core"})[0] == 200
    status, headers, document = client("GET", "/v1/teams/2?expand=members,parent,subteams")
    assert (status, headers["x-gateway-complete"]) == (200, "false")
    assert parts_missing(document) == [("members.employee", 503)]
    assert [(one["employee_id"], one["employee"]) for one in document["members"]["items"]] == [(1, None), (2, None)]
    assert document["parent"]["slug"] == "all"
    status, _, document = client("GET", "/v1/search?q=core")
    assert (status, document["employees"], document["teams"]["items"][0]["slug"]) == (200, None, "core")
    assert parts_missing(document) == [("employees", 503)]
    for method, path in (("GET", "/v1/employees/1"), ("GET", "/v1/org-chart?root=1"), ("PUT", "/v1/teams/2/members/1")):
        status, headers, document = client(method, path, {} if method == "PUT" else None)
        assert status == 503, "refused, or the breaker is open"
        assert 1 <= int(headers["retry-after"]) <= 6
        assert "employees" in document["detail"]
    assert client("GET", "/readyz")[0] == 200
    roster.employees.start()
    roster.employees.wait_ready()
    assert comes_back(client, "/v1/employees/1")


def test_without_teams_employees_go_on(roster: Roster, client: Client) -> None:
    roster.teams.kill()
    assert client("PATCH", "/v1/employees/1", {"title": "Countess"})[0] == 200
    status, headers, document = client("GET", "/v1/employees/2?expand=manager,teams")
    assert (status, headers["x-gateway-complete"]) == (200, "false")
    assert (document["teams"], document["manager"]["username"]) == (None, "ada")
    assert parts_missing(document) == [("teams", 503)]
    assert client("GET", "/v1/memberships/export")[0] == 503


def test_a_frozen_service_costs_no_more_than_the_deadline(roster: Roster, client: Client) -> None:
    with roster.employees.frozen():
        status, _, document = client("GET", "/v1/employees/1")
        assert status == 504
        assert "employees" in document["detail"]
        status, _, document = client("GET", "/v1/teams/2?expand=members,parent")
        assert (status, parts_missing(document)) == (200, [("members.employee", 504)])
        assert document["parent"]["slug"] == "all"
        assert client("PUT", "/v1/teams/2/members/1", {})[0] == 504
    assert comes_back(client, "/v1/employees/1")
