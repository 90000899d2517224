"""Modes in which a service is gone, slow, or answers rubbish."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.testing.processes import Process
from shared.testing.proxy import Down, Fault, Latency, Proxy, Way
from tools.faults.load import Load, get, in_turn
from tools.faults.modes.stage import Stage

HTML = b"<html>It works!</html>"
PAGE = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(HTML), HTML)
CONNECTS = 5
"""Refused connections that open a breaker."""
PLACES, TAKES = 8, 0.1
"""Requests that may be under way to a service, and seconds of each: so many fill them that any machine can send three times as many."""
NOISE = b"\x16\x03\x01 what is this?\r\n\r\n"


@dataclass(frozen=True)
class Rubbish(Fault):
    """Instead of each answer, these bytes."""

    answer: bytes

    async def pass_on(self, way: Way, data: bytes) -> None:
        await way.write(self.answer)


def employees_down(stage: Stage) -> None:
    with _gone(stage, stage.roster.employees, stage.employees):
        stage.curl("/v1/employees/1", 503)
        stage.curl("/v1/teams/1", 200)
        stage.curl("/v1/teams/1?expand=members", 200)
        stage.patch("/v1/teams/1", '{"description": "still at work"}', 200)
    stage.curl("/v1/employees/1", 200)


def teams_down(stage: Stage) -> None:
    with _gone(stage, stage.roster.teams, stage.teams):
        stage.curl("/v1/teams/1", 503)
        stage.curl("/v1/employees/1", 200)
        stage.curl("/v1/employees/1?expand=teams", 200)
    stage.curl("/v1/teams/1", 200)


def employees_slow(stage: Stage) -> None:
    _slow(stage, stage.employees, "employees", "/v1/employees/1", "/v1/teams/1?expand=members")


def teams_slow(stage: Stage) -> None:
    _slow(stage, stage.teams, "teams", "/v1/teams/1", "/v1/employees/1?expand=teams")


def employees_rubbish(stage: Stage) -> None:
    _rubbish(stage, stage.employees, "employees", "/v1/employees/1", "/v1/teams/1?expand=members")


def teams_rubbish(stage: Stage) -> None:
    _rubbish(stage, stage.teams, "teams", "/v1/teams/1", "/v1/employees/1?expand=teams")


def _slow(stage: Stage, proxy: Proxy, service: str, own: str, joined: str) -> None:
    with proxy.fault(Latency(60)):
        stage.say(f"what {service} says comes a minute late")
        stage.curl(own, 504, 503)
        stage.curl(own, 504, 503, options=("-H", "X-Request-Timeout-Ms: 300"))
        stage.curl(joined, 200)
    stage.await_well()


def _rubbish(stage: Stage, proxy: Proxy, service: str, own: str, joined: str) -> None:
    with proxy.fault(Rubbish(NOISE), "answers"):
        stage.say(f"{service} answers with bytes that are no HTTP")
        stage.curl(own, 502)
    with proxy.fault(Rubbish(PAGE), "answers"):
        stage.say(f"a page that says 200 OK, in the place of {service}")
        stage.curl(joined, 200)
        stage.curl(joined, 502, options=("-H", "Prefer: handling=strict"))
    stage.await_well()


def breaker_open(stage: Stage) -> None:
    with stage.employees.fault(Down()):
        for _ in range(CONNECTS):
            stage.curl("/v1/employees/1", 503)
            stage.take()
        stage.say("employees has refused five connections in a row")
        stage.metric("upstream_breaker_state", 'service="employees"')
    stage.say("it is back, and is left alone for a few seconds more")
    stage.curl("/v1/employees/1", 503)
    stage.await_well()
    stage.say("after that one request at a time tried it, and three were answered")
    stage.curl("/v1/employees/1", 200)


def overloaded(stage: Stage) -> None:
    stage.roster.gateway.env["GATEWAY_UPSTREAM_REQUESTS"] = str(PLACES)
    stage.begin()
    slowly = stage.employees.fault(Latency(TAKES), "answers")
    with slowly, Load(stage.roster.gateway.url, 3 * PLACES / TAKES, in_turn([get("/v1/employees/1", stage.cookie)])):
        stage.say(f"GATEWAY_UPSTREAM_REQUESTS={PLACES}, each answer of employees takes {TAKES:g} s, and three times as many requests come")
        stage.curl("/v1/employees/1", 503, tries=30)
        stage.curl("/v1/teams/1", 200)
        stage.metric("upstream_refused", "bulkhead")
    stage.await_well()
    stage.say("the flood is over")
    stage.curl("/v1/employees/1", 200)


@contextmanager
def _gone(stage: Stage, service: Process, proxy: Proxy) -> Iterator[None]:
    with proxy.fault(Down()):
        service.kill()
        stage.say(f"{service.name} has been killed")
        yield
        service.start()
        service.wait_ready()
    stage.await_well()
    stage.say(f"{service.name} has been started again")
