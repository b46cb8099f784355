"""A mention by somebody, and the persona's answer to it: drafted in her voice, sent only when a person approved it.

    waiting → approved → sending → sent
    rejected: by a person · held: no draft kept the rules · unknown: a person must look whether it went out

    reply, event = step(reply, ReplyState.APPROVED, at=now, by="ana")
    asks_whether_ai(mention.text, questions)        # then the answer begins with a plain yes

What a stranger wrote is data: it is shown, quoted to the writer as what was said, and never followed. Knows no platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import regex
from pydantic import Field

from zirelia.domain.publication import Receipt
from zirelia.domain.text_plain import folded
from zirelia.domain.text_remark import Remark
from zirelia.domain.value import Instant, Slug, Text, Value
from zirelia.errors import IllegalTransition

LONGEST_MENTION = 2_000
"""Characters of a mention that are kept; platforms take fewer."""


class ReplyState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    HELD = "held"
    UNKNOWN = "unknown"


_S = ReplyState
MOVES: dict[ReplyState, frozenset[ReplyState]] = {
    _S.WAITING: frozenset({_S.APPROVED, _S.REJECTED}),
    _S.HELD: frozenset({_S.APPROVED, _S.REJECTED}),
    _S.APPROVED: frozenset({_S.SENDING, _S.REJECTED}),
    _S.SENDING: frozenset({_S.SENT, _S.APPROVED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.SENT, _S.APPROVED, _S.REJECTED}),
    _S.SENT: frozenset(),
    _S.REJECTED: frozenset(),
}


class Mention(Value):
    """What somebody said to the persona. id: the platform's. answers: the platform's ids of what it answers, as far as it tells
    them, the nearest first. post_id: of her post that it answers, if it answers one.
    """

    id: Text
    channel: Slug
    persona: Slug
    author: Text
    text: Text = Field(max_length=LONGEST_MENTION)
    at: Instant
    url: Text | None = None
    answers: tuple[Text, ...] = ()
    post_id: int | None = None


class Reply(Value):
    """The answer to one mention. text: None while held without a draft. asked_ai: somebody wants to know whether she is one."""

    id: int = Field(default=0, ge=0)
    mention: Mention
    state: ReplyState = ReplyState.WAITING
    text: Text | None = None
    voice: Text | None = None
    asked_ai: bool = False
    remarks: tuple[Remark, ...] = ()
    because: Text | None = None
    decided_by: Text | None = None
    begun: Instant | None = None
    receipt: Receipt | None = None
    updated: Instant
    version: int = Field(default=0, ge=0)

    @property
    def publication_id(self) -> str:
        """What makes a second attempt find the first."""
        return f"reply-{self.id}-{self.mention.channel}"


def step(reply: Reply, to: ReplyState, *, at: datetime, **changes: object) -> Reply:
    """The reply in its next state. Raises IllegalTransition when the table does not allow it, or nothing is there to send."""
    if to not in MOVES[reply.state]:
        allowed = ", ".join(sorted(MOVES[reply.state])) or "nothing: it is final"
        raise IllegalTransition(f"reply {reply.id} is {reply.state} and cannot become {to}", hint=f"from here: {allowed}")
    moved = reply.model_copy(update={"state": to, "updated": at, "version": reply.version + 1, **changes})
    if to in {_S.APPROVED, _S.SENDING} and not moved.text:
        raise IllegalTransition(f"reply {reply.id} has no text", hint=f"zirelia replies edit {reply.id} --text ...")
    return moved


class Candour(Value):
    """One language's words for the question whether somebody is an AI, and the plain answer.

    questions: regular expressions over small letters without accents and marks. yes: how a plain answer may begin.
    """

    language: Text
    questions: tuple[Text, ...]
    answer: Text
    yes: tuple[Text, ...]


def asks_whether_ai(text: str, candours: Sequence[Candour]) -> bool:
    """Whether the text asks, in one of the languages, if she is an AI, a bot, or a real person."""
    said = _words(text)
    return any(regex.search(question, said, timeout=1.0) for one in candours for question in one.questions)


def is_candid(text: str, candour: Candour) -> bool:
    """Whether the answer says plainly that she is an AI, before it says anything else."""
    return any(_words(text).startswith(_words(yes)) for yes in candour.yes)


def _words(text: str) -> str:
    """Small letters without accents, look-alikes and marks."""
    return " ".join(regex.findall(r"\w+", folded(text)))


def candid(text: str, candour: Candour) -> str:
    """The answer, with the plain yes in front unless it is there."""
    return text if is_candid(text, candour) else f"{candour.answer} {text}".strip()
