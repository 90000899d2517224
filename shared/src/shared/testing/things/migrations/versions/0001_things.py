"""The first shape."""

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text
from shared.migrate import create_history_tables, create_log_tables, create_version_indexes

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_log_tables(op)
    create_history_tables(op)
    op.create_table(
        "things",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text),
        sa.Column("name_key", exact_text(), nullable=False),
        sa.Column("code", exact_text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger, sa.ForeignKey("things.id")),
        sa.Column("amount", sa.BigInteger),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", exact_text(), nullable=False),
        sa.Column("updated_at", exact_text(), nullable=False),
        sa.UniqueConstraint("code", name="uq_things_code"),
    )
    op.create_index("ix_things_name_key", "things", ["name_key", "id"])
    op.create_index("uq_things_owner_amount", "things", ["owner_id", "amount"], unique=True)
    op.create_table(
        "things_versions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text),
        sa.Column("name_key", exact_text()),
        sa.Column("code", exact_text()),
        sa.Column("owner_id", sa.BigInteger),
        sa.Column("amount", sa.BigInteger),
        sa.Column("open", sa.Boolean),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created_at", exact_text()),
        sa.Column("updated_at", exact_text()),
        sa.Column("seq_from", sa.BigInteger, nullable=False),
        sa.Column("seq_to", sa.BigInteger),
    )
    op.create_index("ix_things_versions_seq_from", "things_versions", ["seq_from"], unique=True)
    create_version_indexes(op, "things", "code")
