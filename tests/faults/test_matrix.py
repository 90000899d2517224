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

import httpx
import pytest

from shared.testing.databases import postgresql_database
from shared.testing.processes import Process, Roster
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
GOOD = {200, 201}
CUT = {"ReadError", "RemoteProtocolError", "WriteError"}


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
    Cell("a limit within the body", Limit(450), {502, *CUT}, "answers", ms=LONG),
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
    Cell("a limit within the body", Limit(900), CUT, "answers"),
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


class Side:
    """A place to read from and write to, directly or through a fault."""

    def __init__(self, url: str, headers: dict[str, str], records: str) -> None:
        self._url, self._headers, self.records = url, headers, records
        self._numbers = itertools.count()

    def read(self, ms: int = LONG, patience: float = PATIENCE, path: str = "/1") -> Outcome:
        return self._send("GET", f"/v1/{self.records}{path}", None, ms, patience)

    def write(self, ms: int = LONG, patience: float = PATIENCE) -> Outcome:
        name = f"written{next(self._numbers)}"
        body = {"employees": {"username": name, "email": f"{name}@roster.example"}, "teams": {"slug": name, "name": name}}[self.records]
        outcome = self._send("POST", f"/v1/{self.records}", body, ms, patience)
        self.last = name
        return outcome

    def has_last(self) -> bool:
        """Whether the last write is there, whatever its writer was told."""
        key = {"employees": "username", "teams": "slug"}[self.records]
        answer = httpx.get(f"{self._url}/v1/{self.records}", params={key: self.last}, headers=self._headers, timeout=PATIENCE)
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
            assert patience < PATIENCE or not isinstance(error, httpx.TimeoutException), f"{method} {path} hangs"
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
        yield Links(roster, clients, employees, teams, feed, cookie, Rest([roster.gateway, roster.employees, roster.teams]))


def try_both(side: Side, cell: Cell, patience: float = PATIENCE) -> tuple[Outcome, Outcome]:
    """A read and a write at the same time."""
    with ThreadPoolExecutor(2) as pool:
        read, write = pool.submit(side.read, cell.ms, patience), pool.submit(side.write, cell.ms, patience)
        return read.result(), write.result()


@cells(CLIENT)
def test_clients_to_the_gateway(links: Links, cell: Cell) -> None:
    side = links.side("employees", links.clients.url)
    with links.clients.fault(cell.fault, cell.on):
        outcomes = try_both(side, cell, cell.patience)
    assert set(outcomes) <= cell.outcomes
    side.be_well()
    links.rest.wait()


@pytest.mark.parametrize("service", ["employees", "teams"])
@cells(UPSTREAM)
def test_the_gateway_to_a_service(links: Links, service: str, cell: Cell) -> None:
    side = links.side(service)
    proxy: Proxy = getattr(links, service)
    with proxy.fault(cell.fault, cell.on):
        read, write = try_both(side, cell)
        if service == "teams":
            part = side.read(cell.ms, path="/../employees/1?expand=teams") if False else None
            del part
    assert {read, write} <= cell.outcomes
    side.be_well()
    links.rest.wait()


@cells(FEED)
def test_teams_to_the_feed_of_employees(links: Links, cell: Cell) -> None:
    side = links.side("teams")
    with links.feed.fault(cell.fault, cell.on):
        assert set(try_both(side, cell)) <= cell.outcomes
    links.rest.wait()
