"""The relay of real gateway processes to a real NATS server, killed on either side: nothing is lost, and nothing is in the stream twice.

The stream forgets at once which messages it had, so that nothing is owed to that.
"""

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import Callable

import httpx
import pytest

from shared.feedclient import seq_of
from shared.testing.nats import NAME, NatsServer
from shared.testing.processes import SERVICES, Process, Roster
from tests.faults.conftest import PATIENCE, last_changes, start_after_kill, write_slowly

KILLS = int(os.environ.get("ROSTER_RELAY_KILLS", "8"))

pytestmark = pytest.mark.timeout(600)


async def make_stream(nats_server: NatsServer) -> None:
    async with nats_server.stream() as stream:
        await stream.add_stream(name=NAME, subjects=["roster.>"], duplicate_window=0.1)


async def has(nats_server: NatsServer, number: int) -> None:
    """Wait until the stream holds so many messages."""
    async with asyncio.timeout(PATIENCE):
        while await nats_server.count() < number:  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)


async def check(roster: Roster, nats_server: NatsServer) -> None:
    """All changes of each service come to be in the stream, each once and in order."""
    last = await last_changes(roster)
    await has(nats_server, sum(last.values()))
    found = defaultdict(list)
    for subject, id_, told in await nats_server.messages():
        assert id_ == told
        found["employees" if subject.startswith("roster.employee.") else "teams"].append(seq_of(id_))
    assert found == {service: [*range(1, seq + 1)] for service, seq in last.items()}


async def test_a_kill_on_either_side_loses_and_repeats_nothing(roster: Roster, nats_server: NatsServer) -> None:
    chance = random.Random(1)
    await make_stream(nats_server)
    roster.gateway.env["GATEWAY_NATS_URL"] = nats_server.address
    roster.start(*SERVICES)
    writing = asyncio.create_task(write_slowly(roster))
    for number in range(KILLS):
        await has(nats_server, await nats_server.count() + chance.randrange(5, 20))
        await asyncio.sleep(chance.uniform(0, 0.1))
        if number % 2 == 0:
            roster.gateway.kill()
            await start_after_kill(roster)
        else:
            nats_server.kill()
            await asyncio.sleep(chance.uniform(0, 0.5))
            nats_server.start()
            await asyncio.to_thread(nats_server.wait_ready)
    writing.cancel()
    await check(roster, nats_server)


def status(gateway: Process) -> str:
    """Whether it relays or stands by."""
    found: str = httpx.get(f"{gateway.url}/readyz", timeout=30).json()["details"]["relay"]["status"]
    return found


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)


async def test_of_two_gateways_one_relays_and_the_other_takes_over(roster: Roster, postgresql_url: str, nats_server: NatsServer) -> None:
    """First from one that is stopped and wakes again, then from one that is killed."""
    await make_stream(nats_server)
    roster.gateway.env |= {"GATEWAY_NATS_URL": nats_server.address, "GATEWAY_DATABASE_URL": postgresql_url}
    twin = roster.twin("gateway")
    roster.start(*SERVICES)
    twin.start()
    await asyncio.to_thread(twin.wait_ready)
    writing = asyncio.create_task(write_slowly(roster))
    await has(nats_server, 20)
    assert (status(roster.gateway), status(twin)) == ("relaying", "standing by")
    with roster.gateway.frozen():
        await becomes(lambda: status(twin) == "relaying")
        await has(nats_server, await nats_server.count() + 20)
    await becomes(lambda: status(roster.gateway) == "standing by")
    twin.kill()
    await becomes(lambda: status(roster.gateway) == "relaying")
    await has(nats_server, await nats_server.count() + 20)
    writing.cancel()
    await check(roster, nats_server)
