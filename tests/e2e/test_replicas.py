"""Two processes of each service on one PostgreSQL: whichever of them a request reaches, the answer is the same.

`tests/e2e/test_organisation.py` loads whole organisations through such a deployment.
"""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Event
from typing import Any

import httpx
import pytest

import employees.models
import teams.models
from shared.changes import LogTables, verify
from shared.db import Database
from shared.testing.processes import SERVICES
from shared.testing.replicas import Replicas
from tests.e2e.conftest import replicated

pytestmark = pytest.mark.timeout(300)
FEED_WAIT = 5
"""Seconds that a reader of a feed waits for news; the last answer of a reading takes so long."""


class Side:
    """One process of a service, asked over a connection that it holds."""

    def __init__(self, replicas: Replicas, service: str, number: int) -> None:
        self._replicas, self._service = replicas, service
        self.process = replicas.pairs[service][number]
        self.client = replicas.client(self.process)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": self._replicas.bearer(self._service), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def make(self, path: str, **document: Any) -> int:
        return int(self("POST", path, json=document).raise_for_status().json()["id"])


Sides = Callable[[str], tuple[Side, Side]]
FIRST_VERSION = {"If-Match": '"1"'}
names = map("person{}".format, itertools.count())


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    with replicated() as replicas:
        yield replicas
        assert [process.stop() for service in reversed(SERVICES) for process in replicas.pairs[service]] == [0] * 6


@pytest.fixture
def sides(replicas: Replicas) -> Iterator[Sides]:
    """Both processes of a service."""
    with ExitStack() as open_clients:

        def both(service: str) -> tuple[Side, Side]:
            found = Side(replicas, service, 0), Side(replicas, service, 1)
            for side in found:
                open_clients.callback(side.client.close)
            return found

        yield both


def hire(side: Side, **fields: Any) -> int:
    name = next(names)
    return side.make("/v1/employees", username=name, email=f"{name}@roster.example", **fields)


