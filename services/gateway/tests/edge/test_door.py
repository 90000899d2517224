"""Who is turned away before a session is looked up: reads of a service that is asked for too many, and nobody else."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import create_app
from gateway.config import Settings
from gateway.edge import GatewayDoor
from gateway.edge.edge import SECURITY
from gateway.resilience import Calls
from shared.door import TURN
from shared.pool import Pool

NOBODY = "http://127.0.0.1:9"
Told = list[tuple[str, str, int, float]]


@pytest.fixture
async def calls() -> AsyncIterator[dict[str, Calls]]:
    made = {name: Calls(Pool(NOBODY), Pool(NOBODY), clock=lambda: 0.0) for name in ("employees", "teams")}
    made["employees"].requests.limit.limit = 2.0
    for _ in range(2):
        assert made["employees"].requests.limit.enter()
    yield made
    for found in made.values():
        await found.aclose()


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def door(settings: Settings, calls: dict[str, Calls], told: Told) -> GatewayDoor:
    edge: Any = create_app(settings).asgi_app
    return GatewayDoor(calls, edge.app, lambda *what: told.append(what), lambda: False, ())


def ask(door: GatewayDoor, method: str, target: str, *headers: tuple[bytes, bytes], scheme: str = "http") -> bytes | None:
    path, _, query = target.partition("?")
    scope = {"method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": list(headers)}
    return door.refusal({**scope, "scheme": scheme})


async def test_reads_of_a_service_in_trouble_are_refused_without_asking_who_it_is(door: GatewayDoor, told: Told) -> None:
    found = ask(door, "GET", "/v1/employees?limit=200", (b"x-request-id", b"abc"))
    assert found is not None
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert {name + b": " + value for name, value in SECURITY} <= set(head.split(b"\r\n"))
    assert b"x-load-shed" not in head
    document = json.loads(body)
    assert (document["service"], document["request_id"]) == ("employees", "abc")
    assert b"content-length: %d" % len(body) in head
    assert told == [("list_employees", "GET", 503, 0.0)]


@pytest.mark.parametrize(("scheme", "says"), [("http", False), ("https", True)])
@pytest.mark.parametrize("busy", [False, True])
async def test_over_tls_a_browser_is_told_to_stay_with_it(door: GatewayDoor, scheme: str, says: bool, busy: bool) -> None:
    """Whether a service is asked too much or the process itself (RFC 6797, 7.2: and never over plain http)."""
    for _ in range(TURN if busy else 0):
        ask(door, "GET", "/v1/teams/1")
    found = ask(door, "GET", "/v1/employees/7", scheme=scheme)
    assert found is not None
    assert (b"\r\nstrict-transport-security: max-age=31536000\r\n" in found) is says


async def test_a_head_has_no_body(door: GatewayDoor) -> None:
    found = ask(door, "HEAD", "/v1/employees/7")
    assert found is not None
    assert found.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/v1/teams/1", []),
        ("PATCH", "/v1/employees/7", []),
        ("POST", "/v1/employees", []),
        ("GET", "/v1/employees/export", []),
        ("GET", "/v1/session", []),
        ("GET", "/livez", []),
        ("GET", "/nowhere", []),
        ("GET", "/v1/employees/7?expand=manager", []),
        ("GET", "/v1/employees/7", [(b"origin", b"https://elsewhere.example")]),
    ],
)
async def test_others_are_let_in(door: GatewayDoor, told: Told, method: str, target: str, headers: list[tuple[bytes, bytes]]) -> None:
    assert ask(door, method, target, *headers) is None
    assert told == []


async def test_when_a_place_is_free_nobody_is_refused(door: GatewayDoor, calls: dict[str, Calls]) -> None:
    calls["employees"].requests.limit.leave()
    assert ask(door, "GET", "/v1/employees/7") is None
