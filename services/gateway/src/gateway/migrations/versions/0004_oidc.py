"""Whose account it is at the OpenID provider.

Never changed once released: a later shape is a later migration.
"""

import sqlalchemy as sa
from alembic import op

from shared.db import exact_text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("accounts", "accounts_versions"):
        op.add_column(name, sa.Column("oidc_subject", exact_text()))
    op.create_index("uq_accounts_oidc_subject", "accounts", ["oidc_subject"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_accounts_oidc_subject", "accounts")
    for name in ("accounts", "accounts_versions"):
        with op.batch_alter_table(name) as batch:
            batch.drop_column("oidc_subject")
