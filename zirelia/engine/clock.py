"""The clock: plans slots ahead, opens those whose time has come, starts what is owed to posts.

    clock.plan(); clock.tick()        # every node with the role may do both at any time, several at once

Who is first inserts or locks the row; the others pass it over. The workflow is put into its queue in the transaction that says
so, so that none is lost and none begins twice. Nothing is kept in memory that the tables do not say. Knows no use case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from zirelia.domain.cadence import Cadence, slots_between
from zirelia.domain.job import LEASE, JobKind
from zirelia.engine.roster import Roster
from zirelia.engine.work import Told
from zirelia.errors import ZireliaError
from zirelia.ports import PlannedSlot
from zirelia.store.jobs import Due, DueJob
from zirelia.store.sql import SqlStore
from zirelia.workflow.produce import opened

WORK, GPU, SEND = "work", "gpu", "send"
"""The queues: texts and hosted pictures · what needs this machine's device, one workflow at a time · decisions and
publications, which must not wait behind a model.
"""

HORIZON = timedelta(hours=48)
"""Slots are drawn so far beyond the lead time; again when half of it is left."""

LOOK_BACK = timedelta(days=7)
"""How far back missed slots are written down after a long silence."""

BATCH = 100


class Enqueuer(Protocol):
    """What the clock needs of the workflow engine."""

    def enqueue(self, session: Session, name: str, workflow: str, *, post_id: int, queue: str) -> None: ...

    def in_flight(self, workflows: Sequence[str]) -> frozenset[str]: ...


class Switch(Protocol):
    """The pause switch, as the clock asks it."""

    def reason(self, persona: str | None = None) -> str | None: ...

    def personas(self) -> frozenset[str]: ...


class Clock:
    """Args:
    lead: how long before its slot a post is begun. late: how long after it that is still done. tries: after as many failed
    ones in a row a person must look.
    """

    def __init__(
        self,
        store: SqlStore,
        roster: Roster,
        engine: Enqueuer,
        *,
        lead: timedelta,
        late: timedelta,
        tries: int,
        now: Callable[[], datetime],
        pauses: Switch,
        tell: Told,
        log: Callable[..., None],
    ) -> None:
        self._store = store
        self._roster = roster
        self._engine = engine
        self._lead = lead
        self._late = late
        self._tries = tries
        self._now = now
        self._pauses = pauses
        self._tell = tell
        self._log = log
        self._fingerprints: dict[str, tuple[Cadence, str]] = {}

    def plan(self) -> int:
        """Draws the slots of the days ahead for every persona that has too few, or whose cadence was changed; how many are new.

        A pack that cannot be read is told of and passed over; the slots that it had stay as they were.
        """
        now, new = self._now(), 0
        names, plans = self._roster.names(), self._store.plans()
        gone = {name for name, (until, _) in plans.items() if until is not None} - set(names)
        if gone:
            self._store.drop_plans(gone)
        for name in names:
            try:
                cadence = self._roster.persona(name).cadence
            except ZireliaError as error:
                self._tell("dead", f"{name} cannot be planned: {error.message}")
                continue
            until, drawn_by = plans.get(name, (None, None))
            fingerprint = self._fingerprint(name, cadence)
            # a clock that was set back by days sees a plan of the future, which is right all the same
            if until is not None and drawn_by == fingerprint and until > now + self._lead + HORIZON / 2:
                continue
            # what went by while nobody looked is written down too: those slots are missed, not forgotten
            after = now if until is None or drawn_by != fingerprint else max(min(until, now), now - LOOK_BACK)
            until = now + self._lead + HORIZON
            slots = tuple(slots_between(cadence, name, after, until))
            new += self._store.plan_slots(name, slots, until=until, cadence_sha256=fingerprint, lead=self._lead, at=after)
        if new:
            self._log("slots planned", new=new)
        return new

    def tick(self) -> int:
        """Opens and starts all that is due now; how many slots and jobs."""
        if self._pauses.reason() is not None:
            return 0
        silent = tuple(sorted(self._pauses.personas()))
        done = 0
        while True:
            # nearly always nothing is due, and this question takes no lock
            upcoming = self._store.next_due()
            if upcoming is None or upcoming > self._now():
                return done
            with self._store.due(self._now(), limit=BATCH, without=silent) as due:
                count = len(due.slots) + len(due.jobs)
                for slot in due.slots:
                    self._open(due, slot)
                self._start(due)
            done += count
            if count == 0:
                return done

    def _fingerprint(self, name: str, cadence: Cadence) -> str:
        """As `cadence_sha256`, which thousands of unchanged packs need not be asked for each minute."""
        known = self._fingerprints.get(name)
        if known is None or known[0] is not cadence:
            known = self._fingerprints[name] = cadence, cadence_sha256(cadence, self._lead)
        return known[1]

    def _open(self, due: Due, slot: PlannedSlot) -> None:
        now = self._now()
        if slot.due + self._late < now:
            due.miss(slot)
            self._log("slot missed", slot=slot.id)
            return
        try:
            persona = self._roster.persona(slot.persona)
        except ZireliaError as error:
            self._log("slot not opened", slot=slot.id, problem=error.message)
            due.delay(slot, now + LEASE)
            return
        post, event = opened(persona, slot.id, slot.due, now=now, by="clock")
        post_id = due.open(slot, post, event)
        self._log("slot opened", slot=slot.id, post=post_id)

    def _start(self, due: Due) -> None:
        now = self._now()
        flying = self._engine.in_flight([one.job.workflow for one in due.jobs if one.job.workflow is not None])
        for one in due.jobs:
            job = one.job
            if job.workflow in flying:
                due.extend(job, now + LEASE)
            elif job.tries >= self._tries:
                due.bury(job, job.problem or "it failed too often")
                self._tell("dead", f"post {job.post_id} of {one.persona} needs a person: {job.problem}")
            else:
                workflow = f"{one.slot_id}/{job.kind}/{job.round + 1}"
                self._engine.enqueue(due.session, job.kind.value, workflow, post_id=job.post_id, queue=self._queue(one))
                due.start(job, workflow, now + LEASE)

    def _queue(self, one: DueJob) -> str:
        if one.job.kind in {JobKind.DECIDE, JobKind.PUBLISH}:
            return SEND
        return GPU if one.job.kind is JobKind.SHOOT and self._roster.draws_here(one.persona) else WORK


def cadence_sha256(cadence: Cadence, lead: timedelta) -> str:
    """What decides where a persona's planned slots lie."""
    return hashlib.sha256(f"{lead.total_seconds()}|{cadence.model_dump_json()}".encode()).hexdigest()
