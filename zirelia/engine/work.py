"""What a workflow does for a post, and what a failure means for its job.

    worker.shoot(7)     # {"post": 7, "state": "awaiting_review"}; it never raises

The use cases are resumable by themselves; here it is decided whether a failed one is tried again, when, or not before a person
has looked. Knows no queue.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from zirelia.domain.job import Job, JobKind
from zirelia.domain.post import Post, PostState
from zirelia.domain.publication import AccountLimits
from zirelia.engine.roster import Roster
from zirelia.errors import (
    ConfigurationError,
    Conflict,
    ConsentRequired,
    IllegalTransition,
    NotYet,
    ProviderError,
    StoreError,
    ZireliaError,
)
from zirelia.ports import Store, Watcher
from zirelia.workflow.connections import account_of
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.produce import resume, write
from zirelia.workflow.publish import publish
from zirelia.workflow.undecided import Policy, decide, postpone

BUSY = timedelta(seconds=10)
"""Another process is at work on the post: nothing is wrong."""

PAUSE_LOOK = timedelta(seconds=30)
"""How soon a post that met a pause is looked at again."""


class Jobs(Store, Protocol):
    """The store with its jobs."""

    def job(self, post_id: int) -> Job | None: ...

    def put_off(
        self, post_id: int, *, now: datetime, because: str, at_least: timedelta = ..., account: str | None = ...
    ) -> Job | None: ...

    def wait_until(self, post_id: int, at: datetime, because: str) -> Job | None: ...

    def bury(self, post_id: int, because: str, *, account: str | None = ...) -> Job | None: ...


class Told(Protocol):
    """Who hears of what a person should know."""

    def __call__(self, kind: str, message: str, *, post: Post | None = None) -> None: ...


class Worker:
    """Does the jobs.

    Args:
        limits: what one account takes. late: how long after its time a post may still go out. policy: what becomes of an
        undecided post. paused: why nothing may be done for the persona now, or None.
    """

    def __init__(
        self,
        store: Jobs,
        roster: Roster,
        *,
        limits: AccountLimits,
        late: timedelta,
        policy: Policy,
        now: Callable[[], datetime],
        paused: Callable[[str], str | None],
        watcher: Callable[[int, str], Watcher],
        tell: Told,
    ) -> None:
        self._store = store
        self._roster = roster
        self._limits = limits
        self._late = late
        self._policy = policy
        self._now = now
        self._paused = paused
        self._watcher = watcher
        self._tell = tell

    def all(self) -> dict[str, Callable[[int], dict[str, Any]]]:
        """Kind of job → what does it."""
        return {
            JobKind.WRITE.value: self.write,
            JobKind.SHOOT.value: self.shoot,
            JobKind.DECIDE.value: self.decide,
            JobKind.PUBLISH.value: self.publish,
        }

    def write(self, post_id: int) -> dict[str, Any]:
        return self._done(post_id, {PostState.BRIEFED}, lambda kit, subject: write(kit, subject, post_id, patient=True))

    def shoot(self, post_id: int) -> dict[str, Any]:
        return self._done(
            post_id, {PostState.DRAFTED, PostState.SHOT}, lambda kit, subject: resume(kit, subject, post_id, patient=True)
        )

    def decide(self, post_id: int) -> dict[str, Any]:
        def do(kit: Kit, subject: Subject) -> Post:
            return decide(kit, subject.persona, post_id, policy=self._policy)

        return self._done(post_id, {PostState.AWAITING_REVIEW}, do)

    def publish(self, post_id: int) -> dict[str, Any]:
        def do(kit: Kit, subject: Subject) -> Post:
            post = self._store.get_post(post_id)
            if post.state is PostState.APPROVED and self._now() > post.due + self._late and not self._begun(post):
                return postpone(kit, post, because="its slot went by")
            return publish(kit, subject, post_id, limits=self._limits, gate=lambda: self._gate(post.persona))

        return self._done(post_id, {PostState.APPROVED, PostState.PUBLISHING, PostState.UNKNOWN}, do)

    def _begun(self, post: Post) -> bool:
        """A post that went out on one channel is finished on the others, however late."""
        return bool(self._store.publications(post.id))

    def _gate(self, persona: str) -> None:
        reason = self._paused(persona)
        if reason is not None:
            raise NotYet(f"paused: {reason}", until=None)

    def _done(self, post_id: int, states: set[PostState], do: Callable[[Kit, Subject], Post]) -> dict[str, Any]:
        """Does it, and settles the job where the post's new state has not done so already."""
        try:
            post = self._store.get_post(post_id)
            if post.state not in states:
                return _told(post)
            self._gate(post.persona)
            kit, subject = self._roster.desk(post.persona, self._watcher(post_id, post.persona))
            after = do(kit, subject)
        except ZireliaError as error:
            return self._failed(post_id, error)
        except Exception as error:  # a defect in one post's turn must not end the daemon; its class is all that is safe to tell
            return self._failed(post_id, ZireliaError(f"defect: {type(error).__name__}"), cause=error)
        self._report(post, after)
        return _told(after)

    def _failed(self, post_id: int, error: ZireliaError, *, cause: Exception | None = None) -> dict[str, Any]:
        now, watcher, account = self._now(), self._watcher(post_id, ""), account_of(error)
        told = {"post": post_id, "failed": type(cause or error).__name__}
        try:
            if isinstance(error, Conflict):
                self._store.wait_until(post_id, now + BUSY, error.message)
            elif isinstance(error, NotYet):
                self._store.wait_until(post_id, max(error.until or now + PAUSE_LOOK, now + timedelta(seconds=1)), error.message)
            elif _may_pass(error):
                retry_after = timedelta(seconds=getattr(error, "retry_after", None) or 0)
                watcher.failed(error.message)
                self._store.put_off(post_id, now=now, because=error.message, at_least=retry_after, account=account)
                if isinstance(error, ConfigurationError):
                    self._tell("configuration", f"post {post_id} waits: {error.message}", post=self._store.get_post(post_id))
            else:
                watcher.failed(error.message)
                self._store.bury(post_id, error.message, account=account)
                self._tell("dead", f"post {post_id} needs a person: {error.message}", post=self._store.get_post(post_id))
        except StoreError as still:
            # the job's lease runs out by itself, and then the clock asks again
            watcher.failed(still.message)
        return told

    def _report(self, before: Post, after: Post) -> None:
        if after.state is before.state:
            return
        if after.state is PostState.HELD:
            self._tell("held", f"post {after.id} of {after.persona} is held: {after.held_because}", post=after)
        elif after.state is PostState.UNKNOWN:
            self._tell("unknown", f"post {after.id} of {after.persona}: nobody knows whether it is out", post=after)


def _may_pass(error: ZireliaError) -> bool:
    """Whether the same work may succeed later: a pack that is being edited may be right in a minute."""
    if isinstance(error, ConsentRequired | IllegalTransition):
        return False
    return error.retryable if isinstance(error, ProviderError) else True


def _told(post: Post) -> dict[str, Any]:
    return {"post": post.id, "state": post.state.value}
