"""Posts of a persona's accounts that were not published here, and the last look at each account.

    store.add_past("mira", past, at=now)                    # False: it is kept already
    store.past("mira", limit=30)                            # newest first
    store.keep_past_vectors("mira", "wordllama l2", {"C0ffee": vector})
    store.last_snapshot("mira", "instagram")

Each method is one transaction. Knows no platform and no embedder.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from zirelia.domain.history import PastPost, Snapshot
from zirelia.domain.publication import PublicationState
from zirelia.store.database import Database
from zirelia.store.tables import PastPostRow, PostRow, PublicationRow, SnapshotRow


class HistoryTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def add_past(self, persona: str, post: PastPost, *, at: datetime) -> bool:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = insert(PastPostRow).values(
            persona=persona, channel=post.channel, code=post.code, at=post.at, kept_at=at, body=post
        )
        new = row.on_conflict_do_nothing(index_elements=["persona", "channel", "code"]).returning(PastPostRow.code)
        with self._database.writing() as session:
            return session.scalar(new) is not None

    def past(self, persona: str, *, limit: int) -> tuple[PastPost, ...]:
        query = (
            select(PastPostRow.body)
            .where(PastPostRow.persona == persona)
            .order_by(PastPostRow.at.desc(), PastPostRow.code)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(session.scalars(query))

    def known_codes(self, persona: str, channel: str) -> frozenset[str]:
        query = select(PastPostRow.code).where(PastPostRow.persona == persona, PastPostRow.channel == channel)
        with self._database.reading() as session:
            return frozenset(session.scalars(query))

    def past_vectors(self, persona: str, embedder: str) -> dict[str, bytes]:
        query = select(PastPostRow.code, PastPostRow.vector).where(
            PastPostRow.persona == persona, PastPostRow.embedder == embedder
        )
        with self._database.reading() as session:
            return {code: vector for code, vector in session.execute(query) if vector is not None}

    def keep_past_vectors(self, persona: str, embedder: str, vectors: Mapping[str, bytes]) -> None:
        with self._database.writing() as session:
            # in one order, so that two processes that keep the same do not wait for each other
            for code, vector in sorted(vectors.items()):
                row = update(PastPostRow).where(PastPostRow.persona == persona, PastPostRow.code == code)
                session.execute(row.values(embedder=embedder, vector=vector))

    def forget_past(self, persona: str, channel: str) -> int:
        hers = (PastPostRow.persona == persona, PastPostRow.channel == channel)
        with self._database.writing() as session:
            count = session.scalar(select(func.count()).select_from(PastPostRow).where(*hers)) or 0
            session.execute(delete(PastPostRow).where(*hers))
            session.execute(delete(SnapshotRow).where(SnapshotRow.persona == persona, SnapshotRow.channel == channel))
        return count

    def last_snapshot(self, persona: str, channel: str) -> Snapshot | None:
        with self._database.reading() as session:
            row = session.get(SnapshotRow, (persona, channel))
            return None if row is None else row.body

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        with self._database.writing() as session:
            session.merge(SnapshotRow(persona=snapshot.persona, channel=snapshot.channel, body=snapshot))

    def published_urls(self, persona: str, channel: str) -> tuple[str, ...]:
        query = (
            select(PublicationRow.body)
            .join(PostRow, PostRow.id == PublicationRow.post_id)
            .where(
                PostRow.persona == persona,
                PublicationRow.channel == channel,
                PublicationRow.state == PublicationState.PUBLISHED.value,
            )
        )
        with self._database.reading() as session:
            return tuple(body.receipt.url for body in session.scalars(query) if body.receipt is not None)
