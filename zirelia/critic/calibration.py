"""Where the line between this persona and everybody else lies, measured and not assumed.

    calibrate(own, impostors, floor=encoder.threshold, embedder="looks 3")
    # Calibration(embedder="looks 3", threshold=0.41, false_accept=0.01, false_reject=0.0, n=16, ...)
    calibrate(own, impostors, floor=reader.threshold, embedder="dlib", yaws=(0.0, 4.0, 41.0, 38.0, -44.0)).line(40.0)

`own` are embeddings of the persona's references, `impostors` those of other people; rows are unit vectors. Pure numpy; it
does not know which embedder made them, and what it says of look-alikes is only as good as the bank of impostors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zirelia.domain.calibration import FRONTAL, Calibration, YawLine

FALSE_ACCEPT = 0.01
"""Share of impostors that may pass."""
MARGIN = 1 / 3
"""How far the line rises from the impostors towards the least like of the persona's own pictures."""
LAXER = 1.2
"""How much further from the middle (1 - cosine) a head that is turned away may lie when nothing was measured, and at most."""
FEWEST_TURNED = 3
"""References turned that far, from which their own line is measured."""
_ROUNDING = 1e-3
TURNS = (FRONTAL, 40.0)
"""Degrees at which a laxer line may begin: the three-quarter view, and what lies beyond it."""


def centroid(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unit vector in the middle. Raises ValueError when they cancel out, are none, or hold NaN."""
    middle = embeddings.mean(axis=0) if len(embeddings) else np.zeros(1, dtype=np.float32)
    length = float(np.linalg.norm(middle))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError("the embeddings have no middle: none, cancelling or not finite")
    unit: NDArray[np.float32] = (middle / length).astype(np.float32)
    return unit


def is_cosine(score: float) -> bool:
    """Whether the product of two embeddings can be one: a longer vector, or NaN, would pass any line."""
    return abs(score) <= 1 + _ROUNDING


def laxest(floor: float) -> float:
    """The lowest line for a head that is turned away, with an embedder whose own threshold is `floor`."""
    return 1 - LAXER * (1 - floor)


def calibrate(
    own: NDArray[np.float32],
    impostors: NDArray[np.float32],
    *,
    floor: float = 0.0,
    embedder: str,
    yaws: Sequence[float | None] | None = None,
) -> Calibration:
    """The threshold, not below `floor`, that at most one impostor in a hundred reaches, and where the persona's own pictures
    lie above that, a third of the way towards the least like of them: room for look-alikes that are not in the bank.

    Args:
        own: [n, d], n at least 1. impostors: [m, d], m may be 0; below 100 of them none may pass.
        floor: the embedder's own threshold, for personas without many impostors around them.
        embedder: its name and version.
        yaws: how far the head is turned in each of `own`, in degrees, None where nobody knows; without them no line is laxer.

    Raises ValueError for no references, embeddings without a middle, or another number of yaws than references.
    """
    if yaws is not None and len(yaws) != len(own):
        raise ValueError(f"{len(own)} references, but {len(yaws)} yaws")
    middle = centroid(own)
    strangers = impostors @ middle if len(impostors) else np.zeros(0, dtype=np.float32)
    if not np.isfinite(strangers).all():
        raise ValueError("the embeddings of the impostors are not finite")
    line = floor
    if len(strangers):
        allowed = int(FALSE_ACCEPT * len(strangers))
        # just above the first stranger who may not pass
        line = max(floor, float(np.nextafter(np.sort(strangers)[::-1][allowed], np.float32(np.inf))))
    alone = _left_out(own)
    turns = np.array([abs(yaw) if yaw is not None else 0.0 for yaw in yaws or [None] * len(own)])
    facing = alone[turns < FRONTAL] if len(alone) else alone
    threshold = line
    if len(facing) and len(strangers):
        threshold += max(0.0, float(facing.min()) - line) * MARGIN
    measured = Calibration(
        embedder=embedder,
        threshold=threshold,
        floor=floor,
        false_accept=float((strangers >= threshold).mean()) if len(strangers) else None,
        n=len(own),
        impostors=len(strangers),
        turned=() if yaws is None else _turned(alone, turns, strict=threshold, line=line, floor=floor),
    )
    if not len(alone):
        return measured
    refused = [score < measured.line(yaw) for score, yaw in zip(alone, turns, strict=True)]
    return measured.model_copy(update={"false_reject": float(np.mean(refused))})


def _left_out(own: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each reference's cosine to the middle of the others; none for a single one."""
    if len(own) < 2:
        return np.zeros(0)
    return np.array([float(row @ centroid(np.delete(own, at, axis=0))) for at, row in enumerate(own)])


def _turned(
    alone: NDArray[np.float64], turns: NDArray[np.float64], *, strict: float, line: float, floor: float
) -> tuple[YawLine, ...]:
    """The laxer lines. None lies below the general laxness of the floor, nor where the impostors begin.

    Measured: a third of the way down from the strict line is kept as room below the least like of the references that are
    turned that far. Without enough of them, the general laxness from the first turn on.
    """
    lowest = min(strict, max(laxest(floor), line if line > floor else -1.0))
    lines = []
    for turn in TURNS:
        scores = alone[turns >= turn] if len(alone) else alone
        if len(scores) >= FEWEST_TURNED:
            below = float(scores.min()) - MARGIN * max(0.0, strict - float(scores.min()))
            lines.append(YawLine(yaw=turn, threshold=min(strict, max(lowest, below)), n=len(scores)))
    if lines:
        return tuple(lines)
    return (YawLine(yaw=TURNS[0], threshold=lowest, n=0),)
