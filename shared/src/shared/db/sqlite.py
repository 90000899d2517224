"""SQLite: the writer's connection, and readers that can be interrupted."""

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shared.db import constraints
from shared.db.connection import Row
from shared.db.errors import ConstraintViolation, InvalidParameter, NotMigrated, StoreError, Unavailable
from shared.db.query import Compiled, DialectName

_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")


def path_of(url: str) -> Path:
    """``sqlite:///var/x.db`` is relative to the working directory, ``sqlite:////var/x.db`` absolute."""
    return Path(url.removeprefix("sqlite:///"))


def connect(path: Path, *, reader: bool) -> sqlite3.Connection:
    """A connection to an existing database file; transactions are begun explicitly. Raises NotMigrated when there is no file."""
    if not path.exists():
        raise NotMigrated(f"there is no database at {path}: run the service's migrate command")
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        try:
            for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"query_only={int(reader)}"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise Unavailable(f"{path}: {error}") from error
    return connection


def fetch(connection: sqlite3.Connection, query: Compiled, values: Sequence[Any]) -> list[Row]:
    """All rows of a statement, so that it is reset and holds no read transaction; booleans as such."""
    rows = connection.execute(query.text, values).fetchall()
    if query.booleans:
        return [_with_booleans(row, query.booleans) for row in rows]
    return rows


def _with_booleans(row: Row, positions: tuple[int, ...]) -> Row:
    cells = list(row)
    for position in positions:
        if cells[position] is not None:
            cells[position] = bool(cells[position])
    return tuple(cells)


def translate(error: sqlite3.Error, query: Compiled | None) -> StoreError:
    """What an error of the driver means to a store."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        if found := _UNIQUE.match(text):
            table, columns = _split(found[1])
            return constraints.from_columns(query.table if query else None, table, columns)
        return ConstraintViolation(text)
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF != sqlite3.SQLITE_ERROR:  # full, locked, unreadable, interrupted
            return Unavailable(f"SQLite: {text}")
    if isinstance(error, sqlite3.DataError):
        return InvalidParameter("value", text)
    if isinstance(error, sqlite3.ProgrammingError) or not isinstance(error, sqlite3.DatabaseError | sqlite3.OperationalError):
        return StoreError(f"{text}: {query.text if query else ''}")
    return Unavailable(f"SQLite: {text}") if type(error) is sqlite3.DatabaseError else StoreError(f"{text}: {query.text if query else ''}")


def _split(columns: str) -> tuple[str, tuple[str, ...]]:
    """``things.name_key, things.code`` as a table and its columns."""
    pairs = [name.strip().rpartition(".") for name in columns.split(",")]
    return pairs[0][0], tuple(column for _, _, column in pairs)


class SQLiteDriver:
    """The writer's connection."""

    dialect: DialectName = "sqlite"

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, reader=False)

    def begin(self) -> None:
        """Take the write lock at once: a lock upgrade in the middle could fail without a way to wait."""
        self.command("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.command("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self.command("ROLLBACK")

    def command(self, text: str) -> None:
        try:
            self._connection.execute(text)
        except sqlite3.Error as error:
            raise Unavailable(f"SQLite: {text}: {error}") from error

    def rows(self, query: Compiled, values: Sequence[Any]) -> list[Row]:
        try:
            return fetch(self._connection, query, values)
        except sqlite3.Error as error:
            raise translate(error, query) from error

    def touch(self, query: Compiled, values: Sequence[Any]) -> int:
        try:
            return self._connection.execute(query.text, values).rowcount
        except sqlite3.Error as error:
            raise translate(error, query) from error

    def touch_many(self, query: Compiled, values: Sequence[Sequence[Any]]) -> None:
        try:
            self._connection.executemany(query.text, values)
        except sqlite3.Error as error:
            raise translate(error, query) from error

    def scrub(self) -> None:
        """A new file without the free space of the old one, and no write-ahead log, for both keep what was deleted."""
        self.command("VACUUM")
        try:
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise Unavailable(f"SQLite: {error}") from error
        if busy:
            raise Unavailable("SQLite: somebody reads the write-ahead log, so it can't be emptied now")

    def close(self) -> None:
        self._connection.close()
