"""How far teams is behind employees: from the answer to a deletion until teams shows no membership of that person; at rest, and while
others write to employees.
"""

import http.client
import threading
import time
from typing import Self

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
        ids = _members(roster, 2 * scene.scale.deletions)
        at_rest = sorted(_lag(roster, employee_id) for employee_id in ids[::2])
        with Writing(roster, scene.scale.writes) as writing:
            busy = sorted(_lag(roster, employee_id) for employee_id in ids[1::2])
    said = f"{scene.scale.writes} writes/s were asked for, {writing.rate:,.0f}/s were answered; all processes share two cores"
    return [_figure(at_rest, "at rest", []), _figure(busy, f"at {writing.rate:,.0f} writes/s", [said])]


def _figure(lags: list[float], when: str, notes: list[str]) -> Figure:
    p50, p99 = lags[len(lags) // 2], lags[min(len(lags) - 1, int(len(lags) * 0.99))]
    what = f"teams behind employees {when}, {len(lags)} deletions"
    return Figure("lag", what, f"≤ {MOST:.0f} s", f"p50 {p50 * 1e3:,.0f} ms", "–", f"p99 {p99 * 1e3:,.0f} ms", p99 <= MOST, notes)


class Writing:
    """Changes of one employee's title at a pace, from threads, for the length of the block; `rate` is how many a second were answered."""

    def __init__(self, roster: Roster, rate: int, threads: int = 32) -> None:
        self.rate = 0.0
        self._roster, self._pause = roster, threads / rate
        self._done = threading.Event()
        self._answered = [0] * threads
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(threads)]
        self._started = 0.0

    def __enter__(self) -> Self:
        employees = _client(self._roster, "employees")
        for number in range(len(self._threads)):
            body = {"username": f"busy{number}", "email": f"busy{number}@roster.example"}
            self._answered[number] = employees.post("/v1/employees", json=body).raise_for_status().json()["id"]
        for thread in self._threads:
            thread.start()
        self._started = time.perf_counter()
        return self

    def __exit__(self, *details: object) -> None:
        seconds = time.perf_counter() - self._started
        self._done.set()
        for thread in self._threads:
            thread.join()
        self.rate = sum(self._answered) / seconds

    def _write(self, number: int) -> None:
        id_, self._answered[number] = self._answered[number], 0
        connection = http.client.HTTPConnection("127.0.0.1", self._roster.employees.port, timeout=30)
        due = time.perf_counter()
        while not self._done.is_set():
            headers = {"Authorization": self._roster.bearer("employees"), "Content-Type": "application/json"}
            connection.request("PATCH", f"/v1/employees/{id_}", f'{{"title": "{due}"}}', headers)
            answer = connection.getresponse()
            answer.read()
            self._answered[number] += answer.status == 200
            due += self._pause
            self._done.wait(max(0.0, due - time.perf_counter()))
        connection.close()


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
