"""What the critic says of an attempt: findings with scores, folded by the persona's rubric into a verdict.

    verdict = fold(findings, rubric)        # fails closed: a criterion that nobody checked does not pass
    repairs_for(verdict)                    # what the next attempt changes, each naming the finding that asked for it

Critics give verdicts; only people give decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from zirelia.domain.box import Box
from zirelia.domain.value import Text, Value


class Criterion(StrEnum):
    IDENTITY = "identity"
    SUBJECTS = "subjects"
    FRAMING = "framing"
    ANATOMY = "anatomy"
    BRIEF = "brief"
    LOOK = "look"
    TECHNICAL = "technical"
    SAFETY = "safety"
    NOVELTY = "novelty"


NEVER_RETRIED = frozenset({"minor", "minors", "real person", "real people", "violence"})
"""Aspects of safety, as `spelled`, for which no further picture is drawn: the post is held, whatever the rubric says."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


class RepairKind(StrEnum):
    """What a retry may change in the prompt or its settings."""

    NEW_SEED = "new_seed"
    RAISE_LORA_SCALE = "raise_lora_scale"
    LOWER_LORA_SCALE = "lower_lora_scale"
    CLOSER_FRAMING = "closer_framing"
    NAME_FRAMING = "name_framing"
    ONE_PERSON = "one_person"
    HIDE_HANDS = "hide_hands"
    EMPHASISE = "emphasise"
    REMOVE_WORDS = "remove_words"
    MORE_STEPS = "more_steps"
    SAFER_WORDING = "safer_wording"
    OTHER_SETTING = "other_setting"
    INPAINT = "inpaint"
    NOTE = "note"


class Repair(Value):
    """One change for the next attempt.

    phrase: what to raise, name or remove. because: quotes the finding. criterion and aspect: of the finding that asked for it;
    empty for a person's wish. region: the part of the picture to be drawn anew, for INPAINT.
    """

    kind: RepairKind
    because: Text
    phrase: str = ""
    criterion: Criterion | None = None
    aspect: str = ""
    region: Box | None = None


class Mend(Value):
    """What became of one repair: whether the finding that asked for it had gone in the attempt that applied it.

    gone: None when nobody could check the finding again.
    """

    kind: RepairKind
    criterion: Criterion
    aspect: str = ""
    phrase: str = ""
    gone: bool | None


class Finding(Value):
    """One measured remark.

    aspect: which part of the criterion it is about ("hair", "scene", "sharpness"); the same defect has the same criterion and
    aspect in every attempt. region: where in the picture, when that is known. repair: what makes it go away, or of one that
    is not checked, what would let it be checked.
    score and threshold share a unit that `instrument` defines (None when there is no number); `seconds` and `cost_usd` are
    what the remark took; `question` and `raw` keep what a vision model was asked and answered.
    """

    criterion: Criterion
    outcome: Outcome
    instrument: Text
    explanation: Text
    score: float | None = None
    threshold: float | None = None
    aspect: str = ""
    region: Box | None = None
    repair: Repair | None = None
    seconds: float = Field(default=0.0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    question: str | None = None
    raw: str | None = None


class Rubric(Value):
    """Which criteria must be checked and may not fail.

    must_check: fails the verdict when it is `unanswered`. hold_on: a failure here is never retried, the post is held for a
    person. advisory: failures here are shown but do not fail the verdict, so none of them can be in the other two.
    """

    must_check: frozenset[Criterion] = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL})
    advisory: frozenset[Criterion] = frozenset()
    hold_on: frozenset[Criterion] = frozenset()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if both := self.advisory & (self.must_check | self.hold_on):
            raise ValueError(f"{', '.join(sorted(both))}: advisory, so it can neither be in must_check nor in hold_on")
        return self


class Verdict(Value):
    """Pass or fail, why in one sentence, and everything that was found; `mends` says what the attempt's repairs achieved."""

    passed: bool
    explanation: Text
    findings: tuple[Finding, ...]
    score: float = Field(ge=0.0, le=1.0, description="orders the attempts of one post; says nothing across posts")
    hold: bool = False
    mends: tuple[Mend, ...] = ()

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.outcome is Outcome.FAILED)


