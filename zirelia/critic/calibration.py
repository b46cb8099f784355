"""Where the line between this persona and everybody else lies, measured and not assumed.

    calibrate(own, impostors, floor=encoder.threshold)
    # Calibration(threshold=0.41, false_accept=0.01, false_reject=0.0, n=16)

`own` are embeddings of the persona's references, `impostors` those of other characters; rows are unit vectors. Pure numpy; it
does not know which encoder made them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FALSE_ACCEPT = 0.01
MARGIN = 1 / 3
"""Share of impostors that may pass."""
USELESS = 0.5
"""When more than this share of the references would be refused, the encoder cannot tell this persona from others."""


@dataclass(frozen=True)
class Calibration:
    """threshold: cosine to the centroid from which a picture counts as the persona.

    false_accept: share of impostors at or above it (None without impostors); false_reject: share of references below it, each
    measured against the centroid of the others (None for a single reference); n: number of references.
    """

    threshold: float
    false_accept: float | None
    false_reject: float | None
    n: int

    @property
    def separates(self) -> bool:
        """Whether the encoder knows this persona apart from others at all."""
        return self.false_reject is None or self.false_reject <= USELESS


def centroid(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unit vector in the middle. Raises ValueError when they cancel out, are none, or hold NaN."""
    middle = embeddings.mean(axis=0) if len(embeddings) else np.zeros(1, dtype=np.float32)
    length = float(np.linalg.norm(middle))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError("the embeddings have no middle: none, cancelling or not finite")
    unit: NDArray[np.float32] = (middle / length).astype(np.float32)
    return unit


def calibrate(own: NDArray[np.float32], impostors: NDArray[np.float32], *, floor: float = 0.0) -> Calibration:
    """The threshold, not below `floor`, that at most one impostor in a hundred reaches, and where the persona's own pictures
    lie above that, a third of the way towards the least like of them: room for look-alikes that are not in the bank.

    Args:
        own: [n, d], n at least 1. impostors: [m, d], m may be 0; below 100 of them none may pass.
        floor: the encoder's own threshold, for personas without many impostors around them.

    Raises ValueError for no references or embeddings without a middle.
    """
    middle = centroid(own)
    threshold = floor
    strangers = impostors @ middle if len(impostors) else np.zeros(0, dtype=np.float32)
    if len(strangers):
        allowed = int(FALSE_ACCEPT * len(strangers))
        # just above the first stranger who may not pass
        threshold = max(floor, float(np.nextafter(np.sort(strangers)[::-1][allowed], np.float32(np.inf))))
    alone = [float(own[i] @ centroid(np.delete(own, i, axis=0))) for i in range(len(own))] if len(own) > 1 else []
    if alone and len(strangers):
        threshold += max(0.0, min(alone) - threshold) * MARGIN
    return Calibration(
        threshold=threshold,
        false_accept=float((strangers >= threshold).mean()) if len(strangers) else None,
        false_reject=float((np.array(alone) < threshold).mean()) if alone else None,
        n=len(own),
    )
