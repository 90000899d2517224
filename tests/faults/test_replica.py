"""A replica that is built from the merged feed alone equals the directory, whatever is killed meanwhile and however it is read."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from shared.testing.databases import postgresql_database
from shared.testing.processes import SERVICES, Roster

KILLS = int(os.environ.get("ROSTER_REPLICA_KILLS", "6"))
PATIENCE = 60.0
Records = dict[str, Any]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=["sqlite", "postgresql"])
def roster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Roster]:
    """The services on each kind of database."""
    with ExitStack() as stack:
        env = {}
        if request.param == "postgresql":
            env = {f"{name.upper()}_DATABASE_URL": stack.enter_context(postgresql_database()) for name in SERVICES}
        yield stack.enter_context(Roster(tmp_path, env=env))


class Replica:
    """What a follower makes of the feed: records by subject. It keeps nothing else but its cursor, as a program on disk would."""

    def __init__(self, url: str, cookie: str, chance: random.Random) -> None:
        self.records: Records = {}
        self.cursor = "-~-"
        self.read = 0
        self._seen: dict[str, int] = {}
        self._chance = chance
        self._http = httpx.AsyncClient(base_url=url, headers={"Cookie": cookie}, trust_env=False, timeout=20)

    def apply(self, event: Any) -> None:
        """Take one event in. Each service's come without a gap, and none twice."""
        seq = int(event["id"].rpartition(".")[2])
        assert seq == self._seen.get(event["source"], 0) + 1, event
        self._seen[event["source"]] = seq
        if event["data"] is None:
            del self.records[event["subject"]]
        else:
            self.records[event["subject"]] = event["data"]
        self.cursor = event["cursor"]
        self.read += 1

    async def follow(self) -> None:
        """Read for ever: now batches, now a stream, each for a while."""
        while True:
            with suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(self._chance.uniform(0.2, 3)):
                    if self._chance.random() < 0.5:
                        await self.poll(self._chance.randrange(3))
                    else:
                        async for event in self._stream():
                            self.apply(event)
            await asyncio.sleep(0.02)

    async def poll(self, wait: int = 0) -> int:
        """One batch; how many events it had, -1 when it can't be had."""
        query: dict[str, str | int] = {"after": self.cursor, "limit": self._chance.choice([1, 7, 100, 1000]), "wait": wait}
        answer = await self._http.get("/v1/changes", params=query)
        if answer.status_code != 200:
            assert answer.status_code in (502, 503, 504), answer.text
            return -1
        for event in answer.json():
            self.apply(event)
        return len(answer.json())

    async def catch_up(self) -> None:
        """Read until there is nothing new in either service."""
        async with asyncio.timeout(PATIENCE):
            while await self.poll() != 0:  # noqa: ASYNC110 - what is waited for happens elsewhere
                await asyncio.sleep(0.02)

    async def _stream(self) -> AsyncIterator[Any]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": self.cursor}
        async with self._http.stream("GET", "/v1/changes", headers=headers) as answer:
            kind = "message"
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "data" and kind == "message":
                    yield msgspec.json.decode(value)
                kind = value if name == "event" else "message" if not line else kind

    async def aclose(self) -> None:
        await self._http.aclose()


async def write(http: httpx.AsyncClient, chance: random.Random) -> None:
    """Random writes for ever. What becomes of those that meet a dead service is nobody's business here."""
    number = 0
    while True:
        number += 1
        person, team = chance.randrange(1, 40), chance.randrange(1, 12)
        method, path, body = chance.choice(
            [
                ("POST", "/v1/employees", {"username": f"u{number}", "email": f"u{number}@roster.example"}),
                ("PATCH", f"/v1/employees/{person}", {"title": f"title {number}"}),
                ("PATCH", f"/v1/employees/{person}", {"status": chance.choice(["active", "inactive"])}),
                ("DELETE", f"/v1/employees/{person}", None),
                ("POST", "/v1/teams", {"slug": f"t{number}", "name": f"Team {number}"}),
                ("PATCH", f"/v1/teams/{team}", {"name": f"Name {number}"}),
                ("PUT", f"/v1/teams/{team}/members/{person}", {"role": chance.choice(["lead", "member"])}),
                ("DELETE", f"/v1/teams/{team}/members/{person}", None),
            ]
        )
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        with suppress(httpx.HTTPError):
            await http.request(method, path, content=content, headers=headers)


async def directory(roster: Roster) -> Records:
    """Everything that the services have, by subject."""
    found: Records = {}
    for service, entity, path in (
        ("employees", "employee", "/v1/employees?limit=200"),
        ("teams", "team", "/v1/teams?limit=200"),
        ("teams", "membership", "/v1/memberships?include=inactive&limit=200"),
    ):
        async with httpx.AsyncClient(headers={"Authorization": roster.bearer(service)}, trust_env=False, timeout=20) as http:
            url = {"employees": roster.employees.url, "teams": roster.teams.url}[service]
            cursor = ""
            while True:
                page = (await http.get(f"{url}{path}{cursor}")).raise_for_status().json()
                found |= {f"{entity}/{record['id']}": record for record in page["items"]}
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
    return found


async def settled(roster: Roster, replica: Replica) -> Records:
    """The directory once teams has done what follows from the last deletion, and the replica has read of it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            before = await directory(roster)
            people = {record["id"] for subject, record in before.items() if subject.startswith("employee/")}
            orphans = [one for subject, one in before.items() if subject.startswith("membership/") and one["employee_id"] not in people]
            await replica.catch_up()
            if not orphans and before == await directory(roster):
                return before
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("seed", [int(os.environ.get("ROSTER_REPLICA_SEED", "1"))])
async def test_a_replica_equals_the_directory(roster: Roster, seed: int) -> None:
    chance = random.Random(seed)
    roster.start(*SERVICES)
    cookie = roster.log_in()
    replica = Replica(roster.gateway.url, cookie, random.Random(seed + 1))
    async with httpx.AsyncClient(base_url=roster.gateway.url, headers={"Cookie": cookie}, trust_env=False, timeout=5) as http:
        tasks = [asyncio.create_task(write(http, random.Random(seed + number))) for number in (2, 3)]
        tasks.append(asyncio.create_task(replica.follow()))
        for number in range(KILLS):
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            process = (roster.employees, roster.teams, roster.gateway)[number % 3]
            process.kill()
            await asyncio.sleep(chance.uniform(0, 0.5))
            process.start()
            await asyncio.to_thread(process.wait_ready)
            for task in tasks:
                if task.done():
                    task.result()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []
    assert replica.read > 0
    assert await settled(roster, replica) == replica.records
    fresh = Replica(roster.gateway.url, cookie, chance)
    await fresh.catch_up()
    assert fresh.records == replica.records
    await replica.aclose()
    await fresh.aclose()