def outcome_of(criterion: Criterion, findings: Sequence[Finding]) -> Outcome:
    """Failed when any finding failed; passed when one passed and none failed; else not checked."""
    outcomes = {finding.outcome for finding in findings if finding.criterion is criterion}
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    return Outcome.PASSED if Outcome.PASSED in outcomes else Outcome.NOT_CHECKED


def _margin(finding: Finding) -> float:
    """How well one finding went, 0 to 1: the score beside its threshold where both are known."""
    if finding.outcome is Outcome.NOT_CHECKED:
        return 0.25
    if finding.score is None or finding.threshold is None or finding.threshold <= 0:
        return 1.0 if finding.outcome is Outcome.PASSED else 0.0
    if finding.outcome is Outcome.FAILED:
        return 0.5 * min(1.0, max(0.0, finding.score / finding.threshold))
    return 1.0


def unanswered(findings: Sequence[Finding], rubric: Rubric) -> tuple[Criterion, ...]:
    """The criteria of `must_check` that nobody checked, or of which a question stays open.

    What one instrument looked at and could not tell, which names a repair, is answered where another passed the same aspect;
    never in safety, where each judge must be sure, and never for one that broke or could not look.
    """
    answered = {(f.criterion, spelled(f.aspect)) for f in findings if f.outcome is Outcome.PASSED and f.aspect}
    answered = {question for question in answered if question[0] is not Criterion.SAFETY}
    checked = {f.criterion for f in findings if f.outcome is not Outcome.NOT_CHECKED}
    still_open = {
        f.criterion
        for f in findings
        if f.outcome is Outcome.NOT_CHECKED and not (f.repair and (f.criterion, spelled(f.aspect)) in answered)
    }
    return tuple(c for c in Criterion if c in rubric.must_check and (c not in checked or c in still_open))


def fold(findings: Sequence[Finding], rubric: Rubric) -> Verdict:
    """The verdict over all findings. Fails closed: a criterion of `must_check` that is `unanswered` counts as failed."""
    outcomes = {criterion: outcome_of(criterion, findings) for criterion in Criterion}
    grave = any(map(_is_grave, findings))
    # nobody's rubric makes these a mere remark
    binding = set(Criterion) - rubric.advisory | ({Criterion.SAFETY} if grave else set())
    failing = [c for c in Criterion if outcomes[c] is Outcome.FAILED and c in binding]
    unchecked = [c for c in unanswered(findings, rubric) if c not in failing]
    parts = []
    if failing:
        parts.append("failed: " + ", ".join(failing))
    if unchecked:
        parts.append("not checked though required: " + ", ".join(unchecked))
    passed_count = sum(outcome is Outcome.PASSED for outcome in outcomes.values())
    skipped = [c for c in Criterion if outcomes[c] is Outcome.NOT_CHECKED and c not in rubric.must_check]
    if not parts:
        parts.append(f"passed {passed_count} criteria")
    if skipped:
        parts.append("not checked: " + ", ".join(skipped))
    return Verdict(
        passed=not failing and not unchecked,
        explanation="; ".join(parts),
        findings=tuple(findings),
        score=sum(map(_margin, findings)) / len(findings) if findings else 0.0,
        hold=grave or any(c in rubric.hold_on for c in failing),
    )


def spelled(aspect: str) -> str:
    """The aspect in one spelling, whether its words were joined by spaces, hyphens or underscores."""
    return " ".join(aspect.casefold().replace("_", " ").replace("-", " ").split())


def _is_grave(finding: Finding) -> bool:
    failed = finding.criterion is Criterion.SAFETY and finding.outcome is Outcome.FAILED
    return failed and spelled(finding.aspect) in NEVER_RETRIED


def repairs_for(verdict: Verdict) -> tuple[Repair, ...]:
    """The repairs that the failed findings ask for, without repetition, in the findings' order, each naming its finding."""
    seen: dict[tuple[RepairKind, str], Repair] = {}
    for finding in verdict.failed:
        if finding.repair is not None:
            asked = {"criterion": finding.criterion, "aspect": finding.aspect, "region": finding.region}
            seen.setdefault((finding.repair.kind, finding.repair.phrase), finding.repair.model_copy(update=asked))
    return tuple(seen.values())
