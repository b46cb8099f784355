"""Shares with their uncertainty, and how well a score tells two groups apart.

    Share(38, 40).interval        # (0.835, 0.986): Wilson, 95 per cent
    roc([0.9, 0.8], [0.1])        # points (false accepts, true accepts), and `area` below them

Numbers in, numbers out; it does not know what was counted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Z = 1.959964
"""The normal deviate of a two-sided interval of 95 per cent."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Share:
    """`count` of `of`. Raises ValueError when that is no share."""

    count: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.of:
            raise ValueError(f"{self.count} of {self.of} is no share")

    @classmethod
    def of_those(cls, outcomes: Iterable[bool]) -> Share:
        listed = list(outcomes)
        return cls(sum(listed), len(listed))

    @property
    def value(self) -> float:
        """NaN of nothing."""
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 per cent interval; everything is possible of nothing."""
        if not self.of:
            return (0.0, 1.0)
        n, p = self.of, self.value
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        return (0.0 if self.count == 0 else max(0.0, middle - half), 1.0 if self.count == n else min(1.0, middle + half))

    def __str__(self) -> str:
        if not self.of:
            return "-"
        low, high = self.interval
        return f"{percent(self.value)} ({_bare(low)}-{_bare(high)})"


def percent(share: float) -> str:
    """One decimal between 0 and 10 per cent and above 99, none elsewhere."""
    return f"{_bare(share)} %"


def _bare(share: float) -> str:
    share = round(share, 6)  # 0.04 / 0.4 is a hair below a tenth
    fine = 0 < share < 0.1 or 0.99 < share < 1
    return f"{100 * share:.1f}" if fine else f"{100 * share:.0f}"


def quantile(numbers: Sequence[float], share: float) -> float:
    """Linear between the sorted numbers; NaN of none."""
    if not numbers:
        return math.nan
    ordered = sorted(numbers)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def roc(same: Sequence[float], others: Sequence[float]) -> list[Point]:
    """From (0, 0) to (1, 1): the share of `others`, and of `same`, at or above each threshold; empty when either is."""
    if not same or not others:
        return []
    points = [(0.0, 0.0)]
    for line in sorted({*same, *others}, reverse=True):
        points.append((sum(s >= line for s in others) / len(others), sum(s >= line for s in same) / len(same)))
    return points


def area(points: Sequence[Point]) -> float:
    """Below the curve: 1 tells all apart, 0.5 is chance."""
    return sum((right[0] - left[0]) * (right[1] + left[1]) / 2 for left, right in itertools.pairwise(points))


@dataclass(frozen=True)
class Bin:
    """Answers of about one certainty: the mean of what was claimed, and how many were right."""

    claimed: float
    right: Share


def reliability(answers: Iterable[tuple[float, bool]], edges: Sequence[float]) -> list[Bin]:
    """Answers (certainty, right) in bins between the edges, the last one closed; empty bins are left out."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in edges[1:]]
    for certainty, right in answers:
        for number, (low, high) in enumerate(itertools.pairwise(edges)):
            if low <= certainty < high or (certainty == high == edges[-1]):
                bins[number].append((certainty, right))
                break
    return [Bin(sum(c for c, _ in held) / len(held), Share.of_those(r for _, r in held)) for held in bins if held]
