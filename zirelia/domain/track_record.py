"""How the critic has done so far: what each instrument was asked and took, and how many posts passed in how many attempts.

    instruments(judged)     # asked, failed, not checked and why, milliseconds, cost
    pass_rates(judged)      # persona → first attempt, within three

Counts what is stored. Knows nothing of people's decisions, which `domain.tuning` holds against the scores.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median

from zirelia.domain.tuning import JudgedPost, Rate
from zirelia.domain.value import Value
from zirelia.domain.verdict import Finding, Outcome

ATTEMPTS = 3
"""Pictures of one round."""
REASONS = 5
"""Reasons for not checking that are kept, the most frequent ones."""


class InstrumentRecord(Value):
    """One instrument over all stored verdicts.

    asked: pictures it spoke of; failed and not_checked: pictures with at least one such remark. reasons: why it could not
    check → how many remarks. The milliseconds are those of one picture.
    """

    instrument: str
    asked: int
    failed: int
    not_checked: int
    reasons: tuple[tuple[str, int], ...]
    median_ms: float
    p95_ms: float
    cost_usd: float


class PassRates(Value):
    """Posts whose first picture passed, and those of which one of the first three did."""

    persona: str
    first: Rate
    within_three: Rate


def instruments(judged: Sequence[JudgedPost]) -> tuple[InstrumentRecord, ...]:
    """One record for each instrument that ever spoke, in order of their names."""
    spoken: dict[str, list[list[Finding]]] = defaultdict(list)
    for known in judged:
        for attempt in known.post.attempts:
            own: dict[str, list[Finding]] = defaultdict(list)
            for finding in attempt.verdict.findings if attempt.verdict else ():
                own[finding.instrument].append(finding)
            for name, findings in own.items():
                spoken[name].append(findings)
    return tuple(_record(name, spoken[name]) for name in sorted(spoken))


def pass_rates(judged: Sequence[JudgedPost]) -> tuple[PassRates, ...]:
    """One line for each persona with a judged picture, in order of their names."""
    counts: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for known in judged:
        passed = [a.verdict.passed for a in known.post.attempts if a.verdict is not None][:ATTEMPTS]
        if passed:
            counts[known.post.persona].append((passed[0], any(passed)))
    return tuple(
        PassRates(
            persona=name,
            first=Rate(hits=sum(first for first, _ in said), of=len(said)),
            within_three=Rate(hits=sum(some for _, some in said), of=len(said)),
        )
        for name, said in sorted(counts.items())
    )


def _record(name: str, pictures: Sequence[Sequence[Finding]]) -> InstrumentRecord:
    remarks = [finding for picture in pictures for finding in picture]
    milliseconds = sorted(1000 * sum(finding.seconds for finding in picture) for picture in pictures)
    reasons = Counter(finding.explanation for finding in remarks if finding.outcome is Outcome.NOT_CHECKED)
    return InstrumentRecord(
        instrument=name,
        asked=len(pictures),
        failed=sum(any(f.outcome is Outcome.FAILED for f in picture) for picture in pictures),
        not_checked=sum(any(f.outcome is Outcome.NOT_CHECKED for f in picture) for picture in pictures),
        reasons=tuple(reasons.most_common(REASONS)),
        median_ms=median(milliseconds),
        p95_ms=milliseconds[max(0, math.ceil(0.95 * len(milliseconds)) - 1)],
        cost_usd=sum(finding.cost_usd for finding in remarks),
    )
