"""A full disk, a lost connection, a stuck neighbour: the batch fails as a whole, and the store works afterwards."""

import asyncio
import os
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.db import Connection, Database, NotMigrated, Unavailable
from shared.db.sqlite import SQLiteDriver, path_of
from shared.migrate import upgrade
from shared.testing.databases import sqlite_url
from shared.testing.things import ALL, AUTHOR, BY_ID, log, records
from shared.verification import verify

THINGS = "shared.testing.things"


def adding(code: str, **values: Any) -> Callable[[Connection], dict[str, Any]]:
    return lambda conn: records.add(conn, {"code": code, "open": True, **values}, AUTHOR)


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(sqlite_url(tmp_path / "things.db"), THINGS)
    db = Database(sqlite_url(tmp_path / "things.db"))
    await db.open()
    yield db
    await db.close()


@pytest.fixture
async def on_postgresql(postgresql_url: str) -> AsyncIterator[Database]:
    upgrade(postgresql_url, THINGS)
    db = Database(postgresql_url, readers=2)
    await db.open()
    yield db
    await db.close()


def limit_pages(pages: int) -> Callable[[Connection], None]:
    """A unit that makes the disk full: the writer's connection may have so many pages more. 0: any number."""

    def unit(conn: Connection) -> None:
        driver = conn._driver
        assert isinstance(driver, SQLiteDriver)
        (now,) = driver._connection.execute("PRAGMA page_count").fetchone()
        driver._connection.execute(f"PRAGMA max_page_count={now + pages if pages else 2**30}").fetchall()

    return unit


async def in_one_batch(db: Database, units: list[Callable[[Connection], Any]]) -> list[Any]:
    """What became of units that ran in one transaction: the first of all puts the others behind itself."""
    futures: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in units]

    def first(conn: Connection) -> None:
        for unit, future in zip(units, futures, strict=True):
            db._writer._waiting.put((unit, future))

    return await asyncio.gather(db.write(first), *futures, return_exceptions=True)


async def test_a_full_disk_fails_every_unit_of_the_batch_and_the_store_goes_on(on_sqlite: Database) -> None:
    db = on_sqlite
    await db.write(adding("before"))
    await db.write(limit_pages(3))
    results = await in_one_batch(db, [adding("small"), lambda conn: "no-op", adding("big", name="x" * 100_000)])
    assert [type(result) for result in results] == [Unavailable] * 4
    assert [row[3] for row in await db.all(ALL)] == ["before"]
    await db.write(adding("after", name="x" * 100_000))  # the connection was given up, and with it its limit
    assert (await verify(db, log)).seq == 2


async def test_a_disk_that_fills_up_at_the_end_of_a_transaction(on_sqlite: Database) -> None:
    """The rows of versions and log come last, so the lack of room may show only there, when every unit has run."""
    db = on_sqlite
    await db.write(limit_pages(20))
    results = await in_one_batch(db, [adding(f"c{i}", name="x" * 6000) for i in range(3)])  # 5 pages each, and 3 each at the end
    assert {type(result) for result in results} == {Unavailable}
    assert await db.all(ALL) == []
    assert (await db.write(adding("after")))["id"] == 1


async def test_a_write_waits_for_a_neighbour(on_sqlite: Database) -> None:
    neighbour = sqlite3.connect(path_of(on_sqlite.url), isolation_level=None)
    neighbour.execute("BEGIN IMMEDIATE")

    task = asyncio.create_task(on_sqlite.write(adding("waits")))
    await asyncio.sleep(0.05)
    neighbour.execute("COMMIT")
    neighbour.close()
    assert (await task)["id"] == 1


def backends(url: str, command: str) -> None:
    """Do something to every other connection of this database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT {command}(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")


async def test_lost_connections_are_made_anew(on_postgresql: Database) -> None:
    db = on_postgresql
    await db.write(adding("a"))
    await asyncio.gather(*(db.all(ALL) for _ in range(4)))
    backends(db.url, "pg_terminate_backend")
    assert [row[3] for row in await db.all(ALL)] == ["a"]
    assert (await db.write(adding("b")))["id"] == 2
    assert (await verify(db, log)).seq == 2


async def test_a_connection_lost_in_a_batch_fails_the_batch(on_postgresql: Database) -> None:
    db = on_postgresql

    def cutting(conn: Connection) -> None:
        adding("cut")(conn)
        backends(db.url, "pg_terminate_backend")
        adding("never")(conn)

    results = await asyncio.gather(*(db.write(unit) for unit in (adding("a"), cutting, adding("b"))), return_exceptions=True)
    assert isinstance(results[1], Unavailable)
    found = {row[3] for row in await db.all(ALL)}
    assert found == {result["code"] for result in results if isinstance(result, dict)}
    assert "cut" not in found
    await db.write(adding("after"))
    await verify(db, log)


async def test_a_database_that_is_not_there_is_said_clearly(tmp_path: Path, postgresql_url: str) -> None:
    with pytest.raises(NotMigrated, match="migrate"):
        await Database(sqlite_url(tmp_path / "nothing.db")).open()
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(NotMigrated, match="migrate"):
        await Database(sqlite_url(tmp_path / "empty.db")).open()
    with pytest.raises(NotMigrated, match="migrate"):
        await Database(postgresql_url).open()
    with pytest.raises(Unavailable):
        await Database(postgresql_url + "_not").open()
    with pytest.raises(Unavailable) as caught:
        await Database("postgresql://postgres:secret@127.0.0.1:1/x").open()
    assert "secret" not in str(caught.value)


def open_files(folder: Path) -> list[str]:
    """Those below a folder that this process has open."""
    names = [os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")]
    return [name for name in names if name.startswith(str(folder))]


async def test_what_a_failed_open_had_opened_is_closed(tmp_path: Path) -> None:
    await asyncio.to_thread(upgrade, sqlite_url(tmp_path / "things.db"), THINGS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, hard))
    try:
        with pytest.raises(Unavailable, match="unable to open") as caught:
            await Database(sqlite_url(tmp_path / "things.db"), readers=1000).open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_files(tmp_path) == [], caught  # whose traceback keeps what was not closed


async def test_an_unreachable_server_fails_reads_and_writes_until_it_is_back(on_postgresql: Database) -> None:
    db = on_postgresql
    name = db.url.rpartition("/")[2]
    server = db.url.rpartition("/")[0] + "/postgres"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(Unavailable):
            await db.ping()
        with pytest.raises(Unavailable):
            await db.write(adding("a"))
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await db.ping()
    assert (await db.write(adding("a")))["id"] == 1
    assert await db.one(BY_ID, id=1) is not None
