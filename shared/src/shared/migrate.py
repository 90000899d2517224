"""A database's shape: migrations by Alembic, one at a time, whoever starts them.

A service's ``migrations/env.py`` is ``run_env(metadata)``; its first migration calls `create_log_tables`. Migrations run in one
transaction, which holds SQLite's write lock or an advisory lock on PostgreSQL: of two processes that start together, one migrates and the
other finds it done.
"""

import secrets
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import MetaData, event
from sqlalchemy.pool import NullPool

from shared.db import NotMigrated, Unavailable, exact_text
from shared.db.database import dialect_of
from shared.db.sqlite import path_of

FIRST = sa.text("version = 1")

_LOCK = 0x6D696772617465


def upgrade(url: str, package: str, revision: str = "head") -> None:
    """Bring a database to a revision of the package's migrations, making it if it is a SQLite file that is not there yet.

    Raises Unavailable when the database can't be reached or written, NotMigrated when it is no database of this package or of a newer
    version, ValueError for a URL of another kind.
    """
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.attributes["url"] = url
    try:
        if dialect_of(url) == "sqlite":
            _make_private(path_of(url))
        command.upgrade(config, revision)
    except (sa.exc.OperationalError, OSError) as error:
        raise Unavailable(f"the database can't be migrated: {getattr(error, 'orig', error)}") from error
    except (sa.exc.DatabaseError, CommandError) as error:
        raise NotMigrated(f"the database is not one of this version of {package}: {getattr(error, 'orig', error)}") from error


def _make_private(path: Path) -> None:
    """A file for its own user only, if there is none; SQLite gives the files beside it the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)


def run_env(metadata: MetaData) -> None:
    """What a service's ``env.py`` does."""
    url = context.config.attributes.get("url") or context.config.get_main_option("sqlalchemy.url") or ""
    engine = engine_of(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            context.configure(connection=connection, target_metadata=metadata, compare_type=True)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


def engine_of(url: str) -> sa.Engine:
    """An engine for migrations and tests; services run without one."""
    if dialect_of(url) == "postgresql":
        return sa.create_engine("postgresql+psycopg://" + url.partition("://")[2], poolclass=NullPool)
    engine = sa.create_engine(url, poolclass=NullPool)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # begin ourselves: the driver would commit before DDL
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def new_epoch(connection: sa.Connection) -> str:
    """Give the database a new epoch: every cursor given out before is now a 410."""
    epoch = secrets.token_hex(8)
    meta = sa.table("meta", sa.column("name"), sa.column("value"))
    connection.execute(sa.delete(meta).where(meta.c.name == "epoch"))
    connection.execute(sa.insert(meta).values(name="epoch", value=epoch))
    return epoch


def create_log_tables(op: Any) -> None:
    """Make the tables of `shared.changes.log_tables` as they were first, with an epoch; ``op`` is ``alembic.op``.

    Never changed once released: a later shape is a later migration.
    """
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", exact_text(), nullable=False),
        sa.Column("entity", exact_text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("ix_changes_entity_id", "changes", ["entity", "entity_id", "seq"])
    op.create_table("meta", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    op.create_table(
        "idempotency",
        sa.Column("scope", exact_text(), primary_key=True),
        sa.Column("key", exact_text(), primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("created_at", exact_text(), nullable=False),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
    new_epoch(op.get_bind())


def create_history_tables(op: Any) -> None:
    """Add to the log's tables what ``log_tables(metadata, history=True)`` declares besides them. Never changed once released."""
    op.create_index("ix_changes_at", "changes", ["at", "seq"])
    op.create_table("names", sa.Column("actor", exact_text(), primary_key=True), sa.Column("name", sa.Text, nullable=False))


def drop_history_tables(op: Any) -> None:
    """Take them away again."""
    op.drop_index("ix_changes_at", "changes")
    op.drop_table("names")


def create_version_indexes(op: Any, table: str, *filters: str) -> None:
    """Add the indexes that `shared.records.index_versions` declares on a table's versions. Never changed once released."""
    name = f"{table}_versions"
    op.create_index(f"ix_{name}_id", name, ["id", "seq_from", "seq_to"])
    op.create_index(f"ix_{name}_first", name, ["seq_from", "id"], sqlite_where=FIRST, postgresql_where=FIRST)
    for column in filters:
        op.create_index(f"ix_{name}_{column}", name, [column, "id", "seq_from"])


def drop_version_indexes(op: Any, table: str, *filters: str) -> None:
    """Take them away again."""
    for column in ("id", "first", *filters):
        op.drop_index(f"ix_{table}_versions_{column}", f"{table}_versions")
