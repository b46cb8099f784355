"""What the store keeps so that posts do not repeat: a vector for each published post, and the beats of stories.

    store.unremembered("mira", "wordllama l2", limit=200)      # published, without a vector of that embedder
    store.remember("wordllama l2", [(7, vector)], at=now)      # refuses a post that is not out
    store.memories("mira", "wordllama l2", limit=10_000)       # newest first
    store.story("mira", but=9)                                 # posts that tell a beat, rejected ones left out

Each method is one transaction. Knows no embedder and compares nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Text, or_, select, type_coerce
from sqlalchemy.dialects import postgresql, sqlite

from zirelia.domain.post import Post, PostState
from zirelia.errors import NotFound, StoreError
from zirelia.store import rows
from zirelia.store.database import Database
from zirelia.store.tables import MemoryRow, PostRow

_OF_AN_ARC = '"arc":"'
"""How a brief with an arc reads in the table; inside a text of the brief the quotes would be escaped."""


class MemoryTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def unremembered(self, persona: str, embedder: str, *, limit: int) -> tuple[Post, ...]:
        query = (
            select(PostRow)
            .outerjoin(MemoryRow, MemoryRow.post_id == PostRow.id)
            .where(PostRow.persona == persona, PostRow.state == PostState.PUBLISHED.value, PostRow.brief.is_not(None))
            .where(or_(MemoryRow.post_id.is_(None), MemoryRow.embedder != embedder))
            .order_by(PostRow.id.desc())
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(rows.to_post(row, attempts=()) for row in session.scalars(query))

    def remember(self, embedder: str, vectors: Sequence[tuple[int, bytes]], *, at: datetime) -> None:
        with self._database.writing() as session:
            ids = [post_id for post_id, _ in vectors]
            found = select(PostRow.id, PostRow.persona, PostRow.state).where(PostRow.id.in_(ids))
            known = {post_id: (persona, state) for post_id, persona, state in session.execute(found)}
            # in one order, so that two processes that remember the same posts do not wait for each other
            for post_id, vector in sorted(vectors):
                if post_id not in known:
                    raise NotFound(f"there is no post {post_id} to remember")
                persona, state = known[post_id]
                if state != PostState.PUBLISHED.value:
                    raise StoreError(f"post {post_id} is {state}; only what was published is remembered")
                new = {"persona": persona, "kept_at": at, "embedder": embedder, "vector": vector}
                insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
                row = insert(MemoryRow).values(post_id=post_id, **new)
                session.execute(
                    row.on_conflict_do_update(index_elements=["post_id"], set_=new, where=MemoryRow.embedder != embedder)
                )

    def memories(self, persona: str, embedder: str, *, limit: int) -> tuple[tuple[int, bytes], ...]:
        query = (
            select(MemoryRow.post_id, MemoryRow.vector)
            .where(MemoryRow.persona == persona, MemoryRow.embedder == embedder)
            .order_by(MemoryRow.post_id.desc())
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple((post_id, vector) for post_id, vector in session.execute(query))

    def recalled(self, ids: Sequence[int]) -> tuple[Post, ...]:
        query = select(PostRow).where(PostRow.id.in_(ids))
        with self._database.reading() as session:
            found = {row.id: rows.to_post(row, attempts=()) for row in session.scalars(query)}
        return tuple(found[post_id] for post_id in ids if post_id in found)

    def story(self, persona: str, *, but: int) -> tuple[Post, ...]:
        query = (
            select(PostRow)
            .where(PostRow.persona == persona, PostRow.id != but, PostRow.state != PostState.REJECTED.value)
            .where(type_coerce(PostRow.brief, Text).contains(_OF_AN_ARC, autoescape=True))
            .order_by(PostRow.id)
        )
        with self._database.reading() as session:
            return tuple(rows.to_post(row, attempts=()) for row in session.scalars(query))
