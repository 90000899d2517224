"""Accounts with their versions, passwords, sessions, and the log.

Never changed once released: a later shape is a later migration.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text
from shared.migrate import create_log_tables

revision = "0001"
down_revision = None


def account_columns(*, required: bool) -> list[sa.Column[Any]]:
    """The columns after id; `required` is what the current row must have, and an old version need not."""
    optional = not required
    return [
        sa.Column("username", sa.Text, nullable=optional),
        sa.Column("username_key", exact_text(), nullable=optional),
        sa.Column("role", sa.Text, nullable=optional),
        sa.Column("disabled", sa.Boolean, nullable=optional),
        sa.Column("generation", sa.Integer, nullable=optional),
        sa.Column("version", sa.Integer, primary_key=not required, nullable=False, autoincrement=False),
        sa.Column("created_at", exact_text(), nullable=optional),
        sa.Column("updated_at", exact_text(), nullable=optional),
    ]


def upgrade() -> None:
    create_log_tables(op)
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *account_columns(required=True),
        sa.UniqueConstraint("username_key", name="uq_accounts_username_key"),
    )
    op.create_table(
        "accounts_versions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *account_columns(required=False),
        sa.Column("seq_from", sa.BigInteger, nullable=False),
        sa.Column("seq_to", sa.BigInteger),
    )
    op.create_index("ix_accounts_versions_seq_from", "accounts_versions", ["seq_from"], unique=True)
    op.create_table(
        "passwords",
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", exact_text(), primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created_at", exact_text(), nullable=False),
        sa.Column("seen_at", exact_text(), nullable=False),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_seen_at", "sessions", ["seen_at"])


def downgrade() -> None:
    for name in ("sessions", "passwords", "accounts_versions", "accounts", "idempotency", "meta", "changes"):
        op.drop_table(name)
