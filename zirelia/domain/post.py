"""The post: draft + chosen attempt + disclosure, and the one table of what may become what.

    briefed → drafted → shot → awaiting_review → approved → publishing → published
    held: the critic failed three times, or a part failed; shown with its reason, never lost
    rejected: by a person · unknown: a publication whose outcome a person must look at

    post, event = move(post, PostState.APPROVED, at=now, actor="ana")

Every change of state is an event; an illegal one raises IllegalTransition and changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from zirelia.domain.shot import Attempt, Shot
from zirelia.domain.text_remark import Remark
from zirelia.domain.value import Instant, Slug, Text, Value
from zirelia.errors import IllegalTransition


class PostState(StrEnum):
    BRIEFED = "briefed"
    DRAFTED = "drafted"
    SHOT = "shot"
    AWAITING_REVIEW = "awaiting_review"
    APPROVED = "approved"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    HELD = "held"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


_S = PostState

TRANSITIONS: dict[PostState, frozenset[PostState]] = {
    _S.BRIEFED: frozenset({_S.DRAFTED, _S.HELD, _S.REJECTED}),
    _S.DRAFTED: frozenset({_S.SHOT, _S.HELD, _S.REJECTED}),
    _S.SHOT: frozenset({_S.AWAITING_REVIEW, _S.HELD, _S.REJECTED}),
    # back to drafted: a person asked for changes; to itself never: an edit does not change the state of a waiting post
    _S.AWAITING_REVIEW: frozenset({_S.APPROVED, _S.REJECTED, _S.DRAFTED, _S.HELD}),
    # back to awaiting_review: an edit voids the approval
    _S.APPROVED: frozenset({_S.PUBLISHING, _S.AWAITING_REVIEW, _S.REJECTED, _S.DRAFTED}),
    # back to approved: certainly nothing went out, so it may be tried again
    _S.PUBLISHING: frozenset({_S.PUBLISHED, _S.APPROVED, _S.UNKNOWN}),
    _S.PUBLISHED: frozenset(),
    # to approved only by a person's override; to drafted to try again
    _S.HELD: frozenset({_S.APPROVED, _S.REJECTED, _S.DRAFTED, _S.BRIEFED}),
    _S.REJECTED: frozenset(),
    _S.UNKNOWN: frozenset({_S.PUBLISHED, _S.APPROVED}),
}

IN_QUEUE = frozenset({_S.AWAITING_REVIEW, _S.HELD, _S.APPROVED, _S.UNKNOWN})
"""States in which a post waits for a person or for its slot."""


class Brief(Value):
    """What to say and show, and why now. arc, beat: the story of the pack and its part, from 1, that this post tells."""

    topic: Text
    angle: Text
    activity: Text
    scene: Text
    light: Text
    occasion: str | None = None
    avoid: tuple[Text, ...] = ()
    arc: Slug | None = None
    beat: int | None = Field(default=None, ge=1)


class Relation(StrEnum):
    """What a brand gives for a post."""

    PAID = "paid"
    GIFT = "gift"
    AFFILIATE = "affiliate"


class Sponsor(Value):
    """Who pays for a post, and the label that says so to readers, in the persona's language."""

    brand: Text = Field(max_length=80, pattern=r"^[^\n\t]+$")
    relation: Relation = Relation.PAID
    label: Text


class Draft(Value):
    """The text written. Hashtags without '#', in order of use. remarks: what the text critic found when it last looked.

    sponsor: its label stands above the caption wherever the text is read, and is no part of what is edited.
    """

    caption: Text
    hashtags: tuple[Text, ...] = ()
    alt_text: Text
    voice: Text = Field(default="model", description="which model wrote it; 'demo voice' where the embedded one did")
    remarks: tuple[Remark, ...] = ()
    sponsor: Sponsor | None = None

    def for_reader(self, disclosure: str | None = None) -> str:
        """The sponsor's label, caption, hashtags and the disclosure line, as a reader sees them."""
        tags = " ".join(f"#{tag}" for tag in self.hashtags)
        label = self.sponsor.label if self.sponsor else None
        return "\n\n".join(part for part in (label, self.caption, tags, disclosure) if part)


class Event(Value):
    """One change of a post, as its history shows it."""

    post_id: int
    at: Instant
    actor: Text
    before: PostState | None
    after: PostState
    because: str | None = None


class Post(Value):
    """The aggregate. `version` counts changes and guards against two writers at once; id 0 means not stored yet."""

    id: int = Field(default=0, ge=0)
    persona: Slug
    slot_id: Text
    due: Instant
    state: PostState = PostState.BRIEFED
    brief: Brief | None = None
    draft: Draft | None = None
    shot: Shot | None = None
    attempts: tuple[Attempt, ...] = ()
    chosen: int | None = Field(default=None, ge=1, description="number of the chosen attempt")
    disclosure: str | None = None
    held_because: str | None = None
    created: Instant
    updated: Instant
    version: int = Field(default=0, ge=0)

    @property
    def chosen_attempt(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.number == self.chosen), None)

    def caption_for_reader(self) -> str:
        """All that a reader sees, on a channel that takes it whole."""
        return "" if self.draft is None else self.draft.for_reader(self.disclosure)


def move(post: Post, to: PostState, *, at: datetime, actor: str, because: str | None = None) -> tuple[Post, Event]:
    """The post in its next state and the event that records it.

    Raises IllegalTransition when the table does not allow it. Moving to `held` needs `because`.
    """
    if to not in TRANSITIONS[post.state]:
        allowed = ", ".join(sorted(TRANSITIONS[post.state])) or "nothing: it is final"
        raise IllegalTransition(f"post {post.id} is {post.state} and cannot become {to}", hint=f"from here: {allowed}")
    if to is PostState.HELD and not (because and because.strip()):
        raise IllegalTransition(f"post {post.id} cannot be held without a reason")
    if to is PostState.AWAITING_REVIEW and (post.draft is None or post.chosen_attempt is None):
        raise IllegalTransition(f"post {post.id} has no text or no chosen picture to review")
    if to in {PostState.APPROVED, PostState.PUBLISHING, PostState.PUBLISHED} and (
        post.draft is None or post.chosen_attempt is None
    ):
        raise IllegalTransition(f"post {post.id} has no text or no chosen picture to publish")
    moved = post.model_copy(
        update={
            "state": to,
            "updated": at,
            "version": post.version + 1,
            "held_because": because if to is PostState.HELD else None,
        }
    )
    return moved, Event(post_id=post.id, at=at, actor=actor, before=post.state, after=to, because=because)
