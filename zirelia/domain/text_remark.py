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


class Remark(Value):
    """One measured remark. score and threshold share the criterion's unit; None when there is no number.

    advisory: a failure that a person is shown but that sends nothing back to the writer.
    """

    criterion: TextCriterion
    outcome: Outcome
    explanation: Text
    score: float | None = None
    threshold: float | None = None
    advisory: bool = False


class ChannelLimits(Value):
    """What one channel takes, in the unit that it counts: graphemes, characters, utf-16 or bytes."""

    channel: Text
    caption: int = Field(ge=1)
    hashtags: int = Field(ge=0)
    alt_text: int = Field(ge=1)
    counts: Text = "graphemes"


def failed(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Those that the writer must act on."""
    return tuple(remark for remark in remarks if remark.outcome is Outcome.FAILED and not remark.advisory)


def instructions(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """What the writer is told: the explanations of the failed remarks, each once."""
    return tuple(dict.fromkeys(remark.explanation for remark in failed(remarks)))
