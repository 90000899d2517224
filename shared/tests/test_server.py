"""A service under a real server: what only sockets, signals and process memory can show."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.callers import Signer
from shared.testing.processes import Process

UVICORN = [sys.executable, "-m", "shared.testing.notes", "serve"]
HYPERCORN = [sys.executable, "-m", "quart", "--app", "shared.testing.notes:create_app", "run", "--port"]
MEGABYTE = b"x" * 1024 * 1024


def start(command: list[str], folder: Path) -> Process:
    process = Process("notes", command, folder, env={"NOTES_OPEN": "true", "NOTES_TROUBLE": "true"})
    process.env["NOTES_PORT"] = str(process.port)
    if command is HYPERCORN:
        process.command.append(str(process.port))
    process.start()
    process.wait_ready()
    return process


@pytest.fixture(scope="module")
def uvicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = start(UVICORN, tmp_path_factory.mktemp("uvicorn"))
    yield process
    process.kill()


@pytest.fixture(scope="module")
def hypercorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = start(HYPERCORN, tmp_path_factory.mktemp("hypercorn"))
    yield process
    process.kill()


@pytest.fixture(params=["uvicorn", "hypercorn"])
def server(request: pytest.FixtureRequest) -> Process:
    found: Process = request.getfixturevalue(request.param)
    return found


def call(server: Process, method: str, target: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def head(target: str, content_type: str, length: int, more: str = "") -> bytes:
    """The head of a POST, as it goes over the wire."""
    return f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def ended(server: Process) -> list[str]:
    return list(json.loads(call(server, "GET", "/v1/ended")[2])["items"])


def wait_until_ended(server: Process, count: int, name: str) -> None:
    """A bounded wait for a cancellation to arrive."""
    for _ in range(200):
        if ended(server).count(name) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} was not cancelled: {ended(server)}")


def test_answers_carry_what_every_answer_carries(server: Process) -> None:
    status, headers, body = call(server, "GET", "/", X_Request_ID="mine")
    assert (status, headers["x-request-id"], headers["x-content-type-options"]) == (200, "mine", "nosniff")
    assert headers["content-length"] == str(len(body))


def test_a_request_id_that_is_none_is_replaced(server: Process) -> None:
    assert call(server, "GET", "/", X_Request_ID="a b" * 99)[1]["x-request-id"] != "a b" * 99


def test_head_is_get_without_a_body(server: Process) -> None:
    status, headers, body = call(server, "HEAD", "/")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == call(server, "GET", "/")[1]["content-length"]


def test_not_modified_says_nothing_of_a_body(uvicorn: Process) -> None:
    call(uvicorn, "POST", "/v1/notes", b'{"text": "x"}', Content_Type="application/json")
    status, headers, body = call(uvicorn, "GET", "/v1/notes/1", If_None_Match='"1"')
    assert (status, body, headers["etag"]) == (304, b"", '"1"')
    assert "content-type" not in headers


def test_a_request_ends_when_its_time_is_up(server: Process) -> None:
    status, headers, body = call(server, "GET", "/v1/slow", X_Request_Timeout_Ms="80")
    assert (status, headers["content-type"]) == (504, "application/problem+json")
    assert json.loads(body)["type"] == "urn:roster:problem:timeout"


@pytest.mark.parametrize(("granted", "status"), [("4", 504), ("0", 504), ("-1", 400), ("1.5", 400), ("x", 400), ("9" * 30, 400)])
def test_a_deadline_is_a_duration_in_whole_milliseconds(uvicorn: Process, granted: str, status: int) -> None:
    assert call(uvicorn, "GET", "/v1/notes", X_Request_Timeout_Ms=granted)[0] == status


def test_a_body_that_does_not_come_ends_at_the_deadline(server: Process) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
        sock.sendall(head("/v1/notes", "application/json", 10, "X-Request-Timeout-Ms: 100\r\n") + b"{")
        assert sock.recv(100).split(b" ")[1] == b"408"


def test_a_handler_ends_when_its_caller_leaves(server: Process) -> None:
    before = ended(server).count("slow")
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"GET /v1/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)  # let it begin
    wait_until_ended(server, before + 1, "slow")


def test_a_stream_ends_when_its_reader_leaves(server: Process) -> None:
    before = ended(server).count("stream")
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(4096)
    wait_until_ended(server, before + 1, "stream")


def test_a_strange_host_header_breaks_nothing(uvicorn: Process) -> None:
    for host in (b"\xff\xfe", b"a b", b"x" * 300, b"[::", b"a..b", b""):
        with socket.create_connection(("127.0.0.1", uvicorn.port), timeout=30) as sock:
            sock.sendall(b"GET /livez?\xff HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
            assert int(sock.recv(100).split(b" ")[1]) in {200, 400, 403}


def test_an_upload_is_read_no_faster_than_it_is_used(uvicorn: Process) -> None:
    before = resident(uvicorn.pid)
    most = before
    with socket.create_connection(("127.0.0.1", uvicorn.port), timeout=60) as sock:
        sock.sendall(head("/v1/upload", "application/octet-stream", 100 * len(MEGABYTE)))
        for _ in range(100):
            sock.sendall(MEGABYTE)
            most = max(most, resident(uvicorn.pid))
        assert sock.recv(100).split(b" ")[1] == b"200"
    assert most - before < 16 * 1024 * 1024


def test_it_stops_at_once_also_with_a_long_poll_open(tmp_path: Path) -> None:
    process = start(UVICORN, tmp_path)
    with socket.create_connection(("127.0.0.1", process.port), timeout=30) as sock:
        sock.sendall(b"GET /v1/patient HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)  # let it begin
        assert process.stop() == 0
        assert sock.recv(100).split(b" ")[1] == b"503"


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"NOTES_OPEN": "true", "NOTES_PORT": "x", "NOTES_COLOR": "red"}, ["NOTES_PORT", "NOTES_COLOR"]),
        ({}, ["NOTES_OPEN=true"]),
        ({"NOTES_OPEN": "true", "NOTES_SETTINGS": "missing.toml"}, ["missing.toml"]),
    ],
)
def test_a_start_that_fails_says_why_in_one_line(tmp_path: Path, env: dict[str, str], words: list[str]) -> None:
    done = run_to_end(tmp_path, env)
    assert done.returncode == 1
    assert all(word in done.stderr for word in words)
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_to_end(tmp_path, {"NOTES_IDENTITY_KEYS": Signer().public_keys, "NOTES_PORT": str(port)})
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"notes: can't listen on 127.0.0.1:{port}: Address already in use"]


def run_to_end(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        UVICORN, cwd=folder, env={"PYTHONPATH": ":".join(sys.path), **env}, capture_output=True, text=True, timeout=60, check=False
    )


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    return int(pages) * 4096
