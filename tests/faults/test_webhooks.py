"""Webhooks of gateway processes that are killed or stopped at any moment: all comes, in the order of its service, and the log says so."""

import asyncio
import os
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
import pytest_asyncio

from shared.db.postgresql import WRITE_LOCK
from shared.feedclient import seq_of
from shared.testing.databases import postgresql_database
from shared.testing.processes import SERVICES, Process, Roster
from tests.faults.conftest import PATIENCE, connect, last_changes, start_after_kill, write_slowly

KILLS = int(os.environ.get("ROSTER_WEBHOOK_KILLS", "6"))
SETTINGS = {"GATEWAY_WEBHOOK_PRIVATE": "true", "GATEWAY_WEBHOOK_RETRY": "0.05"}
LOCK = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_lock({WRITE_LOCK})"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=["sqlite", "postgresql"])
def roster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Roster]:
    """The services, the gateway on each kind of database."""
    with ExitStack() as stack:
        env = dict(SETTINGS)
        if request.param == "postgresql":
            env["GATEWAY_DATABASE_URL"] = stack.enter_context(postgresql_database())
        yield stack.enter_context(Roster(tmp_path, env=env))


@pytest.fixture
def pair(postgresql_url: str, tmp_path: Path) -> Iterator[tuple[Roster, list[Process]]]:
    """The services, with two gateways on one database."""
    with Roster(tmp_path, env={**SETTINGS, "GATEWAY_DATABASE_URL": postgresql_url}) as roster:
        roster.start(*SERVICES)
        twin = roster.twin("gateway")
        twin.start()
        twin.wait_ready()
        yield roster, [roster.gateway, twin]


async def take(message_id: str) -> int:
    return 204


class Receiver:
    """Takes deliveries. `answer` is told the `webhook-id` and says with which status, in its own time."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: Callable[[str], Awaitable[int]] = take
        self.got: list[dict[str, Any]] = []
        self.taken: set[str] = set()
        """The `webhook-id`s of those that were answered well."""
        self.read = 0
        """Answers after which the sender has closed the connection: it has read them, or is dead."""
        self.at_once = self.most = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):  # a sender may be killed at any byte
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            event = msgspec.json.decode(await reader.readexactly(int(headers["content-length"])))
            assert headers["webhook-id"] == f"msg_{event['id'].replace('.', '_')}"
            self.got.append(event)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            status = await self.answer(headers["webhook-id"])
            self.at_once -= 1
            if status < 300:
                self.taken.add(headers["webhook-id"])
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
            await reader.read()
            self.read += 1

    def seqs(self, service: str) -> list[int]:
        """What came of a service, in order; what was repeated at once counts once."""
        return [seq for seq, _ in groupby(seq_of(event["id"]) for event in self.got if event["source"] == f"/{service}")]

    def _newest(self, service: str) -> dict[str, Any]:
        return next(event for event in reversed(self.got) if event["source"] == f"/{service}")

    async def becomes(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(0.005)

    async def more(self, count: int) -> None:
        """Wait until so many more have come."""
        enough = len(self.got) + count
        await self.becomes(lambda: len(self.got) >= enough)

    async def gets_all(self, roster: Roster) -> None:
        """Wait for the newest change of each service; then all must have come, in order, each the same whenever it came."""
        last = await last_changes(roster)
        await self.becomes(lambda: all(self.seqs(service)[-1:] == [seq] for service, seq in last.items()))
        newest = {f"msg_{event['id'].replace('.', '_')}" for event in (self._newest(service) for service in last)}
        await self.becomes(lambda: newest <= self.taken)
        assert {service: self.seqs(service) for service in last} == {service: [*range(1, seq + 1)] for service, seq in last.items()}
        same = {event["id"]: event | {"cursor": ""} for event in self.got}
        assert [event | {"cursor": ""} for event in self.got] == [same[event["id"]] for event in self.got]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield found
    server.close()


class Admin:
    """Someone who has made a webhook, and asks whichever gateway runs."""

    def __init__(self, roster: Roster, url: str) -> None:
        self._cookie = {"Cookie": roster.log_in()}
        made = httpx.post(f"{roster.gateway.url}/v1/webhooks", json={"url": url, "replay": True}, headers=self._cookie)
        made.raise_for_status()

    def log(self, gateway: Process) -> list[dict[str, Any]]:
        """The attempts that are remembered, the oldest first."""
        items: list[dict[str, Any]] = []
        with httpx.Client(base_url=gateway.url, headers=self._cookie, timeout=30) as client:
            query: dict[str, Any] = {"limit": 200}
            while True:
                page = client.get("/v1/webhooks/1/deliveries", params=query).raise_for_status().json()
                items += page["items"]
                query["cursor"] = page["next"]
                if page["next"] is None:
                    return items[::-1]


def check_log(log: list[dict[str, Any]], receiver: Receiver) -> None:
    """Each message was tried once, twice and so on until it was taken, before the one that follows it; all of it was received."""
    tried: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for item in log:
        tried[item["message_id"]].append((item["attempt"], item["delivered"]))
    attempts = list(tried.values())
    if len(log) == 1_000:
        del attempts[0]  # its first attempts may be forgotten
    assert attempts == [[(number, number == len(found)) for number in range(1, len(found) + 1)] for found in attempts]
    assert [key for key, _ in groupby(item["message_id"] for item in log)] == list(tried)
    assert {item["message_id"] for item in log} <= {f"msg_{event['id'].replace('.', '_')}" for event in receiver.got}


async def kill_before_the_note(roster: Roster, receiver: Receiver) -> None:
    """One event more is delivered, and the gateway killed when it has read the answer and can't write that down."""
    read = receiver.read
    with closing(connect(roster)) as database:

        async def answer_and_hold_the_note(message_id: str) -> int:
            database.execute(LOCK["postgresql" if isinstance(database, psycopg.Connection) else "sqlite"])
            return 204

        receiver.answer = answer_and_hold_the_note
        await write_slowly(roster, 1)
        await receiver.becomes(lambda: receiver.read > read)
        roster.gateway.kill()
        receiver.answer = take
    await start_after_kill(roster)
    await receiver.becomes(lambda: receiver.read == read + 2)


