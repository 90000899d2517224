"""Teams, memberships, their versions, the words of teams, what is known of people, and the log.

Never changed once released: a later shape is a later migration.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text
from shared.migrate import create_log_tables

revision = "0001"
down_revision = None

INDEXED = ("parent_id", "name_key", "created_at", "updated_at")


def id_column() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False)


def version_column(*, required: bool) -> sa.Column[Any]:
    return sa.Column("version", sa.BigInteger, primary_key=not required, nullable=False, autoincrement=False)


def team_columns(*, required: bool) -> list[sa.Column[Any]]:
    """The columns of a team after its id; `required` is what the current row must have, and an old version need not."""
    optional = not required
    return [
        sa.Column("slug", exact_text(), nullable=optional),
        sa.Column("name", sa.Text, nullable=optional),
        sa.Column("description", sa.Text),
        sa.Column("parent_id", sa.BigInteger, *([sa.ForeignKey("teams.id")] if required else [])),
        sa.Column("external_id", sa.Text),
        version_column(required=required),
        sa.Column("created_at", exact_text(), nullable=optional),
        sa.Column("updated_at", exact_text(), nullable=optional),
        sa.Column("name_key", exact_text(), nullable=optional),
        sa.Column("words", exact_text(), nullable=optional),
    ]


def membership_columns(*, required: bool) -> list[sa.Column[Any]]:
    """The same of a membership."""
    optional = not required
    return [
        sa.Column("team_id", sa.BigInteger, *([sa.ForeignKey("teams.id")] if required else []), nullable=optional),
        sa.Column("employee_id", sa.BigInteger, nullable=optional),
        sa.Column("role", sa.Text, nullable=optional),
        sa.Column("since", sa.Text, nullable=optional),
        version_column(required=required),
        sa.Column("created_at", sa.Text, nullable=optional),
        sa.Column("updated_at", sa.Text, nullable=optional),
    ]


def create_versions(name: str, columns: list[sa.Column[Any]]) -> None:
    op.create_table(name, id_column(), *columns, sa.Column("seq_from", sa.BigInteger, nullable=False), sa.Column("seq_to", sa.BigInteger))
    op.create_index(f"ix_{name}_seq_from", name, ["seq_from"], unique=True)


def create_people() -> None:
    op.create_table(
        "people",
        sa.Column("employee_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("born", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("reading", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_people_reading", "people", ["reading"])
    op.create_table(
        "follower",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("cursor", sa.Text),
        sa.Column("reading", sa.BigInteger, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
    )


def upgrade() -> None:
    create_log_tables(op)
    op.create_table("teams", id_column(), *team_columns(required=True), sa.UniqueConstraint("slug", name="uq_teams_slug"))
    for name in INDEXED:
        op.create_index(f"ix_teams_{name}", "teams", [name, "id"])
    create_versions("teams_versions", team_columns(required=False))
    op.create_table(
        "team_tokens",
        sa.Column("token", exact_text(), primary_key=True),
        sa.Column("team_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "memberships",
        id_column(),
        *membership_columns(required=True),
        sa.UniqueConstraint("team_id", "employee_id", name="uq_memberships_team_id_employee_id"),
    )
    op.create_index("ix_memberships_employee_id", "memberships", ["employee_id", "team_id"])
    create_versions("memberships_versions", membership_columns(required=False))
    create_people()


def downgrade() -> None:
    for name in ("follower", "people", "memberships_versions", "memberships", "team_tokens", "teams_versions", "teams"):
        op.drop_table(name)
    for name in ("idempotency", "meta", "changes"):
        op.drop_table(name)
