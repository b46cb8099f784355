"""What another threshold would have done: stored scores held against what people decided of the same pictures.

    for line in lines(judged):
        tuned = tune(line, judged, rubrics)
        tuned.suggestion          # None, and tuned.because says "too few decisions"

A line is one instrument's remark on one aspect of one criterion. Only the picture that a person saw is held against the
decision. Knows no pictures; it cannot know which of a refused picture's defects a person meant.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.post import Post
from zirelia.domain.shot import Attempt
from zirelia.domain.value import Value
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric, fold

FEWEST = 10
"""Approved and refused pictures each, below which nothing is suggested."""
SWEEP = 9
"""Thresholds that are tried besides the present ones."""
_Z = 1.959964


class JudgedPost(NamedTuple):
    """A post with its attempts' verdicts, and what people decided of it, oldest first."""

    post: Post
    decisions: tuple[Decision, ...]

    @property
    def wanted(self) -> bool | None:
        """Whether a person let the chosen picture pass: the last approval or rejection; None when nobody decided."""
        final = [d.kind for d in self.decisions if d.kind in {DecisionKind.APPROVE, DecisionKind.REJECT}]
        return final[-1] is DecisionKind.APPROVE if final else None


class Side(StrEnum):
    """On which side of its threshold a score passes."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class Line(NamedTuple):
    """Which remarks belong together."""

    instrument: str
    criterion: Criterion
    aspect: str

    def holds(self, finding: Finding) -> bool:
        """Whether the finding is of this line and was measured."""
        return (
            (finding.instrument, finding.criterion, finding.aspect) == self
            and finding.score is not None
            and finding.threshold is not None
            and finding.outcome is not Outcome.NOT_CHECKED
        )


class Rate(Value):
    """`hits` of `of`, with the 95 % interval of Wilson; without any, nothing is known: 0 to 1."""

    hits: int = Field(ge=0)
    of: int = Field(ge=0)

    @property
    def share(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        share, square = self.hits / self.of, _Z**2 / self.of
        middle = (share + square / 2) / (1 + square)
        half = _Z / (1 + square) * math.sqrt(share * (1 - share) / self.of + square / (4 * self.of))
        return max(0.0, middle - half), min(1.0, middle + half)


class Tried(Value):
    """One threshold over all stored scores of a line; None stands for those that were in force.

    findings, verdicts: how many would turn from pass to fail or back. agreement: pictures on which line and person agree;
    false_rejects: approved pictures that the line fails; false_accepts: refused ones that it passes.
    """

    threshold: float | None
    findings: int
    verdicts: int
    agreement: Rate
    false_rejects: Rate
    false_accepts: Rate


class Tuned(Value):
    """What is known of one line. present: the thresholds that were in force. suggestion: None, `because` says why."""

    instrument: str
    criterion: Criterion
    aspect: str
    count: int
    side: Side | None
    present: tuple[float, ...]
    approved: int
    refused: int
    tried: tuple[Tried, ...]
    suggestion: float | None = None
    because: str


def lines(judged: Sequence[JudgedPost]) -> tuple[Line, ...]:
    """Every line that has a score beside a threshold, in order of instrument, criterion and aspect."""
    found = {
        line
        for _, attempt in _attempts(judged)
        for finding in _findings(attempt)
        if (line := Line(finding.instrument, finding.criterion, finding.aspect)).holds(finding)
    }
    return tuple(sorted(found))


def tune(line: Line, judged: Sequence[JudgedPost], rubrics: Mapping[str, Rubric], thresholds: Sequence[float] = ()) -> Tuned:
    """What `thresholds`, or a sweep over the stored scores, would have done.

    rubrics: persona → its rubric; one that is not named is judged by the standard one.
    """
    measured = [finding for _, attempt in _attempts(judged) for finding in _findings(attempt) if line.holds(finding)]
    side = side_of(measured)
    present = tuple(sorted({finding.threshold for finding in measured if finding.threshold is not None}))
    decided = [known for known in judged if known.wanted is not None and _seen(known, line)]
    approved = sum(bool(known.wanted) for known in decided)
    about = {
        "instrument": line.instrument,
        "criterion": line.criterion,
        "aspect": line.aspect,
        "count": len(measured),
        "side": side,
        "present": present,
        "approved": approved,
        "refused": len(decided) - approved,
    }
    if side is None:
        return Tuned(**about, tried=(), because="its scores do not lie on one side of their thresholds, so none can be moved")
    wanted = tuple(dict.fromkeys(thresholds)) or _sweep([f.score for f in measured if f.score is not None])
    tried = tuple(_try(line, side, judged, decided, rubrics, threshold) for threshold in (None, *wanted))
    suggestion, because = _suggested(tried, approved, len(decided) - approved)
    return Tuned(**about, tried=tried, suggestion=suggestion, because=because)


def side_of(findings: Sequence[Finding]) -> Side | None:
    """The side on which the measured findings passed; None when they contradict each other."""
    kept = [f for f in findings if f.score is not None and f.threshold is not None]
    for side in Side:
        if all(_passes(side, f.score, f.threshold) is (f.outcome is Outcome.PASSED) for f in kept):
            return side
    return None


def _passes(side: Side, score: float | None, threshold: float | None) -> bool:
    if score is None or threshold is None:
        return False
    return score >= threshold if side is Side.AT_LEAST else score <= threshold


def _moved(finding: Finding, line: Line, side: Side, threshold: float | None) -> Finding:
    """The finding as it would be at that threshold."""
    if threshold is None or not line.holds(finding):
        return finding
    outcome = Outcome.PASSED if _passes(side, finding.score, threshold) else Outcome.FAILED
    return finding.model_copy(update={"outcome": outcome, "threshold": threshold})


def _try(
    line: Line,
    side: Side,
    judged: Sequence[JudgedPost],
    decided: Sequence[JudgedPost],
    rubrics: Mapping[str, Rubric],
    threshold: float | None,
) -> Tried:
    flipped = verdicts = 0
    for post, attempt in _attempts(judged):
        before = _findings(attempt)
        after = [_moved(finding, line, side, threshold) for finding in before]
        changed = sum(new.outcome is not old.outcome for new, old in zip(after, before, strict=True))
        flipped += changed
        if changed:
            rubric = rubrics.get(post.persona, Rubric())
            verdicts += fold(before, rubric).passed is not fold(after, rubric).passed
    said = [(bool(known.wanted), _line_passes(known, line, side, threshold)) for known in decided]
    approved = [passes for wanted, passes in said if wanted]
    refused = [passes for wanted, passes in said if not wanted]
    return Tried(
        threshold=threshold,
        findings=flipped,
        verdicts=verdicts,
        agreement=Rate(hits=sum(wanted is passes for wanted, passes in said), of=len(said)),
        false_rejects=Rate(hits=approved.count(False), of=len(approved)),
        false_accepts=Rate(hits=refused.count(True), of=len(refused)),
    )


def _line_passes(known: JudgedPost, line: Line, side: Side, threshold: float | None) -> bool:
    return all(_moved(finding, line, side, threshold).outcome is Outcome.PASSED for finding in _seen(known, line))


def _seen(known: JudgedPost, line: Line) -> list[Finding]:
    """The line's findings of the picture that the person decided on."""
    chosen = known.post.chosen_attempt
    return [finding for finding in _findings(chosen) if line.holds(finding)] if chosen else []


