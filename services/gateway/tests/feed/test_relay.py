"""The relay, against a real NATS server of the test's own: killed on either side, it loses nothing, and the stream repeats nothing."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest
import pytest_asyncio
import structlog

from gateway.clients.jetstream import EventStream
from gateway.relay import Relay
from shared.db import Database
from shared.migrate import upgrade
from shared.testing.feeds import FakeFeed
from shared.testing.processes import Process, free_port

PATIENCE = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    """A server with a store of its own, so that it can be killed."""
    found = shutil.which("nats-server")
    if found is None:
        if os.environ.get("ROSTER_REQUIRE_SERVICES") == "1":
            pytest.fail("nats-server is not installed, and ROSTER_REQUIRE_SERVICES=1 demands it")
        pytest.skip("nats-server is not installed")
    port, monitor = free_port(), free_port()
    command = [found, "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor), "-js", "-sd", str(tmp_path / "jetstream")]
    server = Process("nats", command, tmp_path, port=monitor, ready="/healthz")
    server.env["NATS_PORT"] = str(port)
    server.start()
    server.wait_ready()
    yield server
    server.kill()


def url_of(server: Process) -> str:
    return f"nats://127.0.0.1:{server.env['NATS_PORT']}"


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    upgrade(database_url, "gateway")
    found = Database(database_url, readers=1)
    await found.open()
    yield found
    await found.close()


def relay_of(db: Database, feed: Any, server: Process) -> Relay:
    return Relay(db, feed, EventStream(url_of(server), "ROSTER", "roster"), structlog.get_logger())


@asynccontextmanager
async def stream_at(server: Process) -> AsyncIterator[Any]:
    """JetStream, as a client that gives up at once."""

    async def quiet(error: Any) -> None:
        """It is told by the call that fails."""

    client = await nats.connect(url_of(server), allow_reconnect=False, max_reconnect_attempts=1, error_cb=quiet)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def messages(server: Process) -> list[tuple[str, str, str]]:
    """What the stream holds: subject, Nats-Msg-Id, and the id in the event."""
    async with stream_at(server) as stream:
        state = (await stream.stream_info("ROSTER")).state
        found = [await stream.get_msg("ROSTER", seq=seq) for seq in range(1, state.last_seq + 1)]
    return [(one.subject, one.headers["Nats-Msg-Id"], msgspec.json.decode(one.data)["id"]) for one in found]


async def count(server: Process) -> int:
    """How many messages the stream holds; 0 when it can't be asked."""
    try:
        async with stream_at(server) as stream:
            found: int = (await stream.stream_info("ROSTER")).state.messages
            return found
    except (nats.errors.Error, OSError):
        return 0


async def holds(server: Process, number: int) -> list[str]:
    """Wait until the stream holds so many; their ids."""
    async with asyncio.timeout(PATIENCE):
        while await count(server) < number:  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)
    found = await messages(server)
    assert [id_ for _, id_, _ in found] == [id_ for _, _, id_ in found]
    return [id_ for _, id_, _ in found]


@pytest.fixture
def fakes() -> dict[str, FakeFeed]:
    return {"employees": FakeFeed("/employees", "e1"), "teams": FakeFeed("/teams", "t1")}


async def test_every_change_gets_there_in_order(db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any) -> None:
    relay = relay_of(db, merged(fakes), server)
    await relay.start()
    fakes["employees"].add("employee", 1, "created", time="10:00")
    fakes["teams"].add("membership", 1, "deleted", time="10:01")
    await holds(server, 2)
    assert [subject for subject, _, _ in await messages(server)] == ["roster.employee.created", "roster.membership.deleted"]
    assert relay.report()["status"] == "relaying"
    await relay.stop()


async def test_a_kill_of_the_server_loses_and_repeats_nothing(
    db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    relay = relay_of(db, merged(fakes), server)
    await relay.start()
    number = 0
    for _ in range(3):
        for _ in range(100):
            number += 1
            fakes["employees"].add("employee", number, "created")
        await asyncio.sleep(0.1)
        server.kill()
        await asyncio.sleep(0.2)
        server.start()
        await asyncio.to_thread(server.wait_ready)
    assert await holds(server, number) == [f"e1.{seq}" for seq in range(1, number + 1)]
    await relay.stop()


async def test_a_kill_of_the_relay_at_any_place_repeats_nothing(
    db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    """What a kill leaves: messages in the stream, and a note that may be missing; however long ago, and with no window to help."""
    for number in range(1, 201):
        fakes["employees"].add("employee", number, "created")
    async with stream_at(server) as stream:
        await stream.add_stream(name="ROSTER", subjects=["roster.>"], duplicate_window=0.1)
    for pause in (0.02, 0.05, 0.1, 0.2):
        relay = relay_of(db, merged(fakes), server)
        relay._note = relay_forgets  # type: ignore[method-assign]  # as if it had been killed before each note
        await relay.start()
        await asyncio.sleep(pause)
        await relay.stop()
        await asyncio.sleep(0.2)
    relay = relay_of(db, merged(fakes), server)
    await relay.start()
    assert await holds(server, 200) == [f"e1.{seq}" for seq in range(1, 201)]
    await relay.stop()


async def relay_forgets(at: Any) -> None:
    """Nothing is noted."""


async def test_a_stream_that_was_emptied_goes_on_where_it_was(
    db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    fakes["teams"].add("team", 1, "created")
    relay = relay_of(db, merged(fakes), server)
    await relay.start()
    await holds(server, 1)
    await asyncio.sleep(0.2)
    await relay.stop()
    async with stream_at(server) as stream:
        await stream.purge_stream("ROSTER")
        fakes["teams"].add("team", 2, "created")
        relay = relay_of(db, merged(fakes), server)
        await relay.start()
        async with asyncio.timeout(PATIENCE):
            while await count(server) < 1:  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.05)
        assert (await stream.stream_info("ROSTER")).state.last_seq == 2
    await relay.stop()


async def test_one_of_two_relays(db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any) -> None:
    relays = [relay_of(db, merged(fakes), server) for _ in range(2)]
    for relay in relays:
        await relay.start()
    for number in range(1, 101):
        fakes["employees"].add("employee", number, "created")
    await holds(server, 100)
    assert sorted(relay.events for relay in relays) == [0, 100]
    active, waiting = sorted(relays, key=lambda relay: -relay.events)
    await active.stop()
    for number in range(101, 201):
        fakes["employees"].add("employee", number, "created")
    assert await holds(server, 200) == [f"e1.{seq}" for seq in range(1, 201)]
    assert waiting.events == 100
    await waiting.stop()


async def test_a_restored_service_is_relayed_anew(db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any) -> None:
    relay = relay_of(db, merged(fakes), server)
    await relay.start()
    for number in (1, 2):
        fakes["employees"].add("employee", number, "created")
    await holds(server, 2)
    fakes["employees"].restore("e2", 1)
    assert await holds(server, 3) == ["e1.1", "e1.2", "e2.1"]
    await relay.stop()


async def test_a_stream_of_somebody_else_is_left_alone(db: Database, server: Process, fakes: dict[str, FakeFeed], merged: Any) -> None:
    async with stream_at(server) as stream:
        await stream.add_stream(name="ROSTER", subjects=["roster.>"])
        await stream.publish("roster.hello", b"{}")
        fakes["teams"].add("team", 1, "created")
        relay = relay_of(db, merged(fakes), server)
        await relay.start()
        async with asyncio.timeout(PATIENCE):
            while relay.report()["status"] != "failing":  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        assert await count(server) == 1
    await relay.stop()
