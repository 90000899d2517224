"""How a service ends, and how another takes its place: real processes, sockets and signals."""

import http.client
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.config import SettingsError
from shared.pool import SERVER_KEEP_ALIVE, Pool
from shared.server import server_config
from shared.testing import notes
from shared.testing.processes import Process

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a service on a socket that the test holds."""
    made: list[Process] = []

    def start(**settings: str) -> Process:
        process = Process("notes", [sys.executable, "-m", "shared.testing.notes", "serve"], tmp_path)
        process.env = {"NOTES_OPEN": "true", "NOTES_TROUBLE": "true", "NOTES_LAME_DUCK": "60", **settings}
        process.hold()
        process.start()
        made.append(process)
        process.wait_ready()
        return process

    yield start
    for process in made:
        process.kill()
        process.release()


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str | None]:
    """The status, and what the answer says of the connection."""
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["Connection"]


def connected(process: Process) -> "closing[http.client.HTTPConnection]":
    return closing(http.client.HTTPConnection("127.0.0.1", process.port, timeout=30))


def ask(process: Process, path: str) -> tuple[int, str | None]:
    """The same, on a connection of its own."""
    with connected(process) as connection:
        return get(connection, path)


def wait_for(process: Process, status: int) -> None:
    """Until /readyz says so."""
    for _ in range(600):
        if ask(process, "/readyz")[0] == status:
            return
        time.sleep(0.05)
    raise AssertionError(f"/readyz did not become {status}")


def test_a_lame_duck_is_not_ready_and_answers_everything_else(start: Start) -> None:
    process = start()
    with connected(process) as kept:
        assert get(kept, "/v1/notes") == (200, None)
        os.kill(process.pid, signal.SIGTERM)
        wait_for(process, 503)
        assert get(kept, "/v1/notes") == (200, "close"), "a connection from before is still served, and let go of"
    assert ask(process, "/v1/notes") == (200, "close"), "a new one is taken"
    assert process.stop() == 0, "a second SIGTERM ends its time as a lame duck"


def test_the_time_as_a_lame_duck_is_bounded(start: Start) -> None:
    process = start(NOTES_LAME_DUCK="1")
    assert process.stop() == 0


def test_sigint_leaves_the_lame_duck_out(start: Start) -> None:
    process = start()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() == 0


def test_what_runs_is_finished(start: Start) -> None:
    process = start(NOTES_LAME_DUCK="0")
    with connected(process) as running:
        running.request("GET", "/v1/slow?seconds=2")
        while 'requests_admitted{kind="read"} 1.0' not in metrics(process):
            time.sleep(0.05)
        assert process.stop() == 0
        assert running.getresponse().status == 200


def test_what_lasts_longer_than_the_grace_is_cut_off(start: Start) -> None:
    process = start(NOTES_LAME_DUCK="0", NOTES_GRACEFUL_TIMEOUT="2", NOTES_REQUEST_TIMEOUT_MS="1000")
    with connected(process) as running:
        running.request("GET", "/v1/stream")
        answer = running.getresponse()
        assert answer.status == 200
        assert process.stop() == 0
        with pytest.raises(http.client.IncompleteRead):
            answer.read()


def metrics(process: Process) -> str:
    with connected(process) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def test_a_restart_refuses_nobody(start: Start) -> None:
    process = start(NOTES_LAME_DUCK="1")
    stop = threading.Event()
    seen: list[int] = []

    def go_on() -> None:
        while not stop.is_set():
            seen.append(ask(process, "/v1/notes")[0])

    clients = [threading.Thread(target=go_on) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(2):
            before = process.pid
            assert process.restart() == 0
            assert process.pid != before
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert len(seen) > 50
    assert set(seen) == {200}


def test_requests_would_be_cut_off_by_too_short_a_grace() -> None:
    with pytest.raises(SettingsError, match="graceful_timeout: must be at least 11"):
        notes.create_app(notes.Settings(open=True, graceful_timeout=10))
    notes.create_app(notes.Settings(open=True, graceful_timeout=3, request_timeout_ms=2_000))


def test_a_server_keeps_a_connection_for_75_seconds_and_finishes_what_runs_within_12() -> None:
    settings = notes.Settings(open=True)
    config = server_config(notes.create_app(settings), settings)
    assert (config.timeout_keep_alive, config.timeout_graceful_shutdown) == (75, 12)


def test_a_client_lets_go_of_a_connection_before_the_server_does() -> None:
    with pytest.raises(ValueError, match="the server lets go"):
        Pool("http://127.0.0.1:1", idle=SERVER_KEEP_ALIVE)
    Pool("http://127.0.0.1:1", idle=SERVER_KEEP_ALIVE * 0.8)
