"""One turn: plan → draft → shoot and judge → queue. Ends with a post that waits for a person; never with nothing.

    post = produce(kit, subject)          # for the persona's next free slot
    post = resume(kit, subject, post.id)  # after a crash, a request for changes, or a retry

The slot is reserved before anything is asked of a model. Each step is stored before the next begins. A part that fails
leaves the post `held` with the reason.
"""

from __future__ import annotations

from datetime import datetime

from zirelia.domain.cadence import Slot, next_slot
from zirelia.domain.persona import Persona
from zirelia.domain.post import Event, Post, PostState, move
from zirelia.errors import (
    BudgetExceeded,
    ConfigurationError,
    IllegalTransition,
    MediaError,
    OfflineViolation,
    ProviderError,
)
from zirelia.workflow.consent import check_consent
from zirelia.workflow.draft import draft
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.plan import plan
from zirelia.workflow.shoot import shoot

UNFINISHED = frozenset({PostState.BRIEFED, PostState.DRAFTED, PostState.SHOT})
"""States in which a turn stopped half-way, by a crash or on purpose."""

_HOLDS = (ProviderError, MediaError, BudgetExceeded, OfflineViolation)


def produce(kit: Kit, subject: Subject, slot: Slot | None = None) -> Post:
    """A post for `slot`, or for the next free slot of the persona's cadence.

    Raises ConfigurationError when the cadence has no free slot, ConsentRequired when a likeness has none.
    """
    persona, now = subject.persona, kit.now()
    check_consent(kit, subject)
    if slot is None:
        slot = next_slot(persona.cadence, persona.name, now, kit.store.taken_slots(persona.name))
    if slot is None:
        raise ConfigurationError(
            f"{persona.name} has no free slot in the next 60 days", hint="widen 'cadence' in the persona pack"
        )
    return resume(kit, subject, kit.store.add_post(*opened(persona, slot.id, slot.at, now=now)).id)


def opened(persona: Persona, slot_id: str, due: datetime, *, now: datetime, by: str = "studio") -> tuple[Post, Event]:
    """A new post for the slot, and the event that begins its history."""
    post = Post(
        persona=persona.name,
        slot_id=slot_id,
        due=due,
        disclosure=persona.disclosure.visible_line,
        created=now,
        updated=now,
    )
    because = "; ".join(filter(None, (f"slot {slot_id}", persona.disclosure.opted_out)))
    return post, Event(post_id=0, at=now, actor=by, before=None, after=PostState.BRIEFED, because=because)


def resume(kit: Kit, subject: Subject, post_id: int, *, patient: bool = False) -> Post:
    """Carries an unfinished post to the queue; a post that is past that comes back unchanged.

    Args:
        patient: a model's failure that may pass is raised and leaves the post as it is, for a caller who tries again later.

    Raises Conflict when another process is at work on it.
    """
    return _carried(kit, subject, post_id, shooting=True, patient=patient)


def write(kit: Kit, subject: Subject, post_id: int, *, patient: bool = False) -> Post:
    """The first half of it, which needs no image model: plan and draft. As `resume`."""
    return _carried(kit, subject, post_id, shooting=False, patient=patient)


def _carried(kit: Kit, subject: Subject, post_id: int, *, shooting: bool, patient: bool) -> Post:
    check_consent(kit, subject)
    with kit.store.lock(f"produce-{post_id}"):
        post = kit.store.get_post(post_id)
        try:
            if post.state is PostState.BRIEFED and post.brief is None:
                post = plan(kit, subject, post)
            if post.state is PostState.BRIEFED:
                post = draft(kit, subject, post)
            if post.state is PostState.DRAFTED and shooting:
                post = shoot(kit, subject, post)
        except _HOLDS as error:
            if patient and isinstance(error, ProviderError) and error.retryable:
                raise
            kit.watcher.failed(error.message)
            post = hold(kit, post_id, error.message)
        return post


def retry(kit: Kit, subject: Subject, post_id: int) -> Post:
    """Tries a held post again from the part that failed. Raises IllegalTransition for a post that is not held."""
    check_consent(kit, subject)
    post = kit.store.get_post(post_id)
    if post.state is not PostState.HELD:
        raise IllegalTransition(f"post {post_id} is {post.state}; only a held post can be tried again")
    to = PostState.BRIEFED if post.draft is None else PostState.DRAFTED
    moved, event = move(post, to, at=kit.now(), actor="studio", because="tried again")
    kit.store.save_post(moved, expected_version=post.version, events=[event])
    return resume(kit, subject, post_id)


def unfinished(kit: Kit, persona: str) -> tuple[Post, ...]:
    """Posts whose turn stopped half-way, oldest first."""
    return tuple(reversed(kit.store.posts(persona=persona, states=UNFINISHED)))


def hold(kit: Kit, post_id: int, because: str) -> Post:
    """Holds the post, as it is stored, with the reason."""
    stored = kit.store.get_post(post_id)
    # a picture that nobody could judge is chosen only when there is no other: a person may want to see it
    best = max(stored.attempts, key=lambda a: (a.verdict.passed, a.verdict.score) if a.verdict else (False, -1.0), default=None)
    if best is not None:
        stored = stored.model_copy(update={"chosen": best.number})
    held, event = move(stored, PostState.HELD, at=kit.now(), actor="studio", because=because)
    kit.store.save_post(held, expected_version=stored.version, events=[event])
    return held