def _suggested(tried: Sequence[Tried], approved: int, refused: int) -> tuple[float | None, str]:
    if min(approved, refused) < FEWEST:
        return None, f"too few decisions: {approved} approved and {refused} refused, {FEWEST} of each are needed"
    present, *others = tried
    best = max(others, key=lambda one: one.agreement.hits, default=None)
    if best is None or best.threshold is None or best.agreement.hits <= present.agreement.hits:
        return None, f"no threshold that was tried agrees with people more often than {_said(present.agreement)}"
    low, _ = best.agreement.interval
    if low <= (present.agreement.share or 0.0):
        return None, (
            f"{best.threshold:.3g} would agree on {_said(best.agreement)} instead of {_said(present.agreement)}, "
            "which may be chance"
        )
    return best.threshold, f"agrees with people on {_said(best.agreement)} instead of {_said(present.agreement)}"


def _said(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.hits} of {rate.of} ({low:.0%}-{high:.0%})"


def _sweep(scores: Sequence[float]) -> tuple[float, ...]:
    """Thresholds between neighbouring scores, spread evenly over their order."""
    ordered = sorted(set(scores))
    between = [(low + high) / 2 for low, high in itertools.pairwise(ordered)] or ordered
    if len(between) <= SWEEP:
        return tuple(between)
    return tuple(between[round(index * (len(between) - 1) / (SWEEP - 1))] for index in range(SWEEP))


def _attempts(judged: Sequence[JudgedPost]) -> list[tuple[Post, Attempt]]:
    return [(known.post, attempt) for known in judged for attempt in known.post.attempts if attempt.verdict is not None]


def _findings(attempt: Attempt) -> tuple[Finding, ...]:
    return attempt.verdict.findings if attempt.verdict else ()
