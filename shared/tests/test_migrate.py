"""Migrations make what the models declare, once, whoever starts them."""

import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.db import NotMigrated, Unavailable
from shared.migrate import engine_of, upgrade
from shared.testing.databases import sqlite_url
from shared.testing.things import metadata

THINGS = "shared.testing.things"


def test_the_migrations_make_what_the_models_declare(things_url: str) -> None:
    engine = engine_of(things_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_second_run_changes_nothing(things_url: str) -> None:
    before = epoch(things_url)
    upgrade(things_url, THINGS)
    assert epoch(things_url) == before


def test_of_two_that_start_together_one_migrates(database_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(processes_upgrade, database_url) for _ in range(2)]:
            done.result()
    assert len(epoch(database_url)) == 16


def processes_upgrade(url: str) -> None:
    """In a process of its own: Alembic's context is one per process."""
    code = f"from shared.migrate import upgrade; upgrade({url!r}, {THINGS!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_a_database_is_for_its_own_user_whoever_makes_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        upgrade(sqlite_url(tmp_path / "var" / "things.db"), THINGS)
        with closing(sqlite3.connect(tmp_path / "var" / "things.db")) as connection:
            connection.execute("SELECT count(*) FROM meta").fetchall()
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "var").iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    assert modes.keys() >= {"things.db", "things.db-wal"}
    assert set(modes.values()) == {0o600}


def test_a_database_that_cannot_be_made_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        upgrade(sqlite_url(tmp_path / "file" / "things.db"), THINGS)
    with pytest.raises(Unavailable):
        upgrade("postgresql://postgres@127.0.0.1:1/x", THINGS)
    with pytest.raises(ValueError, match="URL"):
        upgrade("mysql://x", THINGS)


def test_what_is_no_database_of_this_version_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no database, but long enough to be taken for one" * 20)
    with pytest.raises(NotMigrated, match="not one of this version"):
        upgrade(sqlite_url(tmp_path / "note.txt"), THINGS)
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection:
        connection.executescript("CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('9999')")
    with pytest.raises(NotMigrated, match="9999"):
        upgrade(sqlite_url(tmp_path / "newer.db"), THINGS)


def epoch(url: str) -> str:
    engine = engine_of(url)
    with engine.connect() as connection:
        found: str = connection.execute(sa.text("SELECT value FROM meta WHERE name = 'epoch'")).scalar_one()
    engine.dispose()
    return found
