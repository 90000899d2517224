"""The tables of the gateway. Columns are primitive and compare alike on SQLite and PostgreSQL (design, section 5).

`accounts` has a history and stands in the change log; what a password looks like stands in `passwords`, which has neither, so that
no hash is ever kept longer than it is valid.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint

from shared.changes import log_tables
from shared.db import exact_text
from shared.records import versions

metadata = MetaData()
log = log_tables(metadata)

accounts = Table(
    "accounts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("username", Text, nullable=False),
    Column("username_key", exact_text(), nullable=False),  # casefolded, for uniqueness and sorting
    Column("role", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),  # counts up whenever all sessions of the account must end
    Column("version", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
    UniqueConstraint("username_key", name="uq_accounts_username_key"),
)

accounts_versions = versions(accounts)

passwords = Table(
    "passwords",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", exact_text(), primary_key=True),  # SHA-256 of the session id: whoever reads the table holds no session
    Column("account_id", BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("seen_at", exact_text(), nullable=False),  # written at most once a minute
)
Index("ix_sessions_account_id", sessions.c.account_id)
Index("ix_sessions_seen_at", sessions.c.seen_at)
