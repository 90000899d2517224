"""What is left behind is seen, and when it is gone as well."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.testing.processes import Process
from shared.testing.rest import NOTHING, Held, Rest

SLACK = 2


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Process]:
    """A service, running."""
    process = Process("notes", [sys.executable, "-m", "shared.testing.notes", "serve"], tmp_path)
    process.env = {"NOTES_OPEN": "true", "NOTES_PORT": str(process.port), "NOTES_DATABASE_URL": f"sqlite:///{tmp_path}/notes.db"}
    process.start()
    process.wait_ready()
    yield process
    process.kill()


def test_connections_that_stay_are_left_behind(notes: Process) -> None:
    rest = Rest([notes], slack=SLACK)
    assert rest.left() == {}
    with ExitStack() as stack:
        for _ in range(SLACK + 3):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", notes.port)))
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.recv(1)
        assert 3 - 1 <= rest.left()["notes"].sockets <= 3 + 1  # a reading's own connection may be counted, at either time
        with pytest.raises(AssertionError, match="left behind"):
            rest.wait(within=0)
    rest.wait()


def test_requests_have_no_slack() -> None:
    assert Held(2, 5, 5).over(Held(1, 5, 5), SLACK) == Held(1, 0, 0)
    assert Held(1, 5 + SLACK, 5 + SLACK).over(Held(1, 5, 5), SLACK) == NOTHING
    assert Held(1, 6 + SLACK, 7 + SLACK).over(Held(1, 5, 5), SLACK) == Held(0, 1, 2)
