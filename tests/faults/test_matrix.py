"""Each fault of a network on each link between real services, to a read and a write: an answer in time and of the right kind, nothing
left behind, and all well when the fault is over.

The services talk to each other through `shared.testing.proxy`. ROSTER_FAULT_ROUNDS repeats all of it.
"""

import itertools
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from shared.testing.databases import postgresql_database
from shared.testing.processes import Roster
from shared.testing.proxy import Bandwidth, Down, Fault, Latency, Limit, On, Proxy, Reset, Slicer, SlowClose, Timeout
from shared.testing.rest import Rest

ROUNDS = int(os.environ.get("ROSTER_FAULT_ROUNDS", "1"))
LONG = 10_000
SHORT = 400
"""Milliseconds that a request may take: what must succeed has time, what can't succeed is soon over."""
FOR_EVER = 60.0
PATIENCE = 30.0
"""Seconds of a client before it takes an answer for a hang: far more than any deadline, since the machine may be busy."""

pytestmark = pytest.mark.timeout(300)
Outcome = int | str
"""A status, or how the client saw its connection end."""
GOOD: set[Outcome] = {200, 201}
CUT: set[Outcome] = {"ReadError", "RemoteProtocolError", "WriteError"}
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Cell:
    """A fault, and what a request through it may come to."""

    name: str
    fault: Fault
    outcomes: set[Outcome]
    on: On = "both"
    ms: int = SHORT
    patience: float = PATIENCE


WELL = [
    Cell("a little latency", Latency(0.02), GOOD, ms=LONG),
    Cell("a slow close", SlowClose(0.5), GOOD, ms=LONG),
    Cell("a slicer", Slicer(100, 0.001), GOOD, ms=LONG),
]
"""Faults that cost time and nothing else, on whichever link."""

UPSTREAM = [
    *WELL,
    Cell("latency", Latency(FOR_EVER), {504}),
    Cell("bandwidth", Bandwidth(200), {504}),
    Cell("a timeout", Timeout(), {504}),
    Cell("a timeout that closes", Timeout(0.05), {502}, ms=LONG),
    Cell("a reset", Reset(), {502}, ms=LONG),
    Cell("a reset instead of the answer", Reset(), {502}, "answers", ms=LONG),
    Cell("a limit within the head", Limit(40), {502}, "answers", ms=LONG),
    Cell("a limit within the body", Limit(350), {502, *CUT}, "answers", ms=LONG),
    Cell("down", Down(), {503}, ms=LONG),
]
CLIENT = [
    *WELL,
    Cell("bandwidth", Bandwidth(2_000), GOOD, ms=LONG),
    Cell("latency", Latency(FOR_EVER), {"ReadTimeout"}, patience=0.3),
    Cell("a timeout", Timeout(0.05), CUT),
    Cell("a reset", Reset(), CUT),
    Cell("a reset instead of the answer", Reset(), CUT, "answers"),
    Cell("a limit within the head", Limit(40), CUT, "answers"),
    Cell("a limit within the body", Limit(600), CUT, "answers"),
    Cell("down", Down(), {"ConnectError"}),
]
FEED = [
    *WELL,
    Cell("latency", Latency(FOR_EVER), GOOD),
    Cell("bandwidth", Bandwidth(50), GOOD),
    Cell("a timeout", Timeout(), GOOD),
    Cell("a reset", Reset(), GOOD),
    Cell("a limit", Limit(40), GOOD, "answers"),
    Cell("down", Down(), GOOD),
]
"""What teams answers does not depend on it."""
DATABASE = [
    *WELL,
    Cell("latency", Latency(FOR_EVER), {503, 504}),
    Cell("bandwidth", Bandwidth(50), {503, 504}),
    Cell("a timeout", Timeout(), {503, 504}),
    Cell("a reset", Reset(), {503}, ms=LONG),
    Cell("a limit", Limit(10), {503}, "answers", ms=LONG),
    Cell("down", Down(), {503}, ms=LONG),
]


def cells(some: list[Cell]) -> pytest.MarkDecorator:
    named = [pytest.param(cell, id=f"{cell.name}{f' {turn}' if turn else ''}") for turn in range(ROUNDS) for cell in some]
    return pytest.mark.parametrize("cell", named)


