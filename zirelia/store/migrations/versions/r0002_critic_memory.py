"""What the critic need not measure or pay for twice: calibrations and vision answers.

Example: '0001' → '0002'. Knows nothing of the models: it must stay true when they change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("embedder", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calibrations"),
    )
    op.create_index("ix_calibrations_persona", "calibrations", ["persona"])
    op.create_table(
        "vision_answers",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vision_answers"),
    )


def downgrade() -> None:
    op.drop_table("vision_answers")
    op.drop_table("calibrations")
