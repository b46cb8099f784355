"""Voice drift: whether a caption sounds like the persona's own posts rather than like other people's.

    hers = [Sound(style(post), vector) for post in her_posts]
    drift(Sound(style(caption), vector), hers, others)     # a failed, passed or unchecked remark

Two things are held against her posts and against other voices: how it is written (style) and what it is about (vectors, where
there are any). The line is set by her posts themselves, each held against the rest. Vectors are unit vectors of any embedder;
it knows none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from zirelia.domain.text_remark import Remark, TextCriterion
from zirelia.domain.verdict import Outcome
from zirelia.domain.voice_style import FEATURES

LEAST_POSTS = 8
"""With fewer posts a threshold would be chance."""
SPREADS = 2.0
"""How many standard deviations below her posts' mean a caption may lie."""
OF_SUBJECT = 2.0
"""Weight of what it is about beside how it is written."""
_BORROWED_MEAN, _BORROWED_SPREAD = 2.0, 6.0
"""How many of her posts the other voices count for where her own are few."""
_FLOOR = 0.02
_MOST = 3.0
"""One odd feature alone decides nothing."""

Vector = Sequence[float]


@dataclass(frozen=True)
class Sound:
    """One text as it is compared. vector: empty where nothing embeds."""

    style: Vector
    vector: Vector = ()


def drift(caption: Sound, own: Sequence[Sound], others: Sequence[Sound]) -> Remark:
    """own: her approved and published captions and the pack's examples; others: posts in other voices."""
    if len(own) < LEAST_POSTS:
        why = f"{len(own)} posts are too few to know her voice; it takes {LEAST_POSTS}"
        return Remark(criterion=TextCriterion.VOICE, outcome=Outcome.NOT_CHECKED, explanation=why)
    judge = _Judge(others)
    line = judge.line(own)
    score = judge.score(caption, own)
    near = score >= line
    told = "sounds like her posts" if near else f"write more like the example posts: {judge.advice(caption, own)}"
    outcome = Outcome.PASSED if near else Outcome.FAILED
    return Remark(
        criterion=TextCriterion.VOICE, outcome=outcome, explanation=told, score=round(score, 3), threshold=round(line, 3)
    )


class _Judge:
    """Scores texts against the other voices; above 0 is nearer to her than to them."""

    def __init__(self, others: Sequence[Sound]) -> None:
        columns = list(zip(*(one.style for one in others), strict=True))
        self._means = [fmean(column) for column in columns]
        self._spreads = [_spread(column) + _FLOOR for column in columns]
        self._middle = _middle([one.vector for one in others])

    def line(self, own: Sequence[Sound]) -> float:
        """From what score a text counts as hers."""
        scores = [self.score(one, [*own[:at], *own[at + 1 :]]) for at, one in enumerate(own)]
        return fmean(scores) - SPREADS * stdev(scores)

    def score(self, one: Sound, own: Sequence[Sound]) -> float:
        likelier = [
            max(-_MOST, min(_MOST, _fit(x, *hers) - _fit(x, mean, spread)))
            for x, hers, mean, spread in zip(one.style, self._hers(own), self._means, self._spreads, strict=True)
        ]
        middle = _middle([other.vector for other in own])
        return fmean(likelier) + OF_SUBJECT * (_dot(one.vector, middle) - _dot(one.vector, self._middle))

    def advice(self, one: Sound, own: Sequence[Sound]) -> str:
        """The two features that are farthest from hers, as instructions."""
        away = [(x - mean) / spread for x, (mean, spread) in zip(one.style, self._hers(own), strict=True)]
        worst = sorted(range(len(away)), key=lambda at: -abs(away[at]))[:2]
        told = [FEATURES[at][0 if away[at] > 0 else 1] for at in worst if abs(away[at]) > 1]
        return ", ".join(told) or "the same kind of detail"

    def _hers(self, own: Sequence[Sound]) -> list[tuple[float, float]]:
        """Mean and spread of each feature of her posts, leaning on the other voices where her posts are few."""
        found = []
        for column, mean, spread in zip(zip(*(one.style for one in own), strict=True), self._means, self._spreads, strict=True):
            count = len(column)
            hers = (sum(column) + _BORROWED_MEAN * mean) / (count + _BORROWED_MEAN)
            squares = count * _spread(column) ** 2 + _BORROWED_SPREAD * spread**2
            found.append((hers, math.sqrt(squares / (count + _BORROWED_SPREAD))))
        return found


def _fit(x: float, mean: float, spread: float) -> float:
    return -0.5 * ((x - mean) / spread) ** 2 - math.log(spread)


def _spread(column: Sequence[float]) -> float:
    mean = fmean(column)
    return math.sqrt(fmean((x - mean) ** 2 for x in column))


def _middle(vectors: Sequence[Vector]) -> Vector:
    """The direction of the mean; empty or zeros where there is none."""
    middle = [sum(parts) for parts in zip(*vectors, strict=True)]
    size = math.sqrt(_dot(middle, middle))
    return [part / size for part in middle] if size else middle


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
