"""Whether the pictures of a set show one person, measured on the set itself.

    found = likeness(embeddings, floor=recogniser.threshold)            # each against the middle of the others
    found = likeness(embeddings, floor=recogniser.threshold, anchors=known)
    found.scores[3] >= found.line

Rows are unit vectors. Pure numpy: it knows neither pictures nor the recogniser that made the vectors.

Strangers in the set must not shift its middle, so the person is found first: the picture that is most like the others
(medoid), then the pictures above the line around it, again until they no longer change. The line is never below `floor`,
which holds for people in general. Where the set lies closer together it rises, to five robust standard deviations below the
median of the person's own scores, though never beyond half of the way from the floor to that median: a set of near-equal
pictures must not refuse the first one that varies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zirelia.critic.calibration import centroid, laxest

FEWEST = 3
"""Of two pictures that differ nobody can say which one is the stranger."""
DEVIATIONS = 5.0
MOST_RAISED = 0.5
_ROUNDS = 20


@dataclass(frozen=True)
class Likeness:
    """scores: each row's cosine to the person, itself left out. line: the strict threshold; laxer: that of a turned head."""

    scores: NDArray[np.float64]
    line: float
    laxer: float


def likeness(embeddings: NDArray[np.float32], *, floor: float, anchors: NDArray[np.float32] | None = None) -> Likeness:
    """Scores and lines of a set.

    Args:
        embeddings: [n, d]. floor: the recogniser's own threshold. anchors: [m, d] of pictures that certainly show the person;
            with them n may be anything, and the scores are held against their middle.

    Raises ValueError, in words for a person, when identity cannot be told: fewer than three pictures without anchors, nobody
    in more than half of them, or embeddings that are not finite.
    """
    if not np.isfinite(embeddings).all():
        raise ValueError("the recogniser's numbers are not finite")
    laxer = laxest(floor)
    if anchors is not None:
        scores = embeddings.astype(np.float64) @ centroid(anchors).astype(np.float64)
        return Likeness(scores, _line(scores[scores >= floor], floor), laxer)
    if len(embeddings) < FEWEST:
        raise ValueError(f"identity cannot be told from fewer than {FEWEST} pictures without a start picture")
    core = _around_the_medoid(embeddings, floor)
    for _ in range(_ROUNDS):
        scores = _left_out(embeddings, core)
        line = _line(scores[core], floor)
        again = scores >= line
        if (again == core).all():
            break
        core = _majority(again)
    return Likeness(scores, line, laxer)


def _around_the_medoid(embeddings: NDArray[np.float32], floor: float) -> NDArray[np.bool_]:
    pairs = embeddings.astype(np.float64) @ embeddings.T.astype(np.float64)
    return _majority(pairs[int(np.median(pairs, axis=1).argmax())] >= floor)


def _majority(core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if int(core.sum()) < FEWEST or 2 * int(core.sum()) <= len(core):
        raise ValueError("no one person is recognised in more than half of the pictures")
    return core


def _left_out(embeddings: NDArray[np.float32], core: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The cosine of each row to the middle of the core, without the row itself."""
    rows = embeddings.astype(np.float64)
    middles = rows[core].sum(axis=0) - np.where(core[:, None], rows, 0.0)
    lengths = np.maximum(np.linalg.norm(middles, axis=1), 1e-9)
    cosines: NDArray[np.float64] = (rows * middles).sum(axis=1) / lengths
    return cosines


def _line(own: NDArray[np.float64], floor: float) -> float:
    """The strict threshold, from the scores of those that are taken to be the person."""
    if len(own) < FEWEST:
        return floor
    usual = float(np.median(own))
    deviation = 1.4826 * float(np.median(np.abs(own - usual)))
    return max(floor, min(usual - DEVIATIONS * deviation, floor + MOST_RAISED * (usual - floor)))
