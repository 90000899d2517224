"""What history and reads of the past go by, and from when to when people were known to be away.

Who is away when this runs is so from that moment on: since when was not kept.

Never changed once released: a later shape is a later migration.
"""

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text, utc_now
from shared.migrate import create_history_tables, create_version_indexes, drop_history_tables, drop_version_indexes

revision = "0002"
down_revision = "0001"

OF_TEAM = ("employee_id", "seq_from", "seq_to")


def upgrade() -> None:
    create_history_tables(op)
    create_version_indexes(op, "teams", "parent_id", "slug")
    create_version_indexes(op, "memberships", "employee_id")
    for name in OF_TEAM:
        op.create_index(f"ix_memberships_versions_team_id_{name}", "memberships_versions", ["team_id", name])
    op.create_table(
        "absences",
        sa.Column("employee_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_from", exact_text(), primary_key=True),
        sa.Column("at_to", exact_text()),
    )
    people = sa.table("people", sa.column("employee_id"), sa.column("status"), sa.column("deleted", sa.Boolean))
    absences = sa.table("absences", sa.column("employee_id"), sa.column("at_from"))
    away = sa.select(people.c.employee_id, sa.literal(utc_now())).where(sa.or_(people.c.deleted.is_(True), people.c.status != "active"))
    op.execute(sa.insert(absences).from_select(["employee_id", "at_from"], away))


def downgrade() -> None:
    op.drop_table("absences")
    for name in OF_TEAM:
        op.drop_index(f"ix_memberships_versions_team_id_{name}", "memberships_versions")
    drop_version_indexes(op, "memberships", "employee_id")
    drop_version_indexes(op, "teams", "parent_id", "slug")
    drop_history_tables(op)
