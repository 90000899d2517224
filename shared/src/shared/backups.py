"""Backups: a backup file is a SQLite database with the service's tables, whichever database it was made from, and goes back into either.

Columns mean the same on both databases, so a file made from one moves a service to the other.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from shared.db import NotMigrated, StoreError
from shared.db.database import dialect_of
from shared.db.postgresql import WRITE_LOCK
from shared.db.sqlite import path_of
from shared.migrate import engine_of, new_epoch, upgrade

_CHUNK = 1000
_REVISION = "alembic_version"


def backup(url: str, file: Path | str) -> None:
    """Write the database as it is at one instant to a file, while services go on. Raises FileExistsError rather than overwrite one."""
    file = Path(file)
    if file.exists():
        raise FileExistsError(f"{file} exists already")
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    if dialect_of(url) == "sqlite":
        if not path_of(url).exists():
            raise NotMigrated(f"there is no database at {path_of(url)}")
        with closing(sqlite3.connect(path_of(url))) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    else:
        _copy_out(url, part)
    part.rename(file)


def restore(url: str, file: Path | str, package: str) -> str:
    """Put a backup in the place of everything in a database, brought to the newest shape, in one transaction; the new epoch.

    The service must be stopped. Raises StoreError for a file that is no backup of this service, or has a row that refers to one that is
    not there; the database is then as it was.
    """
    with tempfile.TemporaryDirectory(prefix="roster-restore-") as directory:
        stage = Path(directory) / "stage.db"
        stage_url = f"sqlite:///{stage}"
        try:
            with closing(sqlite3.connect(f"{Path(file).absolute().as_uri()}?mode=ro", uri=True)) as source:
                (revision,) = source.execute("SELECT version_num FROM alembic_version").fetchone()
                upgrade(stage_url, package, revision)
                _fill_stage(source, stage)
        except (sqlite3.Error, TypeError, sa.exc.SQLAlchemyError) as error:
            raise StoreError(f"{file} is no backup of {package}: {error}") from error
        upgrade(stage_url, package)
        _check_references(stage, file)
        upgrade(url, package)
        engine = engine_of(url)
        try:
            with engine.connect() as target, closing(sqlite3.connect(stage)) as source:
                return _replace(target, source)
        finally:
            engine.dispose()


def _fill_stage(source: sqlite3.Connection, stage: Path) -> None:
    with closing(sqlite3.connect(stage)) as target, target:
        for table in _tables(source):
            target.execute(f'DELETE FROM "{table}"')  # noqa: S608 - a name that the database itself gave
            columns, rows = _read(source, table)
            target.executemany(_insert(table, columns), rows)


def _check_references(stage: Path, file: Path | str) -> None:
    with closing(sqlite3.connect(stage)) as staged:
        found = staged.execute("PRAGMA foreign_key_check").fetchone()
    if found is not None:
        table, row, parent, _ = found
        raise StoreError(f"{file} is no whole backup: row {row} of {table} refers to one of {parent} that is not there")


def _replace(target: sa.Connection, source: sqlite3.Connection) -> str:
    """Everything in the target by everything in the source, whose references hold: SQLite does not look at them here."""
    tables = [table for table in _in_order(target) if table.name != _REVISION]
    target.rollback()
    with target.begin():
        if target.dialect.name == "postgresql":
            target.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITE_LOCK)))
            target.exec_driver_sql("TRUNCATE " + ", ".join(f'"{table.name}"' for table in tables))
        else:
            for table in reversed(tables):
                target.execute(sa.delete(table))
        for table in tables:
            columns, rows = _read(source, table.name)
            if target.dialect.name == "postgresql":
                _copy_in(target, table.name, columns, rows)
            else:
                driver = target.connection.driver_connection
                assert driver is not None
                driver.executemany(_insert(table.name, columns), rows)
        return new_epoch(target)


def _copy_in(target: sa.Connection, table: str, columns: list[str], rows: Iterator[tuple[object, ...]]) -> None:
    """One COPY a table: a reference to a later row of the same table is checked when all are there."""
    driver = target.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({", ".join(map(_quoted, columns))}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def _copy_out(url: str, file: Path) -> None:
    engine = engine_of(url)
    try:
        with closing(sqlite3.connect(file)) as target, target, engine.connect() as source:
            source.execution_options(isolation_level="REPEATABLE READ", stream_results=True, max_row_buffer=_CHUNK)
            for table in _in_order(source):
                columns = [column.name for column in table.columns]
                target.execute(f'CREATE TABLE "{table.name}" ({", ".join(map(_quoted, columns))})')
                target.executemany(_insert(table.name, columns), map(tuple, source.execute(sa.select(table))))
    finally:
        engine.dispose()


def _in_order(connection: sa.Connection) -> list[sa.Table]:
    """The tables, each after those that it refers to."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return metadata.sorted_tables


def _tables(source: sqlite3.Connection) -> list[str]:
    return [name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]


def _read(source: sqlite3.Connection, table: str) -> tuple[list[str], Iterator[tuple[object, ...]]]:
    cursor = source.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name that the database itself gave
    return [column[0] for column in cursor.description], cursor


def _insert(table: str, columns: list[str]) -> str:
    names, marks = ", ".join(map(_quoted, columns)), ", ".join("?" * len(columns))
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608 - names from the database itself


def _quoted(name: str) -> str:
    return f'"{name}"'
