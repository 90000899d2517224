"""Leases: one process at a time, and the next one once it has ended."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from gateway.leases import Lease, later
from shared.db import Database
from shared.migrate import upgrade


class Clock:
    """The database's time, moved by hand."""

    now = "2026-11-22T08:00:00.000000Z"

    def __call__(self) -> str:
        return self.now


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[tuple[Database, Clock]]:
    upgrade(database_url, "gateway")
    clock = Clock()
    found = Database(database_url, readers=1, now=clock)
    await found.open()
    yield found, clock
    await found.close()


async def test_one_holds_and_the_next_takes_over(db: tuple[Database, Clock]) -> None:
    database, clock = db
    first, second, other = Lease(database, "relay"), Lease(database, "relay"), Lease(database, "webhooks")
    assert [await first.hold(), await second.hold(), await other.hold()] == [True, False, True]
    assert first.left > 0
    assert second.left == 0
    clock.now = later(clock.now, 14)
    assert not await second.hold()
    clock.now = later(clock.now, 2)
    assert await second.hold()


async def test_whoever_gives_up_is_followed_at_once(db: tuple[Database, Clock]) -> None:
    database, _ = db
    first, second = Lease(database, "relay"), Lease(database, "relay")
    await first.hold()
    await second.give_up()
    assert not await second.hold()
    await first.give_up()
    assert (first.left, await second.hold()) == (0, True)


async def test_only_one_of_many_gets_it(db: tuple[Database, Clock]) -> None:
    database, _ = db
    leases = [Lease(database, "relay") for _ in range(20)]
    assert sum(await asyncio.gather(*(lease.hold() for lease in leases))) == 1


async def test_one_that_is_kept_is_renewed(db: tuple[Database, Clock]) -> None:
    database, clock = db
    first, second = Lease(database, "relay"), Lease(database, "relay")
    await first.hold()
    clock.now = later(clock.now, 14)
    assert await first.hold(least=15)
    clock.now = later(clock.now, 14)
    assert not await second.hold()
