"""The first tables.

Example: None → '0001'. Knows nothing of the models: it must stay true when they change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _people_and_openings()
    _posts()
    _attempts()
    _history()
    _ledger()


def downgrade() -> None:
    for table in (
        "ledger",
        "events",
        "publications",
        "decisions",
        "findings",
        "attempts",
        "posts",
        "slots",
        "personas",
    ):
        op.drop_table(table)


def _people_and_openings() -> None:
    op.create_table(
        "personas",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_personas"),
    )
    op.create_table(
        "slots",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("due", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slots"),
        sa.ForeignKeyConstraint(["persona"], ["personas.name"], name="fk_slots_persona"),
    )
    op.create_index("ix_slots_persona", "slots", ["persona"])


def _posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("slot_id", sa.String(200), nullable=False),
        sa.Column("due", _MOMENT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("brief", sa.Text),
        sa.Column("draft", sa.Text),
        sa.Column("shot", sa.Text),
        sa.Column("chosen", sa.Integer),
        sa.Column("disclosure", sa.Text),
        sa.Column("held_because", sa.Text),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.UniqueConstraint("slot_id", name="uq_posts_slot_id"),
        sa.ForeignKeyConstraint(["persona"], ["personas.name"], name="fk_posts_persona"),
        sa.ForeignKeyConstraint(["slot_id"], ["slots.id"], name="fk_posts_slot_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_posts_state", "posts", ["state"])
    op.create_index("ix_posts_persona_state", "posts", ["persona", "state"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("post_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("passed", sa.Boolean),
        sa.Column("score", sa.Double),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.PrimaryKeyConstraint("post_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_attempts_post_id"),
    )
    op.create_index("ix_attempts_image_sha256", "attempts", ["image_sha256"])
    op.create_table(
        "findings",
        sa.Column("post_id", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("criterion", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("instrument", sa.Text, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("post_id", "attempt", "position", name="pk_findings"),
        sa.ForeignKeyConstraint(
            ["post_id", "attempt"], ["attempts.post_id", "attempts.number"], name="fk_findings_post_id_attempt"
        ),
    )
    op.create_index("ix_findings_criterion_outcome", "findings", ["criterion", "outcome"])


def _history() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("post_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("override", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_decisions_post_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_post_id", "decisions", ["post_id"])
    op.create_table(
        "publications",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("post_id", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_publications_post_id"),
    )
    op.create_index("ix_publications_post_id", "publications", ["post_id"])
    op.create_index("ix_publications_state", "publications", ["state"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("post_id", sa.Integer, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("state_before", sa.String(20)),
        sa.Column("state_after", sa.String(20), nullable=False),
        sa.Column("because", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_events_post_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_post_id", "events", ["post_id"])


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("persona", sa.String(40), nullable=False),
        sa.Column("post_id", sa.Integer),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("estimate", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger),
        sa.Column("tokens_in", sa.Integer, nullable=False),
        sa.Column("tokens_out", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
    )
    op.create_index("ix_ledger_post_id", "ledger", ["post_id"])
    op.create_index("ix_ledger_persona_at", "ledger", ["persona", "at"])
