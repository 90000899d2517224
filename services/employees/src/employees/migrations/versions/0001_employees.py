"""Employees, their versions, their words, and the log.

Never changed once released: a later shape is a later migration.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text
from shared.migrate import create_log_tables

revision = "0001"
down_revision = None

INDEXED = ("manager_id", "status", "display_name_key", "department_key", "title_key", "hired_on_key", "created_at", "updated_at")


def columns(*, required: bool) -> list[sa.Column[Any]]:
    """The columns after id and version; `required` is what the current row must have, and an old version need not."""
    optional = not required
    return [
        sa.Column("username", sa.Text, nullable=optional),
        sa.Column("email", sa.Text, nullable=optional),
        sa.Column("given_name", sa.Text),
        sa.Column("family_name", sa.Text),
        sa.Column("display_name", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("department", sa.Text),
        sa.Column("division", sa.Text),
        sa.Column("cost_center", sa.Text),
        sa.Column("employee_number", exact_text()),
        sa.Column("phone", sa.Text),
        sa.Column("location", sa.Text),
        sa.Column("manager_id", sa.BigInteger, *([sa.ForeignKey("employees.id")] if required else [])),
        sa.Column("status", sa.Text, nullable=optional),
        sa.Column("hired_on", sa.Text),
        sa.Column("left_on", sa.Text),
        sa.Column("external_id", sa.Text),
        sa.Column("version", sa.BigInteger, primary_key=not required, nullable=False, autoincrement=False),
        sa.Column("created_at", exact_text(), nullable=optional),
        sa.Column("updated_at", exact_text(), nullable=optional),
        *(sa.Column(f"{name}_key", exact_text(), nullable=optional) for name in ("username", "email")),
        *(sa.Column(f"{name}_key", exact_text(), nullable=optional) for name in ("display_name", "department", "title", "hired_on")),
        sa.Column("words", exact_text(), nullable=optional),
    ]


def upgrade() -> None:
    create_log_tables(op)
    op.create_table(
        "employees",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *columns(required=True),
        sa.UniqueConstraint("username_key", name="uq_employees_username_key"),
        sa.UniqueConstraint("email_key", name="uq_employees_email_key"),
        sa.UniqueConstraint("employee_number", name="uq_employees_employee_number"),
    )
    for name in INDEXED:
        op.create_index(f"ix_employees_{name}", "employees", [name, "id"])
    op.create_table(
        "employees_versions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *columns(required=False),
        sa.Column("seq_from", sa.BigInteger, nullable=False),
        sa.Column("seq_to", sa.BigInteger),
    )
    op.create_index("ix_employees_versions_seq_from", "employees_versions", ["seq_from"], unique=True)
    op.create_table(
        "employee_tokens",
        sa.Column("token", exact_text(), primary_key=True),
        sa.Column("employee_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for name in ("employee_tokens", "employees_versions", "employees", "idempotency", "meta", "changes"):
        op.drop_table(name)