def at_once(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Their answers, asked for at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [one.result() for one in [pool.submit(call) for call in calls]]


def read_feed(readers: Iterator[Side], until: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The events from the first on, each request by the next reader, until there are enough."""
    events: list[dict[str, Any]] = []
    while not until(events):
        after = {"after": events[-1]["id"]} if events else {}
        events += next(readers)("GET", "/v1/changes", params={"limit": 100, "wait": FEED_WAIT, **after}).raise_for_status().json()
    return events


def places(events: list[dict[str, Any]]) -> list[int]:
    return [int(event["id"].partition(".")[2]) for event in events]


async def check_chain(replicas: Replicas, service: str, log: LogTables) -> int:
    """The log's hashes fit one another; its length."""
    db = Database(replicas.pairs[service][0].env[f"{service.upper()}_DATABASE_URL"], readers=1)
    await db.open()
    try:
        return await verify(db, log)
    finally:
        await db.close()


def test_what_one_writes_the_other_reads_at_once(sides: Sides) -> None:
    one, other = sides("employees")
    for writer, reader in [(one, other), (other, one)] * 10:
        made = hire(writer, title="Engineer")
        read = reader("GET", f"/v1/employees/{made}").raise_for_status()
        assert read.json()["title"] == "Engineer"
        reader("PATCH", f"/v1/employees/{made}", json={"title": "Pilot"}, headers={"If-Match": read.headers["ETag"]}).raise_for_status()
        assert writer("GET", f"/v1/employees?id={made}&q=pilot").raise_for_status().json()["items"][0]["version"] == 2
        writer("DELETE", f"/v1/employees/{made}").raise_for_status()
        assert reader("GET", f"/v1/employees/{made}").status_code == 404


def test_of_two_changes_of_one_version_one_is_refused(sides: Sides) -> None:
    one, other = sides("employees")
    for _ in range(20):
        path = f"/v1/employees/{hire(one)}"
        found = at_once(
            partial(one, "PATCH", path, json={"title": "First"}, headers=FIRST_VERSION),
            partial(other, "PATCH", path, json={"title": "Second"}, headers=FIRST_VERSION),
        )
        assert sorted(answer.status_code for answer in found) == [200, 412]
        kept = next(answer for answer in found if answer.status_code == 200)
        assert one("GET", path).json() == kept.json()


def test_a_post_that_reaches_both_is_done_once(sides: Sides) -> None:
    one, other = sides("employees")
    for _ in range(20):
        name = next(names)
        once = {"json": {"username": name, "email": f"{name}@roster.example"}, "headers": {"Idempotency-Key": f"key-{name}"}}
        found = at_once(partial(one, "POST", "/v1/employees", **once), partial(other, "POST", "/v1/employees", **once))
        assert [answer.status_code for answer in found] == [201, 201]
        assert found[0].json() == found[1].json()


def test_two_that_become_each_other_s_manager_make_no_loop(sides: Sides) -> None:
    one, other = sides("employees")
    for _ in range(20):
        a, b = hire(one), hire(other)
        found = at_once(
            partial(one, "PATCH", f"/v1/employees/{a}", json={"manager_id": b}),
            partial(other, "PATCH", f"/v1/employees/{b}", json={"manager_id": a}),
        )
        assert sorted(answer.status_code for answer in found) == [200, 422]


async def test_one_log_has_one_order_whoever_writes_and_whoever_reads(replicas: Replicas, sides: Sides) -> None:
    one, other = sides("employees")
    readers = sides("employees")
    before = await check_chain(replicas, "employees", employees.models.log)
    count = 200

    def write(side: Side) -> None:
        for _ in range(count):
            hire(side)

    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(write, side) for side in (one, other)]
        followed = read_feed(itertools.cycle(readers), lambda events: len(events) >= before + 2 * count)
        for writer in writing:
            writer.result()
    assert await check_chain(replicas, "employees", employees.models.log) == before + 2 * count
    assert places(followed) == list(range(1, before + 2 * count + 1))
    for reader in readers:
        assert read_feed(itertools.repeat(reader), lambda events: len(events) >= len(followed)) == followed


def test_a_session_is_good_at_either_gateway_and_ends_at_both(replicas: Replicas, sides: Sides) -> None:
    one, other = sides("gateway")
    for began, went_on in [(one, other), (other, one)]:
        answer = began.client.post("/v1/session", auth=("admin", replicas.admin_password())).raise_for_status()
        session = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        name = next(names)
        made = {"username": name, "email": f"{name}@roster.example"}
        employee = went_on.client.post("/v1/employees", json=made, headers=session).raise_for_status().json()
        assert began.client.get(f"/v1/employees/{employee['id']}", headers=session).raise_for_status().json() == employee
        began.client.delete("/v1/session", headers=session).raise_for_status()
        assert began.client.get("/v1/employees", headers=session).status_code == 401
        while went_on.client.get("/v1/employees", headers=session).status_code != 401:
            pass  # within a second; the test's own time limit ends this


@pytest.mark.parametrize("killed", [False, True], ids=["both live", "one killed in the middle"])
async def test_who_leaves_leaves_every_team_once(replicas: Replicas, sides: Sides, killed: bool) -> None:
    one, other = sides("employees")
    first, second = sides("teams")
    team = first.make("/v1/teams", slug=next(names), name="Crew")
    people = [hire(one) for _ in range(100)]
    for person in people:
        second("PUT", f"/v1/teams/{team}/members/{person}", json={"role": "member"}).raise_for_status()
    halfway = Event()

    def leave(side: Side, some: list[int]) -> None:
        for number, person in enumerate(some):
            side("DELETE", f"/v1/employees/{person}").raise_for_status()
            if number == len(some) // 2:
                halfway.set()

    with ThreadPoolExecutor(2) as pool:
        leaving = [pool.submit(leave, side, some) for side, some in [(one, people[::2]), (other, people[1::2])]]
        if killed:
            halfway.wait()
            second.process.kill()
        for some in leaving:
            some.result()
    members = f"/v1/teams/{team}/members?include=inactive&count=true"
    while first("GET", members).raise_for_status().json()["total"]:
        pass  # the test's own time limit ends this
    if killed:
        second.process.start()
        replicas.client(second.process).close()
    length = await check_chain(replicas, "teams", teams.models.log)
    events = read_feed(itertools.repeat(first), lambda events: len(events) >= length)
    ended = [event for event in events if event["type"] == "roster.membership.deleted" and event["subject"] in subjects(events, team)]
    assert len(ended) == len({event["subject"] for event in ended}) == len(people)
    assert {event["actor"] for event in ended} == {"service:employees-feed"}


def subjects(events: list[dict[str, Any]], team: int) -> set[str]:
    """The memberships of a team, as the feed names them."""
    return {event["subject"] for event in events if event["data"] and event["data"].get("team_id") == team}
