"""What platforms count of publications, kept a row a look.

    store.to_measure(since)                     # publications that are out, with the ages they were looked at
    store.add_result(result)                    # once an age; again changes nothing
    store.results("mira", since)                # oldest first
    store.decided("mira", since)                # posts with the decisions of people

Each method is one transaction.
"""

from __future__ import annotations

import collections
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from zirelia.domain.decision import Decision
from zirelia.domain.post import Post
from zirelia.domain.publication import PublicationState
from zirelia.domain.results import Counts, Result
from zirelia.ports import Measurable
from zirelia.store import rows
from zirelia.store.database import Database
from zirelia.store.tables import DecisionRow, MeasurementRow, PostRow, PublicationRow


class ResultTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def to_measure(self, since: datetime) -> tuple[Measurable, ...]:
        """All that went out since then, on any channel."""
        query = (
            select(PublicationRow, PostRow.persona)
            .join(PostRow, PostRow.id == PublicationRow.post_id)
            .where(PublicationRow.state == PublicationState.PUBLISHED.value, PublicationRow.at >= since)
            .order_by(PublicationRow.at)
        )
        with self._database.reading() as session:
            found = [(row.body, persona) for row, persona in session.execute(query)]
            looked = select(MeasurementRow.publication_id, MeasurementRow.hours).where(
                MeasurementRow.publication_id.in_([publication.id for publication, _ in found])
            )
            measured: dict[str, set[int]] = collections.defaultdict(set)
            for publication_id, hours in session.execute(looked):
                measured[publication_id].add(hours)
        return tuple(Measurable(persona, one, frozenset(measured[one.id])) for one, persona in found)

    def add_result(self, result: Result) -> None:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = insert(MeasurementRow).values(
            publication_id=result.publication, hours=result.hours, at=result.at, **result.counts.model_dump()
        )
        with self._database.writing() as session:
            session.execute(row.on_conflict_do_nothing(index_elements=["publication_id", "hours"]))

    def results(self, persona: str, since: datetime) -> tuple[Result, ...]:
        query = (
            select(MeasurementRow, PublicationRow.post_id, PublicationRow.channel)
            .join(PublicationRow, PublicationRow.id == MeasurementRow.publication_id)
            .join(PostRow, PostRow.id == PublicationRow.post_id)
            .where(PostRow.persona == persona, MeasurementRow.at >= since)
            .order_by(MeasurementRow.at)
        )
        with self._database.reading() as session:
            return tuple(
                Result(
                    post_id=post_id,
                    channel=channel,
                    publication=row.publication_id,
                    hours=row.hours,
                    at=row.at,
                    counts=Counts(views=row.views, likes=row.likes, comments=row.comments, shares=row.shares, saves=row.saves),
                )
                for row, post_id, channel in session.execute(query)
            )

    def decided(self, persona: str, since: datetime) -> tuple[tuple[Post, tuple[Decision, ...]], ...]:
        """Posts of hers with a brief, made since then, each with what people decided; oldest first, without attempts."""
        posts = (
            select(PostRow)
            .where(PostRow.persona == persona, PostRow.created >= since, PostRow.brief.is_not(None))
            .order_by(PostRow.id)
        )
        with self._database.reading() as session:
            found = [rows.to_post(row, attempts=()) for row in session.scalars(posts)]
            decisions: dict[int, list[Decision]] = collections.defaultdict(list)
            query = select(DecisionRow).where(DecisionRow.post_id.in_([post.id for post in found])).order_by(DecisionRow.id)
            for row in session.scalars(query):
                decisions[row.post_id].append(row.body)
        return tuple((post, tuple(decisions[post.id])) for post in found)
