"""What one or two answers to a question come to: a table of rules, and which answers are asked for twice.

    vote_of(question, "yes")                                    # Vote.GOOD when a good picture gets a yes
    settled(Vote.BAD, Vote.GOOD, strict=False)                  # Outcome.NOT_CHECKED: the model contradicts itself

Strict is for safety: there a bad answer stands, whatever the second says. A pass needs a first answer that is good: a
second one can confirm a failure or put it in doubt, it never makes a pass. Asks nobody.
"""

from __future__ import annotations

from enum import Enum

from zirelia.critic.questions import Question
from zirelia.domain.verdict import Criterion, Outcome, Rubric


class Vote(Enum):
    """An answer, as what it says of the picture."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"


def vote_of(question: Question, answer: str) -> Vote:
    """`answer` is yes, no or unsure, to the question as it is worded."""
    if answer == "unsure":
        return Vote.UNSURE
    return Vote.GOOD if answer == question.expects else Vote.BAD


def on_the_border(question: Question, vote: Vote | None, rubric: Rubric) -> bool:
    """Whether to ask the other way round: what is not a clear pass, where it can reject the picture."""
    return vote in {Vote.BAD, Vote.UNSURE} and question.criterion not in rubric.advisory


def settled(first: Vote | None, second: Vote | None, *, strict: bool) -> Outcome:
    """The outcome of both; None is a question that was not asked or not answered, which never lifts a failure."""
    if first is Vote.GOOD:
        return Outcome.PASSED
    if first is Vote.BAD and (strict or second in {None, Vote.BAD}):
        return Outcome.FAILED
    if first is Vote.UNSURE and second is Vote.BAD:
        return Outcome.FAILED
    return Outcome.NOT_CHECKED


def is_strict(question: Question) -> bool:
    return question.criterion is Criterion.SAFETY
