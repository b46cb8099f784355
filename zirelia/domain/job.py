"""What the engine owes a post next, and when: the one rule that turns a post's state into work.

    job_after(PostState.APPROVED, post, job)     # Job(kind=PUBLISH, at=post.due) after an approval, None after a rejection

A post has one job at most, stored with it in one transaction, so that no crash can lose one without the other. A job whose `at`
is None is a dead letter: nothing is tried again before a person has looked. Knows no queue and no clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from zirelia.domain.post import Post, PostState
from zirelia.domain.value import Instant, Slug, Value

LEASE = timedelta(minutes=2)
"""How long a job that was started counts as being done before somebody asks whether it still is."""

BY_HAND = timedelta(minutes=10)
"""The same for a turn that a person started with a command: no engine knows whether it still runs."""

_BACKOFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60), timedelta(hours=3))


class JobKind(StrEnum):
    """write: plan and draft · shoot: pictures and verdicts · decide: nobody did by the slot · publish: send, or look whether it
    was sent.
    """

    WRITE = "write"
    SHOOT = "shoot"
    DECIDE = "decide"
    PUBLISH = "publish"


class Job(Value):
    """round counts the workflows that were started for the post, tries the failed ones of this kind in a row; `workflow` is the
    id of the last one, None until the engine has started any. account: the channel whose account was what the last try failed
    of, so that the job goes on when it is connected.
    """

    post_id: int
    kind: JobKind
    at: Instant | None
    round: int = Field(default=0, ge=0)
    tries: int = Field(default=0, ge=0)
    problem: str | None = None
    workflow: str | None = None
    account: Slug | None = None

    @property
    def dead(self) -> bool:
        return self.at is None


_S = PostState

OWED = {
    _S.BRIEFED: JobKind.WRITE,
    _S.DRAFTED: JobKind.SHOOT,
    _S.SHOT: JobKind.SHOOT,
    _S.AWAITING_REVIEW: JobKind.DECIDE,
    _S.APPROVED: JobKind.PUBLISH,
    _S.PUBLISHING: JobKind.PUBLISH,
    _S.UNKNOWN: JobKind.PUBLISH,
}
"""Post state → the kind of its job; in the other states a person's turn has come, or nothing is left to do."""


def job_after(before: PostState | None, post: Post, job: Job | None, *, because: str | None = None) -> Job | None:
    """The job of a post that has just become what it is; None when a person's turn has come, or nothing is left to do.

    Args:
        before: the state it came from, None for a new post. because: the event's reason, kept as the problem of a failed try.
    """
    kind = OWED.get(post.state)
    if kind is None:
        return None
    if job is None or job.kind is not kind:
        return _first(kind, post, job)
    if post.state is _S.PUBLISHING:
        return job.model_copy(update={"at": post.updated + LEASE})
    if kind is JobKind.PUBLISH and before in {_S.PUBLISHING, _S.UNKNOWN}:
        return put_off(job, now=post.updated, because=because or "not published")
    if kind is JobKind.DECIDE or (post.state is _S.APPROVED and before is _S.APPROVED):
        return job.model_copy(update={"at": post.due})
    return job


def _first(kind: JobKind, post: Post, job: Job | None) -> Job:
    by_engine = job is not None and job.workflow is not None and job.at is not None
    at = post.due
    if kind in {JobKind.WRITE, JobKind.SHOOT}:
        at = post.updated if by_engine else post.updated + BY_HAND
    elif post.state is _S.PUBLISHING:
        at = post.updated + LEASE
    elif post.state is _S.UNKNOWN:
        at = post.updated + _BACKOFF[0]
    return Job(post_id=post.id, kind=kind, at=at, round=0 if job is None else job.round)


def put_off(job: Job, *, now: datetime, because: str, at_least: timedelta = timedelta(0), account: str | None = None) -> Job:
    """The job after a failed try: later by a wait that grows with the tries, and no sooner than asked for."""
    wait = max(_BACKOFF[min(job.tries, len(_BACKOFF) - 1)], at_least)
    return job.model_copy(update={"at": now + wait, "tries": job.tries + 1, "problem": because, "account": account})


def buried(job: Job, because: str, *, account: str | None = None) -> Job:
    """The job as a dead letter."""
    return job.model_copy(update={"at": None, "problem": because, "account": account})


def revived(job: Job, now: datetime) -> Job:
    """A person looked: at once, and with all tries."""
    return job.model_copy(update={"at": now, "tries": 0, "problem": None, "account": None})
