"""A NATS server with JetStream of a test's own, which it may kill and start again.

A ``conftest.py`` imports the fixture: ``from shared.testing.nats import nats_server  # noqa: F401 - a fixture, found by name``. Without
nats-server on the PATH those tests are skipped, or fail where ROSTER_REQUIRE_SERVICES=1.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest

from shared.testing.processes import Process, free_port

NAME = "ROSTER"
"""The stream of which is told."""


class NatsServer(Process):
    """One server, keeping its streams in a folder of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        port, monitor = free_port(), free_port()
        command = [program, "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor), "-js", "-sd", str(folder / "jetstream")]
        super().__init__("nats", command, folder, port=monitor, ready="/healthz")
        self.address = f"nats://127.0.0.1:{port}"

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Any]:
        """JetStream, as a client that gives up at once."""

        async def quiet(error: Any) -> None:
            """It is told by the call that fails."""

        client = await nats.connect(self.address, allow_reconnect=False, max_reconnect_attempts=1, error_cb=quiet)
        try:
            yield client.jetstream()
        finally:
            await client.close()

    async def messages(self) -> list[tuple[str, str, str]]:
        """What the stream holds: subject, Nats-Msg-Id, and the id in the event."""
        async with self.stream() as stream:
            state = (await stream.stream_info(NAME)).state
            found = [await stream.get_msg(NAME, seq=seq) for seq in range(1, state.last_seq + 1)]
        return [(one.subject, one.headers["Nats-Msg-Id"], msgspec.json.decode(one.data)["id"]) for one in found]

    async def count(self) -> int:
        """How many messages the stream holds; 0 when it can't be asked."""
        try:
            async with self.stream() as stream:
                found: int = (await stream.stream_info(NAME)).state.messages
                return found
        except (nats.errors.Error, OSError):
            return 0


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that runs, for this test alone."""
    program = shutil.which("nats-server")
    if program is None:
        if os.environ.get("ROSTER_REQUIRE_SERVICES") == "1":
            pytest.fail("nats-server is not installed, and ROSTER_REQUIRE_SERVICES=1 demands it")
        pytest.skip("nats-server is not installed")
    server = NatsServer(program, tmp_path)
    server.start()
    server.wait_ready()
    yield server
    server.kill()
