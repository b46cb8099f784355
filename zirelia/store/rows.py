"""Domain values ↔ rows: pure functions, each pair its own inverse.

    to_attempt(attempt_row(7, attempt)) == attempt

Knows nothing of transactions.
"""

from __future__ import annotations

from zirelia.domain.decision import Decision
from zirelia.domain.job import Job, JobKind
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import Event, Post, PostState
from zirelia.domain.publication import Publication
from zirelia.domain.shot import Attempt
from zirelia.domain.verdict import Finding, Verdict
from zirelia.store.tables import (
    AttemptRow,
    DecisionRow,
    EventRow,
    FindingRow,
    JobRow,
    LedgerRow,
    PostRow,
    PublicationRow,
)


def fill_post(row: PostRow, post: Post) -> None:
    """Writes all that may change in a post; its attempts are rows of their own."""
    row.due = post.due
    row.state = post.state.value
    row.brief = post.brief
    row.draft = post.draft
    row.shot = post.shot
    row.chosen = post.chosen
    row.disclosure = post.disclosure
    row.held_because = post.held_because
    row.updated = post.updated
    row.version = post.version


def to_post(row: PostRow, attempts: tuple[Attempt, ...] | None = None) -> Post:
    """The post; `attempts` in place of reading all of its own."""
    return Post(
        id=row.id,
        persona=row.persona,
        slot_id=row.slot_id,
        due=row.due,
        state=PostState(row.state),
        brief=row.brief,
        draft=row.draft,
        shot=row.shot,
        attempts=tuple(map(to_attempt, row.attempts)) if attempts is None else attempts,
        chosen=row.chosen,
        disclosure=row.disclosure,
        held_because=row.held_because,
        created=row.created,
        updated=row.updated,
        version=row.version,
    )


def attempt_row(post_id: int, attempt: Attempt) -> AttemptRow:
    row = AttemptRow(
        post_id=post_id,
        number=attempt.number,
        image_sha256=attempt.image.sha256,
        backend=attempt.provenance.backend,
        model=attempt.provenance.model,
        made_at=attempt.provenance.made_at,
        seconds=attempt.provenance.seconds,
        cost=attempt.provenance.cost_usd,
        body=attempt.model_copy(update={"verdict": None}),
        findings=[],
    )
    if attempt.verdict is not None:
        fill_verdict(row, attempt.verdict)
    return row


def fill_verdict(row: AttemptRow, verdict: Verdict) -> None:
    """Writes a verdict into an attempt that had none."""
    row.passed = verdict.passed
    row.score = verdict.score
    row.verdict = verdict.model_copy(update={"findings": ()})
    row.findings = [_finding_row(row, position, finding) for position, finding in enumerate(verdict.findings)]


def _finding_row(attempt: AttemptRow, position: int, finding: Finding) -> FindingRow:
    return FindingRow(
        post_id=attempt.post_id,
        attempt=attempt.number,
        position=position,
        criterion=finding.criterion.value,
        outcome=finding.outcome.value,
        instrument=finding.instrument,
        score=finding.score,
        threshold=finding.threshold,
        seconds=finding.seconds,
        cost=finding.cost_usd,
        body=finding,
    )


def to_attempt(row: AttemptRow) -> Attempt:
    if row.verdict is None:
        return row.body
    findings = tuple(finding.body for finding in row.findings)
    return row.body.model_copy(update={"verdict": row.verdict.model_copy(update={"findings": findings})})


def event_row(post_id: int, event: Event) -> EventRow:
    return EventRow(
        post_id=post_id,
        at=event.at,
        actor=event.actor,
        state_before=None if event.before is None else event.before.value,
        state_after=event.after.value,
        because=event.because,
    )


def to_event(row: EventRow) -> Event:
    return Event(
        post_id=row.post_id,
        at=row.at,
        actor=row.actor,
        before=None if row.state_before is None else PostState(row.state_before),
        after=PostState(row.state_after),
        because=row.because,
    )


def decision_row(post_id: int, decision: Decision) -> DecisionRow:
    return DecisionRow(
        post_id=post_id,
        kind=decision.kind.value,
        decided_by=decision.by,
        at=decision.at,
        override=decision.override,
        body=decision,
    )


def fill_publication(row: PublicationRow, publication: Publication) -> None:
    row.post_id = publication.post_id
    row.channel = publication.channel
    row.state = publication.state.value
    row.at = publication.at
    row.body = publication


def ledger_row(entry: LedgerEntry) -> LedgerRow:
    row = LedgerRow(id=entry.id, at=entry.at, persona=entry.persona, post_id=entry.post_id, role=entry.role)
    row.external_id = entry.external_id
    fill_ledger(row, entry)
    return row


def storable(text: str) -> str:
    """The text as every database takes it: half characters replaced, zeros left out."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "")


def fill_ledger(row: LedgerRow, entry: LedgerEntry) -> None:
    """Writes all that the end of a call may change, but the provider's id; an answer that is there stays."""
    row.provider = entry.provider
    row.model = entry.model
    row.state = entry.state.value
    row.estimate = entry.estimate_usd
    row.cost = entry.cost_usd
    row.tokens_in = entry.tokens_in
    row.tokens_out = entry.tokens_out
    row.seconds = entry.seconds
    row.note = entry.note
    if entry.answer is not None:
        row.answer = storable(entry.answer)


def to_ledger(row: LedgerRow) -> LedgerEntry:
    """The entry without its answer, which is read alone."""
    return LedgerEntry(
        id=row.id,
        at=row.at,
        persona=row.persona,
        post_id=row.post_id,
        role=row.role,
        provider=row.provider,
        model=row.model,
        state=LedgerState(row.state),
        estimate_usd=row.estimate,
        cost_usd=row.cost,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        seconds=row.seconds,
        external_id=row.external_id,
        note=row.note,
    )


def job_row(job: Job) -> JobRow:
    row = JobRow(post_id=job.post_id)
    fill_job(row, job)
    return row


def fill_job(row: JobRow, job: Job) -> None:
    row.kind = job.kind.value
    row.at = job.at
    row.round = job.round
    row.tries = job.tries
    row.problem = job.problem
    row.workflow = job.workflow
    row.account = job.account


def to_job(row: JobRow) -> Job:
    return Job(
        post_id=row.post_id,
        kind=JobKind(row.kind),
        at=row.at,
        round=row.round,
        tries=row.tries,
        problem=row.problem,
        workflow=row.workflow,
        account=row.account,
    )
