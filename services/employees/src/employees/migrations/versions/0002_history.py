"""What history and reads of the past go by.

Never changed once released: a later shape is a later migration.
"""

from alembic import op

from shared.migrate import create_history_tables, create_version_indexes, drop_history_tables, drop_version_indexes

revision = "0002"
down_revision = "0001"

FILTERS = ("manager_id", "status", "department_key", "username_key", "email_key")


def upgrade() -> None:
    create_history_tables(op)
    create_version_indexes(op, "employees", *FILTERS)


def downgrade() -> None:
    drop_version_indexes(op, "employees", *FILTERS)
    drop_history_tables(op)
