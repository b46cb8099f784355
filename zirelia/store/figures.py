"""How much there is of everything: counts for health and metrics, found by indexes, in one consistent view.

    store.figures(now).posts             # {"awaiting_review": 3, "published": 120}
    store.schema_is_current()            # False after a newer Zirelia has migrated the database

Knows nothing of who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text

from zirelia.store.database import Database
from zirelia.store.jobs import PLANNED
from zirelia.store.migrate import HEAD
from zirelia.store.tables import JobRow, PostRow, PublicationRow, SlotRow


@dataclass(frozen=True)
class Figures:
    """posts: by state. publications: by channel and state. jobs_due: their time has come and nobody has begun them; jobs_dead:
    a person must look. overdue_s: for how many seconds the oldest due job, or slot that should be open, has waited.
    """

    posts: Mapping[str, int]
    publications: Mapping[tuple[str, str], int]
    jobs_waiting: int
    jobs_due: int
    jobs_dead: int
    slots_planned: int
    overdue_s: float


class FigureTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def figures(self, now: datetime) -> Figures:
        """Raises StoreError."""
        due, dead = JobRow.at <= now, JobRow.at.is_(None)
        opening = SlotRow.state == PLANNED
        with self._database.reading() as session:
            posts = {row[0]: row[1] for row in session.execute(select(PostRow.state, func.count()).group_by(PostRow.state))}
            by_channel = select(PublicationRow.channel, PublicationRow.state, func.count())
            publications = {
                (row[0], row[1]): row[2]
                for row in session.execute(by_channel.group_by(PublicationRow.channel, PublicationRow.state))
            }
            jobs = session.scalar(select(func.count()).select_from(JobRow)) or 0
            jobs_due = session.scalar(select(func.count()).select_from(JobRow).where(due)) or 0
            jobs_dead = session.scalar(select(func.count()).select_from(JobRow).where(dead)) or 0
            planned = session.scalar(select(func.count()).select_from(SlotRow).where(opening)) or 0
            oldest = (
                session.scalar(select(func.min(JobRow.at))),
                session.scalar(select(func.min(SlotRow.opens)).where(opening)),
            )
        return Figures(
            posts=posts,
            publications=publications,
            jobs_waiting=jobs - jobs_due - jobs_dead,
            jobs_due=jobs_due,
            jobs_dead=jobs_dead,
            slots_planned=planned,
            overdue_s=max([0.0, *((now - moment).total_seconds() for moment in oldest if moment is not None)]),
        )

    def schema_is_current(self) -> bool:
        """Whether the tables are still those that this code knows. Raises StoreError when the database does not answer."""
        with self._database.reading() as session:
            found = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return found == HEAD
