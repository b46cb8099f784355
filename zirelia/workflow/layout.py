"""How pictures are alike by their layout: small grey thumbnails compared, blind to who is in them.

    likeness(thumbnail(a), thumbnail(b))      # 1 for the same picture, 0 for unrelated ones
    diversity([thumbnail(a), thumbnail(b)])   # 0 when all are the same

A LoRA that paints its training pictures again is caught so even where the face is right. It knows no model.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 16
_FLAT = 1e-3
"""Standard deviation (0-1) below which a thumbnail has no layout."""


def thumbnail(image: Image) -> NDArray[np.float32]:
    """Grey, SIDE x SIDE, each value the mean of its area, in [0, 1]; shape [SIDE * SIDE]."""
    from PIL import Image as Pictures

    small = image.convert("L").resize((SIDE, SIDE), Pictures.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).reshape(-1) / 255.0


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation of two thumbnails, opposites and flat ones counted as 0; in [0, 1]. Brightness and contrast do not matter."""
    if min(float(one.std()), float(other.std())) < _FLAT:
        return 0.0
    a, b = one - one.mean(), other - other.mean()
    correlation = float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
    return min(1.0, max(0.0, correlation))


def nearest(one: NDArray[np.float32], others: Sequence[NDArray[np.float32]]) -> float | None:
    """The likeness to the most alike of the others; None without any."""
    return max((likeness(one, other) for other in others), default=None)


def diversity(thumbnails: Sequence[NDArray[np.float32]]) -> float | None:
    """Mean root-mean-square difference of all pairs, in [0, 1]; None for fewer than two."""
    pairs = list(itertools.combinations(thumbnails, 2))
    if not pairs:
        return None
    return statistics.fmean(float(np.sqrt(np.mean((one - other) ** 2))) for one, other in pairs)
