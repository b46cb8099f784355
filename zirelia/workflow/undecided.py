"""A post whose slot has come without it being ready to go out: what the policy says becomes of it.

    decide(kit, persona, 7, policy="postpone")

Nobody's silence publishes anything, unless somebody set `auto_approve`; then only what the critic passed, of a fictional
character, and it is recorded as the policy's decision. Nothing is ever lost: what expires is held, and a person may still
approve it. Knows no clock but the kit's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from zirelia.definitions.disclosure import unlabelled_advertising
from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.persona import Persona
from zirelia.domain.post import Event, Post, PostState, move
from zirelia.workflow.kit import Books

Policy = Literal["postpone", "expire", "auto_approve"]
PATIENCE = timedelta(days=7)
"""How long a post is moved from slot to slot, from its making on, before it is held."""

_ACTOR = "policy"


def decide(kit: Books, persona: Persona, post_id: int, *, policy: Policy) -> Post:
    """What becomes of a post that waits for a person while its slot is here; any other comes back unchanged."""
    post = kit.store.get_post(post_id)
    if post.state is not PostState.AWAITING_REVIEW or post.due > kit.now():
        return post
    if policy == "auto_approve" and (refused := _why_not(persona, post)) is None:
        moved, event = move(post, PostState.APPROVED, at=kit.now(), actor=_ACTOR, because="auto_approve: the critic passed it")
        decision = Decision(kind=DecisionKind.APPROVE, by=_ACTOR, at=kit.now(), because="auto_approve is set")
        kit.store.save_post(moved, expected_version=post.version, events=[event], decision=decision)
        return moved
    because = "nobody decided before its slot"
    if policy == "auto_approve":
        because += f"; not approved by policy: {refused}"
    if policy == "expire" or kit.now() - post.created > PATIENCE:
        moved, event = move(post, PostState.HELD, at=kit.now(), actor=_ACTOR, because=because)
        kit.store.save_post(moved, expected_version=post.version, events=[event])
        return moved
    return postpone(kit, post, because=because)


def postpone(kit: Books, post: Post, *, because: str) -> Post:
    """The post at the persona's next planned slot, which then is no other's; a day later where none is planned."""
    now = kit.now()
    slot = kit.store.next_planned(post.persona, now)
    due = slot.due if slot is not None else now + timedelta(days=1)
    moved = post.model_copy(update={"due": due, "updated": now, "version": post.version + 1})
    event = Event(
        post_id=post.id,
        at=now,
        actor=_ACTOR,
        before=post.state,
        after=post.state,
        because=f"{because}: moved to {due:%Y-%m-%d %H:%M} UTC",
    )
    kit.store.save_post(moved, expected_version=post.version, events=[event], slot=slot.id if slot else None)
    return moved


def _why_not(persona: Persona, post: Post) -> str | None:
    attempt = post.chosen_attempt
    if not persona.consent.fictional:
        return "a real person's likeness needs a person's decision"
    if attempt is None or attempt.verdict is None or not attempt.verdict.passed:
        return "the critic did not pass it"
    if post.draft is not None and (phrase := unlabelled_advertising(post.draft)):
        return f"it reads like an advertisement ('{phrase}') and has no label"
    return None
