"""The tables. Their unique constraints are the truth; everything that is asked for has a column of its own.

    slots.id · posts.slot_id · attempts(post_id, number) · publications.id · ledger.id · jobs.post_id · nodes.id

`migrations/` creates them; a test holds both to each other. Knows nothing of how rows become domain values (see rows.py).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from zirelia.domain.calibration import Calibration
from zirelia.domain.connection import Connection
from zirelia.domain.decision import Decision
from zirelia.domain.history import PastPost, Snapshot
from zirelia.domain.post import Brief, Draft
from zirelia.domain.publication import Publication
from zirelia.domain.reply import Reply
from zirelia.domain.shot import Attempt, Shot
from zirelia.domain.verdict import Finding, Verdict
from zirelia.store.columns import JsonValue, MicroUsd, UtcDateTime


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class PersonaRow(Base):
    """A persona that has had a post, or a planned slot, here. Slots up to `planned_until` are in the table, as the cadence
    with that hash draws them.
    """

    __tablename__ = "personas"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime())
    planned_until: Mapped[datetime | None] = mapped_column(UtcDateTime(), index=True)
    cadence_sha256: Mapped[str | None] = mapped_column(String(64))


class SlotRow(Base):
    """An opening: planned by the clock, or taken by a post; it stays taken, whatever becomes of its post. `opens` is when work
    on it begins; None for one that a person took by hand.
    """

    __tablename__ = "slots"
    __table_args__ = (Index(None, "state", "opens"), Index(None, "persona", "due"))

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    persona: Mapped[str] = mapped_column(ForeignKey("personas.name"), index=True)
    due: Mapped[datetime] = mapped_column(UtcDateTime())
    state: Mapped[str] = mapped_column(String(20), server_default="taken")
    opens: Mapped[datetime | None] = mapped_column(UtcDateTime())


class JobRow(Base):
    """What the engine owes a post next; `at` is None when it waits for a person to look, `account` the channel whose account it
    failed of.
    """

    __tablename__ = "jobs"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime | None] = mapped_column(UtcDateTime(), index=True)
    round: Mapped[int]
    tries: Mapped[int]
    problem: Mapped[str | None] = mapped_column(Text)
    workflow: Mapped[str | None] = mapped_column(String(200))
    account: Mapped[str | None] = mapped_column(String(40))


class NodeRow(Base):
    """A process of `zirelia up`. `beat` is written by the database's clock; `stopped` when it ended in good order."""

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    roles: Mapped[str] = mapped_column(String(100))
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    started: Mapped[datetime] = mapped_column(UtcDateTime())
    beat: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    stopped: Mapped[datetime | None] = mapped_column(UtcDateTime())


class MemoryRow(Base):
    """The embedding of one post that went out: float32, little-endian, L2-normalised."""

    __tablename__ = "memories"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True, autoincrement=False)
    persona: Mapped[str] = mapped_column(String(40), index=True)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime())
    embedder: Mapped[str] = mapped_column(Text)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class PostRow(Base):
    __tablename__ = "posts"
    __table_args__ = (Index(None, "persona", "state"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    persona: Mapped[str] = mapped_column(ForeignKey("personas.name"))
    slot_id: Mapped[str] = mapped_column(ForeignKey("slots.id"), unique=True)
    due: Mapped[datetime] = mapped_column(UtcDateTime())
    state: Mapped[str] = mapped_column(String(20), index=True)
    brief: Mapped[Brief | None] = mapped_column(JsonValue(Brief))
    draft: Mapped[Draft | None] = mapped_column(JsonValue(Draft))
    shot: Mapped[Shot | None] = mapped_column(JsonValue(Shot))
    chosen: Mapped[int | None]
    disclosure: Mapped[str | None] = mapped_column(Text)
    held_because: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcDateTime())
    updated: Mapped[datetime] = mapped_column(UtcDateTime())
    version: Mapped[int]

    attempts: Mapped[list[AttemptRow]] = relationship(order_by="AttemptRow.number", lazy="raise")


class AttemptRow(Base):
    """`body` is the attempt without its verdict, `verdict` the verdict without its findings; those are rows of their own."""

    __tablename__ = "attempts"

    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    image_sha256: Mapped[str] = mapped_column(String(64), index=True)
    backend: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime())
    seconds: Mapped[float] = mapped_column(Double)
    cost: Mapped[float] = mapped_column(MicroUsd())
    passed: Mapped[bool | None]
    score: Mapped[float | None] = mapped_column(Double)
    body: Mapped[Attempt] = mapped_column(JsonValue(Attempt))
    verdict: Mapped[Verdict | None] = mapped_column(JsonValue(Verdict))

    findings: Mapped[list[FindingRow]] = relationship(order_by="FindingRow.position", lazy="raise")


