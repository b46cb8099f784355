"""What the daemon works from: planned slots, jobs, nodes, memories; answers that were paid for.

Example: '0002' → '0003'. Knows nothing of the models: it must stay true when they change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("personas", sa.Column("planned_until", _INSTANT))
    op.add_column("personas", sa.Column("cadence_sha256", sa.String(64)))
    op.create_index("ix_personas_planned_until", "personas", ["planned_until"])
    op.add_column("slots", sa.Column("state", sa.String(20), nullable=False, server_default="taken"))
    op.add_column("slots", sa.Column("opens", _INSTANT))
    op.create_index("ix_slots_state_opens", "slots", ["state", "opens"])
    op.create_index("ix_slots_persona_due", "slots", ["persona", "due"])
    op.create_index("ix_publications_channel_at", "publications", ["channel", "at"])
    op.add_column("ledger", sa.Column("answer", sa.Text))
    op.create_table(
        "jobs",
        sa.Column("post_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("at", _INSTANT),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("workflow", sa.String(200)),
        sa.PrimaryKeyConstraint("post_id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_jobs_post_id"),
    )
    op.create_index("ix_jobs_at", "jobs", ["at"])
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started", _INSTANT, nullable=False),
        sa.Column("beat", _INSTANT, nullable=False),
        sa.Column("stopped", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_nodes"),
    )
    op.create_index("ix_nodes_name", "nodes", ["name"])
    op.create_index("ix_nodes_beat", "nodes", ["beat"])
    op.create_table(
        "memories",
        sa.Column("post_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("kept_at", _INSTANT, nullable=False),
        sa.Column("embedder", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("post_id", name="pk_memories"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_memories_post_id"),
    )
    op.create_index("ix_memories_persona", "memories", ["persona"])


def downgrade() -> None:
    for table in ("memories", "nodes", "jobs"):
        op.drop_table(table)
    op.drop_column("ledger", "answer")
    op.drop_index("ix_publications_channel_at", "publications")
    op.drop_index("ix_slots_persona_due", "slots")
    op.drop_index("ix_slots_state_opens", "slots")
    op.drop_column("slots", "opens")
    op.drop_column("slots", "state")
    op.drop_index("ix_personas_planned_until", "personas")
    op.drop_column("personas", "cadence_sha256")
    op.drop_column("personas", "planned_until")
