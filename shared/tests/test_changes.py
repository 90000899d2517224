"""The log: its order, its time and its chain."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from shared.db import Connection, Database
from shared.migrate import engine_of
from shared.testing.things import AUTHOR, log, records
from shared.verification import verify


def adding(code: str) -> Callable[[Connection], dict[str, Any]]:
    return lambda conn: records.add(conn, {"code": code, "open": True}, AUTHOR)


async def test_each_transaction_is_later_than_those_before(things_url: str) -> None:
    times = iter(f"{time}Z" for time in ("2026-01-01T00:00:00.000002", "2026-01-01T00:00:00.000001", "2025", "2026-01-01T00:00:00.000003"))
    numbers = itertools.count()
    for count in (2, 2):  # another process, whose clock is behind, goes on from what is stored
        db = Database(things_url, now=lambda: next(times))
        await db.open()
        for _ in range(count):
            await db.write(adding(f"c{next(numbers)}"))
        found = [row[1] for row in await db.all(log.after, seq=0, limit=10)]
        await db.close()
    assert found == [f"2026-01-01T00:00:00.00000{i}Z" for i in (2, 3, 4, 5)]


async def test_seq_order_is_commit_order(db: Database) -> None:
    """Whoever sees a change sees every change before it, while two processes write."""
    other = Database(db.url)
    await other.open()
    done = asyncio.Event()

    async def watch() -> None:
        seen = 0
        while not done.is_set():
            rows = await other.all(log.after, seq=0, limit=1000)
            assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
            assert len(rows) >= seen
            seen = len(rows)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*((db if i % 2 else other).write(adding(f"c{i}")) for i in range(150)))
    done.set()
    await watching
    assert (await verify(db, log)).seq == 150
    await other.close()


async def test_on_commit_tells_what_was_logged_in_order(db: Database) -> None:
    told: list[int] = []
    db.on_commit(lambda changes: told.extend(change.seq for change in changes))
    await asyncio.gather(*(db.write(adding(f"c{i}")) for i in range(20)))
    assert told == list(range(1, 21))


async def test_waiting_ends_with_a_change_of_this_process_or_another(db: Database) -> None:
    other = Database(db.url)
    await other.open()
    for writer in (db, other):
        seq = await db.last_change()
        waiting = asyncio.create_task(db.wait_for_change(seq, 30))
        await asyncio.sleep(0)
        assert not waiting.done()
        await writer.write(adding(f"c{seq}"))
        await waiting
        assert db.last_seq == seq + 1
    await db.wait_for_change(0, 30)  # past it already
    await db.wait_for_change(2, 0.01)  # the end of the time
    await other.close()


def rename(url: str, table: str, name: str) -> None:
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {name}"))
    engine.dispose()


async def test_waiting_goes_on_after_a_look_that_failed(things_url: str, caplog: pytest.LogCaptureFixture) -> None:
    db, other = Database(things_url), Database(things_url)
    await db.open()
    await other.open()
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(db.wait_for_change(0, 30))
        await asyncio.to_thread(rename, db.url, "changes", "lost")
        while not caplog.messages:  # noqa: ASYNC110 - nothing tells of a line of the log
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # looks that fail like it
        await asyncio.to_thread(rename, db.url, "lost", "changes")
        await other.write(adding("other"))
        await waiting
    assert db.last_seq == 1
    assert ["other processes' changes" in message for message in caplog.messages] == [True]
    await other.close()
    await db.close()
