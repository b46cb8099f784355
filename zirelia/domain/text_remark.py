"""One judged remark about a written text, and the limits that a channel sets.

    Remark(criterion=TextCriterion.LENGTH, outcome=Outcome.FAILED, explanation="write less", score=341)

The explanation of a failed remark is an instruction to the writer. Knows no rule and no model.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydantic import Field

from zirelia.domain.value import Text, Value
from zirelia.domain.verdict import Outcome


class TextCriterion(StrEnum):
    """What a text is judged by."""

    LENGTH = "length"
    HASHTAGS = "hashtags"
    ALT_TEXT = "alt_text"
    BOUNDARIES = "boundaries"
    CLAIMS = "claims"
    LANGUAGE = "language"
    REPETITION = "repetition"
    VOICE = "voice"
    NOVELTY = "novelty"
    PLACEHOLDERS = "placeholders"
    DISCLOSURE = "disclosure"


HARD = frozenset({TextCriterion.LENGTH, TextCriterion.HASHTAGS, TextCriterion.ALT_TEXT, TextCriterion.DISCLOSURE})
"""What a channel would refuse, or the law: a person's own words cannot break these either."""

RULES, TEXT_CRITIC = "rules", "text_critic"
"""Who judges a text: code, or the agent of that name."""


class Remark(Value):
    """One measured remark. score and threshold share the criterion's unit; None when there is no number.

    advisory: a person is shown it, but it sends nothing back to the writer. by: `RULES`, or `TEXT_CRITIC` for what the chat
    model said when it was asked, or could not be asked.
    """

    criterion: TextCriterion
    outcome: Outcome
    explanation: Text
    score: float | None = None
    threshold: float | None = None
    advisory: bool = False
    by: Text = RULES


class ChannelLimits(Value):
    """What one channel takes, in the unit that it counts: graphemes, characters, utf-16, bytes or x-weighted.

    caption_bytes: what the caption may have in UTF-8 besides, where the platform counts both.
    """

    channel: Text
    caption: int = Field(ge=1)
    hashtags: int = Field(ge=0)
    alt_text: int = Field(ge=1)
    counts: Text = "graphemes"
    caption_bytes: int | None = Field(default=None, ge=1)


def failed(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Those that the writer must act on."""
    return tuple(remark for remark in remarks if remark.outcome is Outcome.FAILED and not remark.advisory)


def instructions(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """What the writer is told: the explanations of the failed remarks, each once."""
    return tuple(dict.fromkeys(remark.explanation for remark in failed(remarks)))


def by_critic(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Those of the chat model: about caption and hashtags, and true for as long as these stay."""
    return tuple(remark for remark in remarks if remark.by == TEXT_CRITIC)


def together(opinion: Iterable[Remark], rules: Iterable[Remark]) -> tuple[Remark, ...]:
    """The chat model's remarks and those of the rules. A criterion that the model did not judge, or doubts, is not passed by
    the rules.
    """
    asked = tuple(opinion)
    doubted = {remark.criterion for remark in asked if remark.outcome is not Outcome.PASSED}
    return (*asked, *(r for r in rules if r.outcome is not Outcome.PASSED or r.criterion not in doubted))


def by_phrases_only(why: str) -> Remark:
    """That no model has judged the text, for a person to see: it is not checked, so it does not pass."""
    told = f"checked by phrases only, boundaries by their words only: {why}"
    return Remark(criterion=TextCriterion.CLAIMS, outcome=Outcome.NOT_CHECKED, explanation=told, advisory=True, by=TEXT_CRITIC)
