"""A backup goes back into either database, under a new epoch."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from shared.backups import backup, restore
from shared.db import Connection, Database, StoreError
from shared.migrate import upgrade
from shared.testing.databases import postgresql_database, sqlite_url
from shared.testing.things import ALL, AUTHOR, log, records
from shared.verification import verify

THINGS = "shared.testing.things"


async def fill(url: str) -> tuple[str, list[tuple[object, ...]]]:
    """Things that belong to later ones, a removed one, and odd texts; the epoch and the rows."""

    def unit(conn: Connection) -> None:
        made = records.add_many(conn, [{"code": f"c{i} ü\t\\N'\n", "open": i % 2 == 0, "amount": i} for i in range(20)], AUTHOR)
        records.change(conn, made[0], {"owner_id": 20, "name": None}, AUTHOR)
        records.remove(conn, made[5], AUTHOR)

    db = Database(url)
    await db.open()
    await db.write(unit)
    rows = await db.all(ALL)
    await db.close()
    return db.epoch, rows


async def check(url: str, rows: list[tuple[object, ...]], old_epoch: str) -> None:
    db = Database(url)
    await db.open()
    assert db.epoch != old_epoch
    assert await db.all(ALL) == rows
    assert (await verify(db, log)).seq == 22
    assert (await db.write(lambda conn: records.add(conn, {"code": "next", "open": True}, AUTHOR)))["id"] == 21
    await db.close()


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
async def test_a_backup_goes_into_either_database(things_url: str, tmp_path: Path, target: str) -> None:
    epoch, rows = await fill(things_url)
    backup(things_url, tmp_path / "backup")
    if target == "sqlite":
        restore(sqlite_url(tmp_path / "new.db"), tmp_path / "backup", THINGS)
        await check(sqlite_url(tmp_path / "new.db"), rows, epoch)
    else:
        with postgresql_database() as url:
            restore(url, tmp_path / "backup", THINGS)
            await check(url, rows, epoch)


async def test_a_restore_takes_the_place_of_what_is_there(things_url: str, tmp_path: Path) -> None:
    epoch, rows = await fill(things_url)
    backup(things_url, tmp_path / "backup")
    db = Database(things_url)
    await db.open()
    await db.write(lambda conn: records.add(conn, {"code": "later", "open": True}, AUTHOR))
    await db.close()
    restore(things_url, tmp_path / "backup", THINGS)
    await check(things_url, rows, epoch)


async def test_what_is_no_backup_changes_nothing(things_url: str, tmp_path: Path) -> None:
    _, rows = await fill(things_url)
    (tmp_path / "bad").write_text("not a database, but long enough to look at" * 100)
    (tmp_path / "empty").write_text("")
    for name in ("bad", "empty", "absent"):
        with pytest.raises(StoreError, match="no backup"):
            restore(things_url, tmp_path / name, THINGS)
    db = Database(things_url)
    await db.open()
    assert await db.all(ALL) == rows
    await db.close()


async def test_a_row_that_refers_to_none_is_named_and_changes_nothing(things_url: str, tmp_path: Path) -> None:
    _, rows = await fill(things_url)
    backup(things_url, tmp_path / "backup")
    with contextlib.closing(sqlite3.connect(tmp_path / "backup")) as file, file:
        file.execute("UPDATE things SET owner_id = 99 WHERE id = 7")
    with pytest.raises(StoreError, match="row 7 of things refers to one of things that is not there"):
        restore(things_url, tmp_path / "backup", THINGS)
    db = Database(things_url)
    await db.open()
    assert await db.all(ALL) == rows
    await db.close()


def test_a_backup_overwrites_no_file(things_url: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    with pytest.raises(FileExistsError):
        backup(things_url, tmp_path / "there")
    upgrade(things_url, THINGS)