async def test_what_was_delivered_and_not_noted_comes_once_more(roster: Roster, receiver: Receiver) -> None:
    roster.start(*SERVICES)
    admin = Admin(roster, receiver.url)
    for _ in range(3):
        await kill_before_the_note(roster, receiver)
    await receiver.gets_all(roster)
    assert [event["subject"] for event in receiver.got[::2]] == [event["subject"] for event in receiver.got[1::2]]
    await receiver.becomes(lambda: len(admin.log(roster.gateway)) == 3)
    check_log(admin.log(roster.gateway), receiver)


async def test_a_kill_at_any_moment_loses_and_reorders_nothing(roster: Roster, receiver: Receiver) -> None:
    chance = random.Random(1)

    async def take_most(message_id: str) -> int:
        await asyncio.sleep(chance.uniform(0, 0.01))
        return 503 if chance.random() < 0.1 else 204

    receiver.answer = take_most
    roster.start(*SERVICES)
    admin = Admin(roster, receiver.url)
    writing = asyncio.create_task(write_slowly(roster))
    for _ in range(KILLS):
        await receiver.more(chance.randrange(5, 40))
        await asyncio.sleep(chance.uniform(0, 0.02))
        roster.gateway.kill()
        await start_after_kill(roster)
    writing.cancel()
    await receiver.gets_all(roster)
    assert len(receiver.got) >= 5 * KILLS
    await asyncio.to_thread(roster.gateway.stop)  # what is under way is noted or forgotten
    await start_after_kill(roster)
    check_log(admin.log(roster.gateway), receiver)
    before = len(receiver.got)
    await write_slowly(roster, 1)
    await receiver.gets_all(roster)
    assert len(receiver.got) <= before + 3, "it goes on where it was: one event, tried again at most now and then"


def status(gateway: Process) -> str:
    """Whether it delivers or stands by."""
    found: str = httpx.get(f"{gateway.url}/readyz", timeout=30).json()["details"]["webhooks"]["status"]
    return found


def in_turn(gateways: list[Process]) -> tuple[Process, Process]:
    """The one that delivers, and the one that stands by."""
    said = {status(gateway): gateway for gateway in gateways}
    return said["delivering"], said["standing by"]


async def test_of_two_gateways_one_delivers_and_the_other_takes_over(pair: tuple[Roster, list[Process]], receiver: Receiver) -> None:
    roster, gateways = pair
    admin = Admin(roster, receiver.url)
    writing = asyncio.create_task(write_slowly(roster))
    await receiver.more(50)
    holder, other = in_turn(gateways)
    assert len({event["id"] for event in receiver.got}) == len(receiver.got)
    holder.kill()
    await receiver.more(50)
    writing.cancel()
    await receiver.gets_all(roster)
    assert status(other) == "delivering"
    assert receiver.most == 1, "two at a time"
    assert len(receiver.got) - len({event["id"] for event in receiver.got}) <= 1, "what was under way at the kill"
    await asyncio.to_thread(other.stop)
    holder.start()
    await asyncio.to_thread(holder.wait_ready)
    check_log(admin.log(holder), receiver)


async def stop_in_a_delivery(roster: Roster, receiver: Receiver, sleeper: Process, late: int) -> None:
    """The gateway that delivers one event more is stopped until the other one has tried it three times in vain; then it gets its answer."""
    woken, tried, read = asyncio.Event(), list[str](), receiver.read

    async def stop_the_first(message_id: str) -> int:
        tried.append(message_id)
        if len(tried) > 1:
            return 503
        os.kill(sleeper.pid, signal.SIGSTOP)
        await woken.wait()
        return late

    receiver.answer = stop_the_first
    await write_slowly(roster, 1)
    await receiver.becomes(lambda: len(tried) > 3)
    woken.set()
    os.kill(sleeper.pid, signal.SIGCONT)
    await receiver.becomes(lambda: receiver.read > read + 3)
    await receiver.becomes(lambda: status(sleeper) == "standing by")
    receiver.answer = take


@pytest.mark.parametrize("late", [204, 503])
async def test_one_that_wakes_after_its_lease_notes_nothing(pair: tuple[Roster, list[Process]], receiver: Receiver, late: int) -> None:
    roster, gateways = pair
    admin = Admin(roster, receiver.url)
    await write_slowly(roster, 3)
    await receiver.gets_all(roster)
    sleeper, other = in_turn(gateways)
    await stop_in_a_delivery(roster, receiver, sleeper, late)
    assert status(other) == "delivering"
    await receiver.gets_all(roster)
    await write_slowly(roster, 3)
    await receiver.gets_all(roster)
    await receiver.becomes(lambda: admin.log(other)[-1]["message_id"] == f"msg_{receiver.got[-1]['id'].replace('.', '_')}")
    check_log(admin.log(other), receiver)
