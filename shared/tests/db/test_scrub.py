"""What was erased is gone from the files too: at once, or once nobody reads them any more."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from shared.db import Connection, Database, Query
from shared.db.connection import SCRUB_DUE
from shared.migrate import upgrade
from shared.testing.things import AUTHOR, records, things_versions


async def test_files_are_scrubbed_before_the_writer_answers_or_later_when_somebody_reads_them(tmp_path: Path) -> None:
    """A backup, say, holds the write-ahead log: the write is answered all the same, and the mark stays until it is done."""
    path = tmp_path / "things.db"
    upgrade(f"sqlite:///{path}", "shared.testing.things")
    db = Database(f"sqlite:///{path}")
    await db.open()

    def holds() -> bool:
        return any(b"zq-secret" in file.read_bytes() for file in (path, path.with_name("things.db-wal")))

    def erase(conn: Connection) -> None:
        records.change(conn, records.get(conn, 1) or {}, {"name": None}, AUTHOR)
        conn.run(Query(update(things_versions).values(name=None, name_key="")))
        conn.scrub()

    await db.write(lambda conn: records.add(conn, {"code": "a", "name": "zq-secret", "open": True}, AUTHOR))
    assert holds()
    await db.write(erase)
    assert not holds()
    await db.write(lambda conn: records.change(conn, records.get(conn, 1) or {}, {"name": "zq-secret"}, AUTHOR))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM things").fetchone()
        await db.write(erase)
        assert holds()
        assert await db.one(SCRUB_DUE) is not None
    await db.close()
    again = Database(f"sqlite:///{path}")
    await again.open()
    await again.write(lambda conn: None)
    assert not holds()
    assert await again.one(SCRUB_DUE) is None
    await again.close()


async def test_a_unit_that_fails_scrubs_nothing(db: Database) -> None:
    def failing(conn: Connection) -> None:
        conn.scrub()
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        await db.write(failing)
    assert await db.one(SCRUB_DUE) is None
    await db.write(lambda conn: conn.scrub())
    assert await db.one(SCRUB_DUE) is None