class FindingRow(Base):
    __tablename__ = "findings"
    __table_args__ = (
        ForeignKeyConstraint(["post_id", "attempt"], ["attempts.post_id", "attempts.number"]),
        Index(None, "criterion", "outcome"),
    )

    post_id: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    criterion: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(20))
    instrument: Mapped[str] = mapped_column(Text)
    score: Mapped[float | None] = mapped_column(Double)
    threshold: Mapped[float | None] = mapped_column(Double)
    seconds: Mapped[float] = mapped_column(Double)
    cost: Mapped[float] = mapped_column(MicroUsd())
    body: Mapped[Finding] = mapped_column(JsonValue(Finding))


class DecisionRow(Base):
    __tablename__ = "decisions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    decided_by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    override: Mapped[bool]
    body: Mapped[Decision] = mapped_column(JsonValue(Decision))


class PublicationRow(Base):
    __tablename__ = "publications"
    __table_args__ = (Index(None, "channel", "at"),)

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    channel: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    body: Mapped[Publication] = mapped_column(JsonValue(Publication))


class ReplyRow(Base):
    """The answer to one mention; a mention has one."""

    __tablename__ = "replies"
    __table_args__ = (Index(None, "channel", "persona", "mention_id", unique=True), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    persona: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(40))
    mention_id: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(20), index=True)
    version: Mapped[int]
    body: Mapped[Reply] = mapped_column(JsonValue(Reply))


class InboxRow(Base):
    """Where the reading of an account's mentions goes on."""

    __tablename__ = "inboxes"

    persona: Mapped[str] = mapped_column(String(40), primary_key=True)
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    cursor: Mapped[str] = mapped_column(Text)


class ConnectionRow(Base):
    """An account of a persona. `sealed` is opened by a key that the database does not have."""

    __tablename__ = "connections"

    persona: Mapped[str] = mapped_column(String(40), primary_key=True)
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    id: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    body: Mapped[Connection] = mapped_column(JsonValue(Connection))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class PastPostRow(Base):
    """A post of her account that was not published here. `vector` is of what is remembered of it, by `embedder`."""

    __tablename__ = "history"
    __table_args__ = (Index(None, "persona", "at"),)

    persona: Mapped[str] = mapped_column(String(40), primary_key=True)
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime())
    body: Mapped[PastPost] = mapped_column(JsonValue(PastPost))
    embedder: Mapped[str | None] = mapped_column(Text)
    vector: Mapped[bytes | None] = mapped_column(LargeBinary)


class SnapshotRow(Base):
    """The last look at a persona's own account, as it is shown to everybody."""

    __tablename__ = "snapshots"

    persona: Mapped[str] = mapped_column(String(40), primary_key=True)
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    body: Mapped[Snapshot] = mapped_column(JsonValue(Snapshot))


class MeasurementRow(Base):
    """What a platform counted of a publication; `hours` is the age at which it was to be looked at."""

    __tablename__ = "measurements"

    publication_id: Mapped[str] = mapped_column(ForeignKey("publications.id"), primary_key=True)
    hours: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    views: Mapped[int | None]
    likes: Mapped[int | None]
    comments: Mapped[int | None]
    shares: Mapped[int | None]
    saves: Mapped[int | None]


class EventRow(Base):
    __tablename__ = "events"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    actor: Mapped[str] = mapped_column(Text)
    state_before: Mapped[str | None] = mapped_column(String(20))
    state_after: Mapped[str] = mapped_column(String(20))
    because: Mapped[str | None] = mapped_column(Text)


class LedgerRow(Base):
    """One paid or counted call. Not tied to a post's row: planning is paid for before the post exists."""

    __tablename__ = "ledger"
    __table_args__ = (Index(None, "persona", "at"),)

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    persona: Mapped[str] = mapped_column(String(40))
    post_id: Mapped[int | None] = mapped_column(index=True)
    role: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20))
    estimate: Mapped[float] = mapped_column(MicroUsd())
    cost: Mapped[float | None] = mapped_column(MicroUsd())
    tokens_in: Mapped[int]
    tokens_out: Mapped[int]
    seconds: Mapped[float] = mapped_column(Double)
    external_id: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)


class CalibrationRow(Base):
    """Where the line of one persona lies; `id` is a hash of everything that decides it."""

    __tablename__ = "calibrations"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    persona: Mapped[str] = mapped_column(String(40), index=True)
    embedder: Mapped[str] = mapped_column(Text)
    body: Mapped[Calibration] = mapped_column(JsonValue(Calibration))


class VisionAnswerRow(Base):
    """What a vision model answered; `id` is a hash of picture, question and model."""

    __tablename__ = "vision_answers"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    model: Mapped[str] = mapped_column(Text)
    question: Mapped[str] = mapped_column(Text)
    raw: Mapped[str] = mapped_column(Text)
    cost: Mapped[float] = mapped_column(MicroUsd())
