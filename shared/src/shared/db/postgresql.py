"""PostgreSQL: the writer's connection, through psycopg."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.raw_cursor import RawCursor
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from shared.db import constraints
from shared.db.connection import Row
from shared.db.errors import ConstraintViolation, InvalidParameter, StoreError, Unavailable
from shared.db.query import Compiled, DialectName

WRITE_LOCK = 0x526F73746572
"""The advisory lock that a writing transaction takes first, so that one log has one order whichever process writes."""

_SETTINGS = b"SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; SET jit = off"
_RELEASE = "RELEASE SAVEPOINT unit"


def translate(error: psycopg.Error, query: Compiled | None) -> StoreError:
    """What an error of the driver means to a store."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        table = query.table if query else None
        return constraints.from_constraint(table, error.diag.table_name or "", error.diag.constraint_name or "")
    if isinstance(error, psycopg.IntegrityError):
        return ConstraintViolation(str(error))
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable(f"PostgreSQL: {error}")
    if isinstance(error, psycopg.DataError):
        return InvalidParameter("value", str(error))
    return StoreError(f"{error}: {query.text if query else ''}")


class PostgreSQLDriver:
    """The writer's connection.

    A command is one round trip. The RELEASE of a unit's savepoint is kept back and sent with the command that follows it, which is the next
    unit's SAVEPOINT or the COMMIT.
    """

    dialect: DialectName = "postgresql"

    def __init__(self, url: str) -> None:
        self._kept = ""
        try:
            self._connection = psycopg.connect(
                url, autocommit=True, prepare_threshold=0, connect_timeout=5, keepalives_idle=30, tcp_user_timeout=10000
            )
            self._connection.prepared_max = 1000
            self._connection.adapters.register_dumper(int, Int8Dumper)  # within lists, of which the first would decide the size
            self._connection.adapters.register_dumper(int, Int8BinaryDumper)  # one statement for every size of integer
            self._cursor = RawCursor(self._connection)
            self._cursor.format = pq.Format.BINARY
            self._send(_SETTINGS)
        except psycopg.Error as error:
            raise Unavailable(f"PostgreSQL: {error}") from error

    def begin(self) -> None:
        """Whatever the server's default isolation: a stricter one would show what was there before the lock was waited for."""
        self._kept = ""
        self.command(f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITE_LOCK})")

    def commit(self) -> None:
        try:
            status = self._send((self._kept + "COMMIT").encode())
        except Unavailable as error:
            raise Unavailable(str(error), uncertain=self._connection.closed) from error
        if status != b"COMMIT":
            raise Unavailable("PostgreSQL: the transaction was rolled back")

    def rollback(self) -> None:
        self._kept = ""
        self.command("ROLLBACK")

    def command(self, text: str) -> None:
        if text == _RELEASE:
            self._kept += f"{text};"
            return
        kept, self._kept = self._kept, ""
        self._send((kept + text).encode())

    def rows(self, query: Compiled, values: Sequence[Any]) -> list[Row]:
        try:
            return self._cursor.execute(query.text, values).fetchall()
        except psycopg.Error as error:
            raise translate(error, query) from error

    def touch(self, query: Compiled, values: Sequence[Any]) -> int:
        try:
            return self._cursor.execute(query.text, values).rowcount
        except psycopg.Error as error:
            raise translate(error, query) from error

    def touch_many(self, query: Compiled, values: Sequence[Sequence[Any]]) -> None:
        if self._kept:
            self.command("SELECT")
        try:
            self._cursor.executemany(query.text, values)
        except psycopg.Error as error:
            raise translate(error, query) from error

    def scrub(self) -> None:
        """Dead rows go; what else the server keeps for a while (its write-ahead log, free space) is its operator's."""
        self._send(b"VACUUM")

    def close(self) -> None:
        self._connection.close()

    def _send(self, commands: bytes) -> bytes:
        """Send some commands at once; the last one's status. Raises Unavailable: none of them can fail in a sound transaction."""
        try:
            result = self._connection.pgconn.exec_(commands)
        except psycopg.Error as error:
            raise Unavailable(f"PostgreSQL: {error}") from error
        if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
            raise Unavailable(f"PostgreSQL: {result.error_message.decode(errors='replace').strip()}")
        return result.command_status or b""
