"""Answers to mentions, and how far they were read.

Example: '0004' → '0005'. Knows nothing of the models: it must stay true when they change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replies",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("mention_id", sa.String(300), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replies"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_replies_channel_persona_mention_id", "replies", ["channel", "persona", "mention_id"], unique=True)
    op.create_index("ix_replies_state", "replies", ["state"])
    op.create_table(
        "inboxes",
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("persona", "channel", name="pk_inboxes"),
    )


def downgrade() -> None:
    op.drop_table("inboxes")
    op.drop_table("replies")
