"""The relay, against a real NATS server of the test's own: killed on either side, it loses nothing, and the stream repeats nothing."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import structlog

from gateway.clients.jetstream import EventStream, StreamFault
from gateway.feed import Event, Merged, Vector
from gateway.relay import STALE, Relay
from shared.db import Database
from shared.migrate import upgrade
from shared.testing.feeds import FakeFeed
from shared.testing.nats import NAME, NatsServer

PATIENCE = 60.0


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    upgrade(database_url, "gateway")
    found = Database(database_url, readers=1)
    await found.open()
    yield found
    await found.close()


def relay_of(db: Database, feed: Any, nats_server: NatsServer) -> Relay:
    return Relay(db, feed, EventStream(nats_server.address, NAME, "roster"), structlog.get_logger())


async def holds(nats_server: NatsServer, number: int) -> list[str]:
    """Wait until the stream holds so many; their ids."""
    async with asyncio.timeout(PATIENCE):
        while await nats_server.count() < number:  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)
    found = await nats_server.messages()
    assert [id_ for _, id_, _ in found] == [id_ for _, _, id_ in found]
    return [id_ for _, id_, _ in found]


@pytest.fixture
def fakes() -> dict[str, FakeFeed]:
    return {"employees": FakeFeed("/employees", "e1"), "teams": FakeFeed("/teams", "t1")}


async def test_every_change_gets_there_in_order(db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any) -> None:
    relay = relay_of(db, merged(fakes), nats_server)
    await relay.start()
    fakes["employees"].add("employee", 1, "created", time="10:00")
    fakes["teams"].add("membership", 1, "deleted", time="10:01")
    await holds(nats_server, 2)
    assert [subject for subject, _, _ in await nats_server.messages()] == ["roster.employee.created", "roster.membership.deleted"]
    assert relay.report()["status"] == "relaying"
    await relay.stop()


async def test_a_kill_of_the_server_loses_and_repeats_nothing(
    db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    relay = relay_of(db, merged(fakes), nats_server)
    await relay.start()
    number = 0
    for _ in range(3):
        for _ in range(100):
            number += 1
            fakes["employees"].add("employee", number, "created")
        await asyncio.sleep(0.1)
        nats_server.kill()
        await asyncio.sleep(0.2)
        nats_server.start()
        await asyncio.to_thread(nats_server.wait_ready)
    assert await holds(nats_server, number) == [f"e1.{seq}" for seq in range(1, number + 1)]
    await relay.stop()


async def test_a_stream_that_was_emptied_goes_on_where_it_was(
    db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    fakes["teams"].add("team", 1, "created")
    relay = relay_of(db, merged(fakes), nats_server)
    await relay.start()
    await holds(nats_server, 1)
    await asyncio.sleep(0.2)
    await relay.stop()
    async with nats_server.stream() as stream:
        await stream.purge_stream(NAME)
        fakes["teams"].add("team", 2, "created")
        relay = relay_of(db, merged(fakes), nats_server)
        await relay.start()
        async with asyncio.timeout(PATIENCE):
            while await nats_server.count() < 1:  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.05)
        assert (await stream.stream_info(NAME)).state.last_seq == 2
    await relay.stop()


async def test_one_of_two_relays(db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any) -> None:
    relays = [relay_of(db, merged(fakes), nats_server) for _ in range(2)]
    for relay in relays:
        await relay.start()
    for number in range(1, 101):
        fakes["employees"].add("employee", number, "created")
    await holds(nats_server, 100)
    assert sorted(relay.events for relay in relays) == [0, 100]
    active, waiting = sorted(relays, key=lambda relay: -relay.events)
    await active.stop()
    for number in range(101, 201):
        fakes["employees"].add("employee", number, "created")
    assert await holds(nats_server, 200) == [f"e1.{seq}" for seq in range(1, 201)]
    assert waiting.events == 100
    await waiting.stop()


async def test_one_that_is_late_writes_nothing(nats_server: NatsServer) -> None:
    """Not even beyond the window in which the stream knows a message again."""
    async with nats_server.stream() as stream:
        await stream.add_stream(name=NAME, subjects=["roster.>"], duplicate_window=0.1)
    late, other = (EventStream(nats_server.address, NAME, "roster") for _ in range(2))
    assert (await late.open(), await other.open()) == (None, None)
    for number in (1, 2):
        event = b'{"id": "e1.%d"}' % number
        assert await other.publish("employee.created", event, message_id=f"e1.{number}", cursor=f"e1.{number}~-")
    await asyncio.sleep(0.3)
    with pytest.raises(StreamFault, match="wrong last sequence"):
        await late.publish("employee.created", b'{"id": "e1.1"}', message_id="e1.1", cursor="e1.1~-")
    assert [id_ for _, id_, _ in await nats_server.messages()] == ["e1.1", "e1.2"]
    assert await late.open() == "e1.2~-"
    assert await late.publish("employee.created", b'{"id": "e1.3"}', message_id="e1.3", cursor="e1.3~-")
    await late.close()
    await other.close()


async def fails(relay: Relay) -> None:
    """Wait until it says that it can't go on."""
    async with asyncio.timeout(PATIENCE):
        while relay.report()["status"] != "failing":  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def test_what_cannot_be_read_is_told(db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any) -> None:
    for number in (1, 2, 3):
        fakes["employees"].add("employee", number, "created")
    fakes["employees"].lose(2)
    fakes["teams"].add("team", 1, "created")
    relay = relay_of(db, merged(fakes), nats_server)
    await relay.start()
    await fails(relay)
    assert "employees" in relay.report()["reason"]
    assert await holds(nats_server, 1) == ["t1.1"]
    await relay.stop()


async def test_a_restored_service_is_relayed_anew(db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any) -> None:
    relay = relay_of(db, merged(fakes), nats_server)
    await relay.start()
    for number in (1, 2):
        fakes["employees"].add("employee", number, "created")
    await holds(nats_server, 2)
    fakes["employees"].restore("e2", 1)
    assert await holds(nats_server, 3) == ["e1.1", "e1.2", "e2.1"]
    await relay.stop()


async def test_a_stream_of_somebody_else_is_left_alone(
    db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    async with nats_server.stream() as stream:
        await stream.add_stream(name=NAME, subjects=["roster.>"])
        await stream.publish("roster.hello", b"{}")
        fakes["teams"].add("team", 1, "created")
        relay = relay_of(db, merged(fakes), nats_server)
        await relay.start()
        await fails(relay)
        assert await nats_server.count() == 1
    await relay.stop()


class StandsStill(list[Event]):
    """What was read by a process that SIGSTOP stops before it does anything with it."""

    def __iter__(self) -> Iterator[Event]:
        time.sleep(STALE)
        return super().__iter__()


class Still:
    """A merged feed of which the first batch is so."""

    def __init__(self, merged: Merged) -> None:
        self._merged = merged
        self.read_from: list[str] = []

    async def read(self, at: Vector, *given: Any, **options: Any) -> Any:
        batch = await self._merged.read(at, *given, **options)
        self.read_from.append(str(at))
        return dataclasses.replace(batch, events=StandsStill(batch.events)) if len(self.read_from) == 1 else batch


async def test_what_was_read_before_a_process_stood_still_is_read_again(
    db: Database, nats_server: NatsServer, fakes: dict[str, FakeFeed], merged: Any
) -> None:
    fakes["employees"].add("employee", 1, "created")
    feed = Still(merged(fakes))
    relay = relay_of(db, feed, nats_server)
    await relay.start()
    assert await holds(nats_server, 1) == ["e1.1"]
    await relay.stop()
    assert feed.read_from[:2] == ["-~-", "-~-"]
