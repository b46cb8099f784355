"""Slots that the clock planned, and the jobs of posts: what is due is found by an index, whatever else is stored.

    store.plan_slots("mira", slots, until=..., cadence_sha256=..., lead=timedelta(hours=12), at=now)
    with store.due(now, limit=100) as batch:       # one transaction; rows that another node holds are passed over
        for slot in batch.slots: batch.open(slot, post, event)
        for job in batch.jobs: batch.start(job, "mira:2026-11-28:morning/write/1", lease_until)

`batch.session` lets the engine put its own rows into the same transaction. Knows no cadence and starts nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, selectinload

from zirelia.domain.cadence import Slot
from zirelia.domain.job import OWED, Job, JobKind, buried, job_after, put_off, revived
from zirelia.domain.post import Event, Post, PostState
from zirelia.errors import Conflict, NotFound
from zirelia.ports import PlannedSlot
from zirelia.store import rows
from zirelia.store.database import Database
from zirelia.store.tables import AttemptRow, JobRow, PersonaRow, PostRow, SlotRow

PLANNED, OPENED, MISSED, TAKEN, PASSED_ON = "planned", "opened", "missed", "taken", "passed_on"
"""States of a slot: drawn ahead · a post was begun · its time went by before one could be · taken by a command · given to a
post that had missed its own.
"""

_NEXT_DUE = select(
    select(func.min(SlotRow.opens)).where(SlotRow.state == PLANNED).scalar_subquery(),
    select(func.min(JobRow.at)).scalar_subquery(),
)


@dataclass(frozen=True)
class DueJob:
    """A job and what never changes of its post."""

    job: Job
    persona: str
    slot_id: str


class Due:
    """What is due, inside one open transaction."""

    def __init__(self, session: Session, slots: Sequence[PlannedSlot], jobs: Sequence[DueJob]) -> None:
        self.session = session
        self.slots = slots
        self.jobs = jobs

    def open(self, slot: PlannedSlot, post: Post, event: Event) -> int:
        """Turns the planned slot into a post with its job, which is due at once; the post's id."""
        self._mark(slot, OPENED)
        row = PostRow(persona=post.persona, slot_id=post.slot_id, created=post.created, attempts=[])
        rows.fill_post(row, post)
        self.session.add(row)
        self.session.flush()
        self.session.add(rows.event_row(row.id, event))
        self.session.add(rows.job_row(Job(post_id=row.id, kind=JobKind.WRITE, at=post.created)))
        return row.id

    def miss(self, slot: PlannedSlot) -> None:
        self._mark(slot, MISSED)

    def delay(self, slot: PlannedSlot, opens: datetime) -> None:
        self.session.execute(update(SlotRow).where(SlotRow.id == slot.id).values(opens=opens))

    def start(self, job: Job, workflow: str, lease_until: datetime) -> None:
        self._write(job.model_copy(update={"round": job.round + 1, "workflow": workflow, "at": lease_until}))

    def extend(self, job: Job, lease_until: datetime) -> None:
        self._write(job.model_copy(update={"at": lease_until}))

    def bury(self, job: Job, because: str) -> None:
        self._write(buried(job, because, account=job.account))

    def _mark(self, slot: PlannedSlot, state: str) -> None:
        self.session.execute(update(SlotRow).where(SlotRow.id == slot.id).values(state=state))

    def _write(self, job: Job) -> None:
        rows.fill_job(self.session.get_one(JobRow, job.post_id), job)


class JobTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    # ---- planning --------------------------------------------------------------------------------------------------------

    def plans(self, personas: Sequence[str] | None = None) -> dict[str, tuple[datetime | None, str | None]]:
        """Persona → until when its slots are planned, and the hash of the cadence that drew them."""
        query = select(PersonaRow.name, PersonaRow.planned_until, PersonaRow.cadence_sha256)
        if personas is not None:
            query = query.where(PersonaRow.name.in_(personas))
        with self._database.reading() as session:
            return {name: (until, sha256) for name, until, sha256 in session.execute(query)}

    def plan_slots(
        self, persona: str, slots: Sequence[Slot], *, until: datetime, cadence_sha256: str, lead: timedelta, at: datetime
    ) -> int:
        """Writes the slots that are not there yet and takes away planned ones that the cadence draws no more; how many are new.

        `slots` are all of the persona's slots later than `at` up to `until`.
        """
        wanted = {slot.id: slot for slot in slots}
        with self._database.writing() as session:
            # shared keys stay free: who opens a slot of hers refers to this row
            row = session.get(PersonaRow, persona, with_for_update={"key_share": True})
            if row is None:
                row = PersonaRow(name=persona, first_seen=at)
                session.add(row)
                session.flush()
            known = {
                one.id: one for one in session.scalars(select(SlotRow).where(SlotRow.persona == persona, SlotRow.due > at))
            }
            # ids that stand elsewhere in time: the cadence was changed after they were taken
            known |= {one.id: one for one in session.scalars(select(SlotRow).where(SlotRow.id.in_(list(wanted))))}
            for gone in known.keys() - wanted.keys():
                if known[gone].state == PLANNED:
                    session.delete(known[gone])
            new = 0
            for slot in slots:
                there = known.get(slot.id)
                if there is None:
                    session.add(SlotRow(id=slot.id, persona=persona, due=slot.at, state=PLANNED, opens=slot.at - lead))
                    new += 1
                elif there.state == PLANNED:
                    there.due, there.opens = slot.at, slot.at - lead
            row.planned_until, row.cadence_sha256 = until, cadence_sha256
            return new

    # ---- what is due -----------------------------------------------------------------------------------------------------

    @contextmanager
    def due(self, now: datetime, *, limit: int, without: Sequence[str] = ()) -> Iterator[Due]:
        """Planned slots that open and jobs whose time has come, oldest first, held by this transaction until the block ends.

        without: personas that are passed over.
        """
        slots = select(SlotRow).where(SlotRow.state == PLANNED, SlotRow.opens <= now).order_by(SlotRow.opens).limit(limit)
        jobs = (
            select(JobRow, PostRow.persona, PostRow.slot_id)
            .join(PostRow, PostRow.id == JobRow.post_id)
            .where(JobRow.at <= now)
            .order_by(JobRow.at)
            .limit(limit)
        )
        if without:
            slots, jobs = slots.where(SlotRow.persona.not_in(without)), jobs.where(PostRow.persona.not_in(without))
        with self._database.writing() as session:
            opening = [
                PlannedSlot(row.id, row.persona, row.due, row.opens or row.due)
                for row in session.scalars(slots.with_for_update(skip_locked=True))
            ]
            owed = [
                DueJob(rows.to_job(job), persona, slot_id)
                for job, persona, slot_id in session.execute(jobs.with_for_update(skip_locked=True, of=JobRow))
            ]
            yield Due(session, opening, owed)

    def next_due(self) -> datetime | None:
        """When the next slot opens or the next job begins; None when nothing is planned. One look at the end of two indexes."""
        with self._database.reading() as session:
            return min((moment for moment in session.execute(_NEXT_DUE).one() if moment is not None), default=None)

    def drop_plans(self, personas: Collection[str]) -> int:
        """Takes away the planned slots of personas that nobody runs any more; how many."""
        with self._database.writing() as session:
            session.execute(
                update(PersonaRow).where(PersonaRow.name.in_(personas)).values(planned_until=None, cadence_sha256=None)
            )
            dropped = session.execute(delete(SlotRow).where(SlotRow.state == PLANNED, SlotRow.persona.in_(personas)))
            return int(dropped.rowcount)  # type: ignore[attr-defined]

    def adopt(self) -> int:
        """Gives a job to every post that should have one and has none: those of a home from before there were jobs."""
        lost = (
            select(PostRow)
            .outerjoin(JobRow, JobRow.post_id == PostRow.id)
            .where(JobRow.post_id.is_(None), PostRow.state.in_([state.value for state in OWED]))
        )
        with self._database.writing() as session:
            found = session.scalars(lost.options(selectinload(PostRow.attempts).selectinload(AttemptRow.findings))).all()
            for row in found:
                follow(session, None, rows.to_post(row), ())
            return len(found)

    # ---- jobs ------------------------------------------------------------------------------------------------------------

    def job(self, post_id: int) -> Job | None:
        with self._database.reading() as session:
            row = session.get(JobRow, post_id)
            return None if row is None else rows.to_job(row)

    def jobs(self, *, dead: bool | None = None, limit: int = 100) -> tuple[Job, ...]:
        """Dead letters first, then by time."""
        query = select(JobRow).order_by(JobRow.at.is_not(None), JobRow.at, JobRow.post_id).limit(limit)
        if dead is not None:
            query = query.where(JobRow.at.is_(None) if dead else JobRow.at.is_not(None))
        with self._database.reading() as session:
            return tuple(map(rows.to_job, session.scalars(query)))

    def stuck(self, now: datetime, minutes: int, *, limit: int = 50) -> tuple[tuple[int, str, str, datetime], ...]:
        """Posts that the engine owes something and that have not moved for so long: (id, persona, state, since when), the
        longest first. One that waits for its time is not stuck; a dead letter is told of by itself.
        """
        before = now - timedelta(minutes=minutes)
        making = JobRow.kind.in_((JobKind.WRITE.value, JobKind.SHOOT.value))
        sending = and_(JobRow.kind == JobKind.PUBLISH.value, PostRow.due < before)
        query = (
            select(PostRow.id, PostRow.persona, PostRow.state, PostRow.updated)
            .join(JobRow, JobRow.post_id == PostRow.id)
            .where(PostRow.updated < before, JobRow.at.is_not(None), or_(making, sending))
            .order_by(PostRow.updated)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple((post_id, persona, state, since) for post_id, persona, state, since in session.execute(query))

    def put_off(
        self, post_id: int, *, now: datetime, because: str, at_least: timedelta = timedelta(0), account: str | None = None
    ) -> Job | None:
        """After a failed try that left the post as it was; None when the post has no job any more."""
        return self._changed(post_id, lambda job: put_off(job, now=now, because=because, at_least=at_least, account=account))

    def wait_until(self, post_id: int, at: datetime, because: str) -> Job | None:
        """Later, without a try being counted: it was not this post's fault."""
        return self._changed(post_id, lambda job: job.model_copy(update={"at": at, "problem": because}))

    def bury(self, post_id: int, because: str, *, account: str | None = None) -> Job | None:
        return self._changed(post_id, lambda job: buried(job, because, account=account))

    def revive(self, post_id: int, now: datetime) -> Job:
        """At once, and with all tries. Raises NotFound for a post without a job."""
        revived_job = self._changed(post_id, lambda job: revived(job, now))
        if revived_job is None:
            raise NotFound(f"nothing is owed to post {post_id}", hint=f"zirelia show {post_id}")
        return revived_job

    def revive_waiting(self, persona: str, channel: str, now: datetime) -> tuple[int, ...]:
        """As `revive`, for her posts whose publication failed of that account, dead or put off; their ids."""
        waiting = (
            select(JobRow)
            .join(PostRow, PostRow.id == JobRow.post_id)
            .where(PostRow.persona == persona, JobRow.kind == JobKind.PUBLISH.value, JobRow.account == channel)
            .order_by(JobRow.post_id)
        )
        with self._database.writing() as session:
            found = session.scalars(waiting.with_for_update(of=JobRow)).all()
            for row in found:
                rows.fill_job(row, revived(rows.to_job(row), now))
            return tuple(row.post_id for row in found)

    def _changed(self, post_id: int, change: Callable[[Job], Job]) -> Job | None:
        with self._database.writing() as session:
            row = session.get(JobRow, post_id, with_for_update=True)
            if row is None:
                return None
            job = change(rows.to_job(row))
            rows.fill_job(row, job)
            return job

    def next_planned(self, persona: str, after: datetime) -> PlannedSlot | None:
        query = select(SlotRow).where(SlotRow.persona == persona, SlotRow.state == PLANNED, SlotRow.due > after)
        with self._database.reading() as session:
            row = session.scalar(query.order_by(SlotRow.due).limit(1))
            return None if row is None else PlannedSlot(row.id, row.persona, row.due, row.opens or row.due)

    def planned(self, *, limit: int) -> tuple[PlannedSlot, ...]:
        """The planned slots that open first."""
        query = select(SlotRow).where(SlotRow.state == PLANNED).order_by(SlotRow.opens).limit(limit)
        with self._database.reading() as session:
            return tuple(PlannedSlot(row.id, row.persona, row.due, row.opens or row.due) for row in session.scalars(query))

    def count_posts(self) -> dict[str, int]:
        """State of posts → how many are in it."""
        query = select(PostRow.state, func.count()).group_by(PostRow.state)
        with self._database.reading() as session:
            return {row[0]: row[1] for row in session.execute(query)}

    def slot_states(self, persona: str, after: datetime, until: datetime) -> dict[str, str]:
        """Slot id → its state, of those that are due in that span."""
        query = select(SlotRow.id, SlotRow.state).where(SlotRow.persona == persona, SlotRow.due > after, SlotRow.due <= until)
        with self._database.reading() as session:
            return {row[0]: row[1] for row in session.execute(query)}


def take_planned(session: Session, slot_id: str) -> None:
    """Gives the planned slot to a post that missed its own. Raises Conflict when it is planned no more."""
    row = session.get(SlotRow, slot_id, with_for_update=True)
    if row is None or row.state != PLANNED:
        raise Conflict(f"slot {slot_id} is taken meanwhile", hint="the next one is tried")
    row.state = PASSED_ON


def follow(session: Session, before: PostState | None, post: Post, events: Sequence[Event]) -> None:
    """Writes the job that the post's new state asks for, in the transaction that writes the state."""
    row = session.get(JobRow, post.id, with_for_update=True)
    because = next((event.because for event in reversed(events) if event.because), None)
    job = job_after(before, post, None if row is None else rows.to_job(row), because=because)
    if job is None:
        session.execute(delete(JobRow).where(JobRow.post_id == post.id))
    elif row is None:
        session.add(rows.job_row(job))
    else:
        rows.fill_job(row, job)