def employee(name: str) -> dict[str, str]:
    return {"username": name, "email": f"{name}@roster.example"}


class Side:
    """A place to read from and write to, directly or through a fault."""

    def __init__(self, url: str, headers: dict[str, str], records: str) -> None:
        self._url, self._headers, self.records = url, headers, records
        self._last = ""

    def read(self, ms: int = LONG, patience: float = PATIENCE, path: str = "/1") -> Outcome:
        return self._send("GET", f"/v1/{self.records}{path}", None, ms, patience)

    def write(self, ms: int = LONG, patience: float = PATIENCE) -> Outcome:
        name = self._last = f"written{next(NUMBERS)}"
        body = employee(name) if self.records == "employees" else {"slug": name, "name": name}
        return self._send("POST", f"/v1/{self.records}", body, ms, patience)

    def has_last(self) -> bool:
        """Whether the last write is there, whatever its writer was told."""
        key = {"employees": "username", "teams": "slug"}[self.records]
        answer = httpx.get(f"{self._url}/v1/{self.records}", params={key: self._last}, headers=self._headers, timeout=PATIENCE)
        return bool(answer.raise_for_status().json()["items"])

    def be_well(self) -> None:
        """Read and write until both are answered as they should be; what was open or held back may take a moment."""
        until = time.monotonic() + PATIENCE
        while not (outcomes := {self.read(), self.write()}) <= GOOD:
            assert time.monotonic() < until, f"not well again: {outcomes}"
            time.sleep(0.05)

    def _send(self, method: str, path: str, body: dict[str, str] | None, ms: int, patience: float) -> Outcome:
        headers = {**self._headers, "X-Request-Timeout-Ms": str(ms), "Connection": "close"}
        try:
            answer = httpx.request(method, self._url + path, json=body, headers=headers, timeout=patience)
        except httpx.TransportError as error:
            if patience == PATIENCE and isinstance(error, httpx.TimeoutException):
                raise AssertionError(f"{method} {path} hangs") from error
            return type(error).__name__
        if not answer.is_success:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            assert answer.json()["status"] == answer.status_code
            assert answer.json()["request_id"]
        return answer.status_code


@dataclass
class Links:
    """The running services; `clients`, `employees`, `teams` and `feed` are in front of who is asked."""

    roster: Roster
    clients: Proxy
    employees: Proxy
    teams: Proxy
    feed: Proxy
    cookie: dict[str, str]
    rest: Rest

    def to(self, service: str) -> Proxy:
        """Between the gateway and a service."""
        return {"employees": self.employees, "teams": self.teams}[service]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.roster.gateway.url, headers=self.cookie, timeout=PATIENCE)

    def side(self, service: str, url: str | None = None) -> Side:
        """The records of a service at the gateway, or at another address."""
        return Side(url or self.roster.gateway.url, self.cookie, service)


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Links]:
    """The three services, linked by proxies, with somebody and a team."""
    with Roster(tmp_path_factory.mktemp("matrix")) as roster, ExitStack() as stack:
        clients, employees, teams, feed = (
            stack.enter_context(Proxy(service.port)) for service in (roster.gateway, roster.employees, roster.teams, roster.employees)
        )
        roster.gateway.env |= {"GATEWAY_EMPLOYEES_URL": employees.url, "GATEWAY_TEAMS_URL": teams.url}
        roster.gateway.env["GATEWAY_REQUEST_TIMEOUT_MS"] = str(LONG)
        roster.teams.env["TEAMS_EMPLOYEES_URL"] = feed.url
        roster.start("employees", "teams", "gateway")
        cookie = {"Cookie": roster.log_in()}
        for records in ("employees", "teams"):
            assert Side(roster.gateway.url, cookie, records).write() == 201
        with httpx.Client(base_url=roster.gateway.url, headers=cookie, timeout=PATIENCE) as client:
            client.put("/v1/teams/1/members/1", json={"role": "lead"}).raise_for_status()
        yield Links(roster, clients, employees, teams, feed, cookie, Rest([roster.gateway, roster.employees, roster.teams]))


