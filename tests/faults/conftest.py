"""The three services as real processes, and what such tests may ask of the machine."""

import asyncio
import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from shared.feedclient import seq_of
from shared.testing.databases import postgresql_url  # noqa: F401 - a fixture, found by name
from shared.testing.nats import nats_server  # noqa: F401 - a fixture, found by name
from shared.testing.processes import Roster
from shared.testing.redis import redis  # noqa: F401 - a fixture, found by name

PATIENCE = 90.0
"""Seconds; the longest lease is 24, and a busy machine takes its time."""

_numbers = itertools.count(1)


@pytest.fixture
def roster(tmp_path: Path) -> Iterator[Roster]:
    """The services, not started; whatever runs at the end is killed."""
    with Roster(tmp_path) as roster:
        yield roster


@pytest.fixture(scope="session")
def strace() -> str:
    """The path of strace. Skips without it, unless everything is required."""
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("ROSTER_REQUIRE_SERVICES") == "1":
            pytest.fail("strace is not installed, and ROSTER_REQUIRE_SERVICES=1 demands it")
        pytest.skip("strace is not installed")
    return found


async def write_slowly(roster: Roster, changes: int | None = None) -> None:
    """Some 20 changes a second of employees and teams, past the gateway: so many, or for ever. Every fifth is of a team."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for number in itertools.islice(_numbers, changes):
            service, path, body = ("employees", "/v1/employees", {"username": f"u{number}", "email": f"u{number}@roster.example"})
            if number % 5 == 0:
                service, path, body = ("teams", "/v1/teams", {"slug": f"t{number}", "name": f"Team {number}"})
            url = {"employees": roster.employees.url, "teams": roster.teams.url}[service]
            answer = await client.post(url + path, json=body, headers={"Authorization": roster.bearer(service)})
            answer.raise_for_status()
            await asyncio.sleep(0.05)


async def last_changes(roster: Roster) -> dict[str, int]:
    """The newest place in the feed of each service that has one."""
    found = {}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for service, process in (("employees", roster.employees), ("teams", roster.teams)):
            headers = {"Authorization": roster.bearer(service)}
            answer = await client.get(f"{process.url}/v1/changes", params={"last": "true"}, headers=headers)
            if events := answer.raise_for_status().json():
                found[service] = seq_of(events[0]["id"])
    return found


def connect(roster: Roster) -> Any:
    """A connection to the gateway's database, beside it."""
    url = roster.gateway.env["GATEWAY_DATABASE_URL"]
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    return psycopg.connect(url, autocommit=True)


async def start_after_kill(roster: Roster) -> None:
    """As some time later: the lease of the one that was killed has run out."""
    with closing(connect(roster)) as database:
        database.execute("UPDATE leases SET until = '2000-01-01T00:00:00.000000Z'")
    roster.gateway.start()
    await asyncio.to_thread(roster.gateway.wait_ready)
