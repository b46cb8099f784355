"""The store on SQLAlchemy: posts with their attempts, events, decisions, publications and ledger.

    store = SqlStore(home / "zirelia.db", MediaStore(home / "media"))
    post = store.add_post(post, event)
    moved, event = move(post, PostState.DRAFTED, at=now, actor="drafter")
    store.save_post(moved, expected_version=post.version, events=[event])

Each method is one transaction. What the domain's table does not allow is refused here too, whoever asks. Knows nothing of how
posts are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, selectinload

from zirelia.domain.budget import Cap, Spent
from zirelia.domain.decision import Decision
from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.post import TRANSITIONS, Event, Post, PostState
from zirelia.domain.publication import Publication, PublicationState
from zirelia.domain.shot import Attempt
from zirelia.errors import Conflict, IllegalTransition, NotFound, StoreError
from zirelia.store import rows
from zirelia.store.backup import copy_all
from zirelia.store.connections import ConnectionTables
from zirelia.store.critic import CriticTables
from zirelia.store.database import Database
from zirelia.store.figures import FigureTables
from zirelia.store.history import HistoryTables
from zirelia.store.jobs import PLANNED, TAKEN, JobTables, follow, take_planned
from zirelia.store.ledger import Ledger, OpenCall
from zirelia.store.locks import held
from zirelia.store.media import MediaStore
from zirelia.store.memory import MemoryTables
from zirelia.store.migrate import migrate
from zirelia.store.nodes import NodeTables
from zirelia.store.replies import ReplyTables
from zirelia.store.results import ResultTables
from zirelia.store.tables import AttemptRow, DecisionRow, EventRow, PersonaRow, PostRow, PublicationRow, SlotRow

_WHOLE = selectinload(PostRow.attempts).selectinload(AttemptRow.findings)


class SqlStore(
    ConnectionTables,
    CriticTables,
    FigureTables,
    HistoryTables,
    JobTables,
    MemoryTables,
    NodeTables,
    ReplyTables,
    ResultTables,
):
    """Implements ports.Store and ports.CriticMemory. Opening creates what is missing and migrates.

    Args:
        place: the database file, or a database URL.
        media: where the pictures of the attempts lie; an attempt without its picture is refused.

    Raises:
        ConfigurationError: the URL cannot be used.
        StoreError: no access, no space, a damaged file, or the schema of a newer Zirelia.
    """

    def __init__(self, place: str | Path, media: MediaStore) -> None:
        self.media = media
        self._database = Database(place)
        home = self._database.path.parent if self._database.path is not None else media.root.parent
        self._locks = home / "locks"
        self._ledger = Ledger(self._database)
        try:
            migrate(self._database)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Closes the connections; the store can be used again and opens new ones."""
        self._database.close()

    @property
    def is_sqlite(self) -> bool:
        return self._database.is_sqlite

    @property
    def name(self) -> str:
        """The database as people may see it, without a password."""
        return self._database.name

    @property
    def engine_url(self) -> str:
        """The database for the workflow engine, which keeps its own tables there. It may hold a password."""
        return self._database.url.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ---- posts -----------------------------------------------------------------------------------------------------------

    def add_post(self, post: Post, event: Event) -> Post:
        """Stores a new post and its slot. The event's post_id is replaced by the new id. Raises Conflict, StoreError."""
        if post.id != 0:
            raise StoreError(f"post {post.id} is already stored")
        if event.before is not None or event.after is not post.state:
            raise StoreError(f"the first event of a post leads from nothing to {post.state}")
        with self._database.writing() as session:
            slot = session.get(SlotRow, post.slot_id, with_for_update=True)
            if slot is not None and slot.state != PLANNED:
                raise Conflict(f"slot {post.slot_id} is already taken", hint="choose the next free slot")
            if session.get(PersonaRow, post.persona) is None:
                session.add(PersonaRow(name=post.persona, first_seen=event.at))
                session.flush()
            if slot is None:
                session.add(SlotRow(id=post.slot_id, persona=post.persona, due=post.due, state=TAKEN))
            else:
                slot.state = TAKEN
            session.flush()
            row = PostRow(persona=post.persona, slot_id=post.slot_id, created=post.created, attempts=[])
            rows.fill_post(row, post)
            session.add(row)
            session.flush()
            self._write_attempts(session, row, post.attempts)
            session.add(rows.event_row(row.id, event))
            stored = post.model_copy(update={"id": row.id})
            follow(session, None, stored, [event])
            return stored

    def get_post(self, post_id: int) -> Post:
        with self._database.reading() as session:
            return rows.to_post(_row(session, post_id))

    def save_post(
        self,
        post: Post,
        *,
        expected_version: int,
        events: Sequence[Event] = (),
        decision: Decision | None = None,
        publication: Publication | None = None,
        slot: str | None = None,
    ) -> None:
        """Writes all of it together, or nothing. `slot` is a planned one that the post moves to.

        The events must lead from the stored state to the post's, by steps that the domain allows. Attempts are never lost:
        new ones are added, a verdict may be given to one that had none. Raises NotFound; Conflict when the stored version or
        its attempts are not those that the post was made from; IllegalTransition; StoreError for a version that does not grow.
        """
        with self._database.writing() as session:
            row = _row(session, post.id, lock=True)
            if row.version != expected_version:
                raise _changed(post.id)
            if post.version <= expected_version:
                raise StoreError(f"post {post.id}: a change must raise the version above {expected_version}")
            if (row.persona, row.slot_id) != (post.persona, post.slot_id):
                raise StoreError(f"post {post.id} keeps its persona and its slot")
            before = PostState(row.state)
            _check_history(post, before, events)
            self._write_attempts(session, row, post.attempts)
            rows.fill_post(row, post)
            follow(session, before, post, events)
            session.add_all(rows.event_row(post.id, event) for event in events)
            if decision is not None:
                session.add(rows.decision_row(post.id, decision))
            if slot is not None:
                take_planned(session, slot)
            if publication is not None:
                if publication.post_id != post.id:
                    raise StoreError(f"publication {publication.id} is not of post {post.id}")
                _write_publication(session, publication)

    def posts(
        self, *, persona: str | None = None, states: frozenset[PostState] | None = None, limit: int = 100
    ) -> tuple[Post, ...]:
        query = select(PostRow).options(_WHOLE).order_by(PostRow.id.desc()).limit(limit)
        if persona is not None:
            query = query.where(PostRow.persona == persona)
        if states is not None:
            query = query.where(PostRow.state.in_(sorted(state.value for state in states)))
        with self._database.reading() as session:
            return tuple(map(rows.to_post, session.scalars(query)))

    def remembered(self, persona: str, *, but: int, limit: int) -> tuple[Post, ...]:
        query = (
            select(PostRow, AttemptRow.body)
            .outerjoin(AttemptRow, and_(AttemptRow.post_id == PostRow.id, AttemptRow.number == PostRow.chosen))
            .where(PostRow.persona == persona, PostRow.id != but, PostRow.state != PostState.REJECTED.value)
            .order_by(PostRow.id.desc())
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(
                # the outer join gives no body for a post without a chosen attempt, which its type cannot say
                rows.to_post(row, attempts=tuple(filter(None, (chosen,))))
                for row, chosen in session.execute(query)
            )

    def add_attempt(self, post_id: int, attempt: Attempt) -> None:
        """Appends an attempt with its findings; the post's version stays. Raises NotFound, Conflict, MediaError."""
        with self._database.writing() as session:
            row = _row(session, post_id, lock=True)
            if any(known.number == attempt.number for known in row.attempts):
                raise Conflict(f"post {post_id} already has an attempt {attempt.number}")
            self._add_attempt(session, post_id, attempt)

    def _write_attempts(self, session: Session, row: PostRow, attempts: Sequence[Attempt]) -> None:
        known = {attempt.number: attempt for attempt in row.attempts}
        if not set(known) <= {attempt.number for attempt in attempts}:
            raise _changed(row.id)
        for attempt in attempts:
            stored = known.get(attempt.number)
            if stored is None:
                self._add_attempt(session, row.id, attempt)
            elif rows.to_attempt(stored) == attempt:
                continue
            elif stored.verdict is None and attempt.verdict is not None and _without_verdict(attempt) == stored.body:
                rows.fill_verdict(stored, attempt.verdict)
            else:
                raise Conflict(f"attempt {attempt.number} of post {row.id} is already stored and differs")

    def _add_attempt(self, session: Session, post_id: int, attempt: Attempt) -> None:
        self.media.path(attempt.image)  # raises when the picture is missing
        session.add(rows.attempt_row(post_id, attempt))

    # ---- history ---------------------------------------------------------------------------------------------------------

    def events(self, post_id: int) -> tuple[Event, ...]:
        """Oldest first."""
        query = select(EventRow).where(EventRow.post_id == post_id).order_by(EventRow.id)
        with self._database.reading() as session:
            return tuple(map(rows.to_event, session.scalars(query)))

    def decisions(self, post_id: int) -> tuple[Decision, ...]:
        """Oldest first."""
        query = select(DecisionRow).where(DecisionRow.post_id == post_id).order_by(DecisionRow.id)
        with self._database.reading() as session:
            return tuple(row.body for row in session.scalars(query))

    def taken_slots(self, persona: str) -> frozenset[str]:
        """Slots that ever had a post, or went by; a rejected post does not free its slot. One that is only planned is free."""
        query = select(SlotRow.id).where(SlotRow.persona == persona, SlotRow.state != PLANNED)
        with self._database.reading() as session:
            return frozenset(session.scalars(query))

    # ---- publications ----------------------------------------------------------------------------------------------------

    def publication(self, publication_id: str) -> Publication | None:
        with self._database.reading() as session:
            row = session.get(PublicationRow, publication_id)
            return None if row is None else row.body

    def publications(self, post_id: int) -> tuple[Publication, ...]:
        """Oldest first."""
        query = select(PublicationRow).where(PublicationRow.post_id == post_id)
        with self._database.reading() as session:
            found = session.scalars(query.order_by(PublicationRow.at, PublicationRow.id))
            return tuple(row.body for row in found)

    def save_publication(self, publication: Publication) -> None:
        """Writes or replaces it. A published one is final: raises Conflict. Raises NotFound for an unknown post."""
        with self._database.writing() as session:
            if session.get(PostRow, publication.post_id) is None:
                raise _unknown(publication.post_id)
            _write_publication(session, publication)

    def sent(self, persona: str, channel: str, since: datetime) -> tuple[datetime, ...]:
        """When the persona's account on the channel was sent something, or may have been; oldest first."""
        query = (
            select(PublicationRow.at)
            .join(PostRow, PostRow.id == PublicationRow.post_id)
            .where(PublicationRow.channel == channel, PublicationRow.at >= since, PostRow.persona == persona)
            .where(PublicationRow.state != PublicationState.NOT_PUBLISHED.value)
            .order_by(PublicationRow.at)
        )
        with self._database.reading() as session:
            return tuple(session.scalars(query))

    # ---- ledger, lock, backup --------------------------------------------------------------------------------------------

    def open_call(self, entry: LedgerEntry, caps: Sequence[Cap] = ()) -> OpenCall:
        return self._ledger.open(entry, caps)

    def close_call(self, entry: LedgerEntry) -> None:
        self._ledger.close(entry)

    def ledger(
        self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        return self._ledger.entries(persona=persona, post_id=post_id, since=since)

    def paid_answer(self, call_id: str) -> str | None:
        return self._ledger.answer(call_id)

    def spent(self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None) -> Spent:
        return self._ledger.spent(persona=persona, post_id=post_id, since=since)

    def lock(self, name: str) -> AbstractContextManager[None]:
        return held(self._database, self._locks, name)

    def backup(self, target: Path) -> Iterator[tuple[str, int]]:
        return copy_all(self._database, self.media, target)

    def problems(self) -> tuple[str, ...]:
        """What SQLite finds wrong in the file, for `zirelia doctor`; empty when all is well. Reads the whole database.

        PostgreSQL sees to its own files and foreign keys.
        """
        if not self._database.is_sqlite:
            return ()
        with self._database.raw_sqlite() as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
            return (*found, *(f"table {table}, row {row}: its {parent} row is missing" for table, row, parent, _ in orphans))


def _row(session: Session, post_id: int, *, lock: bool = False) -> PostRow:
    row = session.get(PostRow, post_id, options=[_WHOLE], with_for_update=lock)
    if row is None:
        raise _unknown(post_id)
    return row


def _write_publication(session: Session, publication: Publication) -> None:
    row = session.get(PublicationRow, publication.id, with_for_update=True)
    if row is None:
        row = PublicationRow(id=publication.id)
        session.add(row)
    elif row.body == publication:
        return
    elif row.state == PublicationState.PUBLISHED.value:
        raise Conflict(f"{publication.id} is already published", hint="nothing is sent again")
    rows.fill_publication(row, publication)


def _check_history(post: Post, stored: PostState, events: Sequence[Event]) -> None:
    """Every change of state has its event, and every event is a change that the domain allows or none."""
    state = stored
    for event in events:
        if event.post_id != post.id or event.before is not state:
            raise StoreError(f"an event of post {post.id} does not follow from {state}")
        if event.after is not state and event.after not in TRANSITIONS[state]:
            raise IllegalTransition(f"post {post.id} is {state} and cannot become {event.after}")
        state = event.after
    if state is not post.state:
        raise StoreError(f"post {post.id} became {post.state} without an event")


def _without_verdict(attempt: Attempt) -> Attempt:
    return attempt.model_copy(update={"verdict": None})


def _unknown(post_id: int) -> NotFound:
    return NotFound(f"there is no post {post_id}", hint="see the ids with: zirelia queue")


def _changed(post_id: int) -> Conflict:
    return Conflict(f"post {post_id} was changed meanwhile", hint="look at it again, then repeat what you wanted")
