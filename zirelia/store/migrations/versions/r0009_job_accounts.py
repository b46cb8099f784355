"""Of which account's failure a job waits.

Example: '0008' → '0009'. Knows nothing of the models: it must stay true when they change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("account", sa.String(40)))


def downgrade() -> None:
    op.drop_column("jobs", "account")
