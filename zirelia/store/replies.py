"""Answers to mentions, and how far each account's mentions were read.

    stored = store.add_reply(reply)                     # None: that mention has an answer already
    store.save_reply(moved, expected_version=stored.version)

Each method is one transaction.
"""

from __future__ import annotations

from sqlalchemy import Text as SqlText
from sqlalchemy import select, type_coerce
from sqlalchemy.exc import IntegrityError

from zirelia.domain.publication import PublicationState
from zirelia.domain.reply import Reply, ReplyState
from zirelia.errors import Conflict, NotFound
from zirelia.store.database import Database
from zirelia.store.tables import InboxRow, PublicationRow, ReplyRow


class ReplyTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def add_reply(self, reply: Reply) -> Reply | None:
        mention = reply.mention
        there = select(ReplyRow.id).where(
            ReplyRow.channel == mention.channel, ReplyRow.persona == mention.persona, ReplyRow.mention_id == mention.id
        )
        try:
            with self._database.writing() as session:
                if session.scalar(there) is not None:
                    return None
                row = ReplyRow(
                    persona=mention.persona,
                    channel=mention.channel,
                    mention_id=mention.id,
                    state=reply.state.value,
                    version=reply.version,
                    body=reply,
                )
                session.add(row)
                session.flush()
                stored = reply.model_copy(update={"id": row.id})
                row.body = stored
                return stored
        except (IntegrityError, Conflict):
            return None  # another process answered it at this moment

    def reply(self, reply_id: int) -> Reply:
        with self._database.reading() as session:
            row = session.get(ReplyRow, reply_id)
            if row is None:
                raise NotFound(f"there is no reply {reply_id}", hint="zirelia replies")
            return row.body

    def replies(
        self, *, persona: str | None = None, states: frozenset[ReplyState] | None = None, limit: int = 100
    ) -> tuple[Reply, ...]:
        query = select(ReplyRow).order_by(ReplyRow.id.desc()).limit(limit)
        if persona is not None:
            query = query.where(ReplyRow.persona == persona)
        if states is not None:
            query = query.where(ReplyRow.state.in_([state.value for state in states]))
        with self._database.reading() as session:
            return tuple(row.body for row in session.scalars(query))

    def save_reply(self, reply: Reply, *, expected_version: int) -> None:
        with self._database.writing() as session:
            row = session.get(ReplyRow, reply.id, with_for_update=True)
            if row is None:
                raise NotFound(f"there is no reply {reply.id}", hint="zirelia replies")
            if row.version != expected_version:
                raise Conflict(f"reply {reply.id} was changed meanwhile", hint="look at it again: zirelia replies")
            row.state, row.version, row.body = reply.state.value, reply.version, reply

    def inbox_cursor(self, persona: str, channel: str) -> str | None:
        with self._database.reading() as session:
            row = session.get(InboxRow, (persona, channel))
            return None if row is None else row.cursor

    def keep_inbox_cursor(self, persona: str, channel: str, cursor: str) -> None:
        with self._database.writing() as session:
            session.merge(InboxRow(persona=persona, channel=channel, cursor=cursor))

    def post_sent_as(self, channel: str, platform_id: str) -> int | None:
        query = select(PublicationRow).where(
            PublicationRow.channel == channel,
            PublicationRow.state == PublicationState.PUBLISHED.value,
            type_coerce(PublicationRow.body, SqlText).contains(platform_id, autoescape=True),
        )
        with self._database.reading() as session:
            for row in session.scalars(query):
                if row.body.receipt is not None and row.body.receipt.platform_id == platform_id:
                    return row.post_id
        return None