def try_both(side: Side, cell: Cell) -> tuple[Outcome, Outcome]:
    """A read and a write at the same time."""
    with ThreadPoolExecutor(2) as pool:
        read, write = pool.submit(side.read, cell.ms, cell.patience), pool.submit(side.write, cell.ms, cell.patience)
        return read.result(), write.result()


@cells(CLIENT)
def test_clients_to_the_gateway(links: Links, cell: Cell) -> None:
    side = links.side("employees", links.clients.url)
    with links.clients.fault(cell.fault, cell.on):
        outcomes = try_both(side, cell)
    assert set(outcomes) <= cell.outcomes
    side.be_well()
    links.rest.wait()


@pytest.mark.parametrize("service", ["employees", "teams"])
@cells(UPSTREAM)
def test_the_gateway_to_a_service(links: Links, service: str, cell: Cell) -> None:
    side = links.side(service)
    with links.to(service).fault(cell.fault, cell.on):
        outcomes = try_both(side, cell)
    assert set(outcomes) <= cell.outcomes
    side.be_well()
    links.rest.wait()


@cells(UPSTREAM)
def test_the_gateway_to_a_service_for_a_part_of_an_answer(links: Links, cell: Cell) -> None:
    with links.teams.fault(cell.fault, cell.on):
        answer = httpx.get(
            f"{links.roster.gateway.url}/v1/employees/1?expand=teams",
            headers={**links.cookie, "X-Request-Timeout-Ms": str(cell.ms)},
            timeout=PATIENCE,
        )
    assert answer.status_code == 200
    document = answer.json()
    if cell in WELL:
        assert (answer.headers["x-gateway-complete"], len(document["teams"]["items"])) == ("true", 1)
    else:
        assert (answer.headers["x-gateway-complete"], document["teams"]) == ("false", None)
        assert {part["status"] for part in document["_parts"]} <= cell.outcomes
    links.side("teams").be_well()
    links.rest.wait()


@cells(FEED)
def test_teams_to_the_feed_of_employees(links: Links, cell: Cell) -> None:
    with links.client() as gateway:
        person = gateway.post("/v1/employees", json=employee(f"leaver{next(NUMBERS)}")).raise_for_status().json()["id"]
        gateway.put(f"/v1/teams/1/members/{person}", json={"role": "member"}).raise_for_status()
        with links.feed.fault(cell.fault, cell.on):
            gateway.delete(f"/v1/employees/{person}").raise_for_status()
            assert set(try_both(links.side("teams"), cell)) <= cell.outcomes
        while gateway.get(f"/v1/memberships?include=inactive&employee_id={person}").raise_for_status().json()["items"]:
            time.sleep(0.02)  # the test's own time limit ends this
    links.rest.wait()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Side, Rest]]:
    """Employees on a PostgreSQL database, and the proxy between them."""
    with postgresql_database() as url, Roster(tmp_path_factory.mktemp("stored")) as roster, ExitStack() as stack:
        parts = urlsplit(url)
        proxy = stack.enter_context(Proxy(parts.port or 5432))
        netloc = parts.netloc.rpartition("@")[0] + f"@127.0.0.1:{proxy.port}"
        roster.employees.env["EMPLOYEES_DATABASE_URL"] = urlunsplit(parts._replace(netloc=netloc))
        roster.start("employees")
        side = Side(roster.employees.url, {"Authorization": roster.bearer("employees")}, "employees")
        assert side.write() == 201
        yield proxy, side, Rest([roster.employees])


@cells(DATABASE)
def test_a_service_to_its_database(stored: tuple[Proxy, Side, Rest], cell: Cell) -> None:
    proxy, side, rest = stored
    with proxy.fault(cell.fault, cell.on):
        assert set(try_both(side, cell)) <= cell.outcomes
    side.be_well()
    rest.wait()


def test_the_gateway_to_a_service_that_refuses_has_done_nothing(links: Links) -> None:
    side = links.side("employees")
    with links.employees.fault(Down()):
        assert side.write() == 503
    side.be_well()
