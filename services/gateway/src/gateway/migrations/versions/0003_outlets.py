"""What passes changes on: leases, the relay's cursor, webhooks.

Never changed once released: a later shape is a later migration.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text

revision = "0003"
down_revision = "0002"


def webhook_columns(*, required: bool) -> list[sa.Column[Any]]:
    """The columns after id; `required` is what the current row must have, and an old version need not."""
    optional = not required
    return [
        sa.Column("url", sa.Text, nullable=optional),
        sa.Column("description", sa.Text),
        sa.Column("entities", sa.Text, nullable=optional),
        sa.Column("enabled", sa.Boolean, nullable=optional),
        sa.Column("reason", sa.Text),
        sa.Column("version", sa.Integer, primary_key=not required, nullable=False, autoincrement=False),
        sa.Column("created_at", exact_text(), nullable=optional),
        sa.Column("updated_at", exact_text(), nullable=optional),
    ]


def of_a_webhook(*, primary: bool) -> sa.Column[Any]:
    """The webhook that a row belongs to, and ends with."""
    key = sa.ForeignKey("webhooks.id", ondelete="CASCADE")
    return sa.Column("webhook_id", sa.BigInteger, key, primary_key=primary, nullable=False, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", exact_text(), primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", exact_text(), nullable=False),
    )
    op.create_table("relayed", sa.Column("stream", exact_text(), primary_key=True), sa.Column("cursor", sa.Text, nullable=False))
    _create_webhooks()


def _create_webhooks() -> None:
    op.create_table("webhooks", sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False), *webhook_columns(required=True))
    op.create_table(
        "webhooks_versions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *webhook_columns(required=False),
        sa.Column("seq_from", sa.BigInteger, nullable=False),
        sa.Column("seq_to", sa.BigInteger),
    )
    op.create_index("ix_webhooks_versions_seq_from", "webhooks_versions", ["seq_from"], unique=True)
    op.create_table(
        "webhook_secrets",
        of_a_webhook(primary=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("previous_until", exact_text()),
    )
    op.create_table(
        "webhook_progress",
        of_a_webhook(primary=True),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("next_at", exact_text()),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        of_a_webhook(primary=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", exact_text(), nullable=False),
        sa.Column("delivered", sa.Boolean, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("duration_ms", sa.Integer, nullable=False),
    )
    op.create_index("ix_webhook_deliveries_webhook_id", "webhook_deliveries", ["webhook_id", "id"])


def downgrade() -> None:
    for name in ("webhook_deliveries", "webhook_progress", "webhook_secrets", "webhooks_versions", "webhooks", "relayed", "leases"):
        op.drop_table(name)
