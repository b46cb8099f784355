"""What platforms count of publications.

Example: '0003' → '0004'. Knows nothing of the models: it must stay true when they change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("publication_id", sa.String(100), nullable=False),
        sa.Column("hours", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("views", sa.Integer),
        sa.Column("likes", sa.Integer),
        sa.Column("comments", sa.Integer),
        sa.Column("shares", sa.Integer),
        sa.Column("saves", sa.Integer),
        sa.PrimaryKeyConstraint("publication_id", "hours", name="pk_measurements"),
        sa.ForeignKeyConstraint(["publication_id"], ["publications.id"], name="fk_measurements_publication_id"),
    )


def downgrade() -> None:
    op.drop_table("measurements")
