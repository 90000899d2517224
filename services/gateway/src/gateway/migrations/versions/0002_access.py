"""Tokens, accounts that belong to employees, and sessions that can be listed; the sessions of before end.

Never changed once released: a later shape is a later migration.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text

revision = "0002"
down_revision = "0001"


def token_columns(*, required: bool) -> list[sa.Column[Any]]:
    """The columns after id; `required` is what the current row must have, and an old version need not."""
    optional = not required
    account = [sa.ForeignKey("accounts.id")] if required else []
    return [
        sa.Column("account_id", sa.BigInteger, *account, nullable=optional),
        sa.Column("name", sa.Text, nullable=optional),
        sa.Column("scope", sa.Text, nullable=optional),
        sa.Column("expires_at", exact_text()),
        sa.Column("version", sa.Integer, primary_key=optional, nullable=False, autoincrement=False),
        sa.Column("created_at", exact_text(), nullable=optional),
        sa.Column("updated_at", exact_text(), nullable=optional),
    ]


def upgrade() -> None:
    op.add_column("accounts", sa.Column("employee_id", sa.BigInteger))
    op.add_column("accounts_versions", sa.Column("employee_id", sa.BigInteger))
    _create_sessions()
    _create_tokens()
    op.create_table(
        "links",
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
        sa.Column("employee_id", sa.BigInteger, nullable=False),
        sa.Column("born", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("reading", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_links_employee_id", "links", ["employee_id"])
    op.create_table(
        "follower",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("cursor", sa.Text),
        sa.Column("reading", sa.BigInteger, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
    )


def _create_sessions() -> None:
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("digest", exact_text(), primary_key=True),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created_at", exact_text(), nullable=False),
        sa.Column("seen_at", exact_text(), nullable=False),
        sa.Column("user_agent", sa.Text),
        sa.UniqueConstraint("id", name="uq_sessions_id"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_seen_at", "sessions", ["seen_at"])


def _create_tokens() -> None:
    op.create_table("tokens", sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False), *token_columns(required=True))
    op.create_index("ix_tokens_account_id", "tokens", ["account_id"])
    op.create_table(
        "tokens_versions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *token_columns(required=False),
        sa.Column("seq_from", sa.BigInteger, nullable=False),
        sa.Column("seq_to", sa.BigInteger),
    )
    op.create_index("ix_tokens_versions_seq_from", "tokens_versions", ["seq_from"], unique=True)
    op.create_table(
        "token_digests",
        sa.Column("digest", exact_text(), primary_key=True),
        sa.Column("token_id", sa.BigInteger, sa.ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
        sa.Column("used_at", exact_text()),
        sa.UniqueConstraint("token_id", name="uq_token_digests_token_id"),
    )


def downgrade() -> None:
    for name in ("follower", "links", "token_digests", "tokens_versions", "tokens"):
        op.drop_table(name)
    for name in ("user_agent", "id"):
        with op.batch_alter_table("sessions") as batch:
            batch.drop_column(name)
    for name in ("accounts", "accounts_versions"):
        with op.batch_alter_table(name) as batch:
            batch.drop_column("employee_id")
