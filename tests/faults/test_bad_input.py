"""Bad input at the three real processes, on the wire: a problem document of the 4xx kind, and nothing stored."""

import contextlib
import http.client
import json
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from shared.testing.processes import Roster

HUGE = 2**63
DEEP = b"[" * 100_000
GOOD = {"employees": b'{"username":"ada","email":"ada@roster.example"}', "teams": b'{"slug":"crew","name":"Crew"}'}

BODIES = {
    "10 MB of text": b'{"username":"' + b"a" * 10_000_000 + b'"}',
    "10 MB of nothing": b" " * 10_000_000,
    "an unknown field": b'{"username":"a","email":"a@b.c","slug":"a","name":"A","salary":1}',
    "wrong types": b'{"username":1,"email":[],"slug":{},"name":true}',
    "invalid UTF-8": b'{"username":"\xff\xfe","slug":"\xff"}',
    "half a surrogate pair": b'{"username":"\\ud800","email":"a@b.c","slug":"a","name":"\\ud800"}',
    "a NUL character": b'{"username":"a\\u0000b","email":"a@b.c","slug":"a","name":"a\\u0000b"}',
    "deep nesting": DEEP,
    "deep objects": b'{"a":' * 50_000,
    "NaN": b'{"username":"a","email":"a@b.c","manager_id":NaN,"slug":"a","name":"A","parent_id":NaN}',
    "a double key": b'{"username":"a","email":"a@b.c","username":"b","slug":"a","name":"A","slug":"b"}',
    "an id of 64 bits and more": b'{"username":"a","email":"a@b.c","manager_id":%d,"slug":"a","name":"A","parent_id":%d}' % (HUGE, HUGE),
    "a huge number": b'{"username":"a","email":"a@b.c","manager_id":1%b,"slug":"a","name":"A","parent_id":1}' % (b"0" * 5_000),
    "nothing": b"",
    "half a document": b'{"username":',
    "a list": b"[]",
    "null": b"null",
}
TARGETS = (
    f"/v1/{{}}/{HUGE}",
    f"/v1/{{}}/{HUGE - 1}",
    "/v1/{}/" + "9" * 5_000,
    "/v1/{}/0x1",
    "/v1/{}/-1",
    "/v1/{}/%00",
    "/v1/{}/%D9%A1",
    "/v1/{}/1%2f..%2f2",
    "/v1/{}/..%2f..%2flivez",
    "/v1/{}/../../etc/passwd",
    "/v1/{}/./1",
    "/v1//{}/1",
    "/v1/{}/1;x=1",
    "/v1/{}?cursor=x",
    "/v1/{}?cursor=eyJhIjoxfQ",
    "/v1/{}?limit=1e3",
    "/v1/{}?limit=0",
    "/v1/{}?limit=201",
    "/v1/{}?limit=5&limit=6",
    "/v1/{}?nobody=1",
    "/v1/{}?q=%00",
    "/v1/{}?q=%ff",
    f"/v1/{{}}?id={HUGE}",
    "/v1/{}?id=" + ",".join("1" * 101),
    "/v1/{}?sort=salary",
    "/v1/changes?after=%00",
)
TYPES = (
    None,
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "*/*",
)


@dataclass
class Door:
    """A way to the records of a service: at the service itself or through the gateway."""

    roster: Roster
    records: str
    port: int
    cookie: str | None

    def headers(self) -> dict[str, str]:
        return {"Authorization": self.roster.bearer(self.records)} if self.cookie is None else {"Cookie": self.cookie}

    def send(
        self, method: str, target: str, body: bytes | None = None, content_type: str | None = "application/json"
    ) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer; a server that stops reading a body answers all the same."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": "127.0.0.1", **self.headers()}.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
                if content_type is not None:
                    connection.putheader("Content-Type", content_type)
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sock.sendall(body or b"")
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        finally:
            connection.close()

    def refuses(self, method: str, target: str, body: bytes | None = None, content_type: str | None = "application/json") -> None:
        status, kind, text = self.send(method, target, body, content_type)
        assert 400 <= status < 500, (target[:80], status, text[:500])
        assert kind.startswith("application/problem+json"), (target[:80], kind, text[:500])
        document = json.loads(text)
        assert document["status"] == status
        assert document["request_id"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Roster, str]]:
    """All three services, and a session at the gateway."""
    with Roster(tmp_path_factory.mktemp("bad-input")) as roster:
        roster.start("employees", "teams", "gateway")
        yield roster, roster.log_in()


@pytest.fixture(params=["employees", "teams", "employees through the gateway", "teams through the gateway"])
def door(running: tuple[Roster, str], request: pytest.FixtureRequest) -> Iterator[Door]:
    """A door behind which nothing is stored by what a test sends."""
    roster, cookie = running
    records, _, through = request.param.partition(" ")
    service = {"employees": roster.employees, "teams": roster.teams}[records]
    before = stored(roster)
    yield Door(roster, records, roster.gateway.port if through else service.port, cookie if through else None)
    assert stored(roster) == before


def stored(roster: Roster) -> dict[str, int]:
    """How many changes each service has logged."""
    counts = {}
    for name in ("employees", "teams", "gateway"):
        connection = sqlite3.connect(f"file:{roster.database(name)}?mode=ro", uri=True)
        (counts[name],) = connection.execute("SELECT count(*) FROM changes").fetchone()
        connection.close()
    return counts


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_bad_body_is_refused(door: Door, body: bytes) -> None:
    door.refuses("POST", f"/v1/{door.records}", body)


@pytest.mark.parametrize("content_type", TYPES)
def test_another_content_type_is_refused(door: Door, content_type: str | None) -> None:
    door.refuses("POST", f"/v1/{door.records}", GOOD[door.records], content_type)


@pytest.mark.parametrize("target", TARGETS, ids=[target[:40] for target in TARGETS])
def test_a_bad_target_is_refused(door: Door, target: str) -> None:
    door.refuses("GET", target.format(door.records))


def test_a_byte_that_no_path_has_is_refused(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as connection:
        connection.sendall(b"GET /v1/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 4")
