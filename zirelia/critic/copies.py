"""Which pictures of a set are nearly the same: recompressed, resized, mirrored or slightly cropped copies.

    near_copies([a, b, mirrored_a])         # (Copy(first=0, second=2, misfit=0.03, mirrored=True),)

Every pair is compared roughly at once (all crops of one picture with the other, at 16 pixels), and the few that agree are laid
over each other by `overlay`. Another shot in the same scene is no copy. It does not know which of two is the better one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zirelia.critic.duplicates import SAME
from zirelia.critic.overlay import GRID, misfit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

ROUGH = 16
ALIKE = 0.75
"""Correlation of two rough pictures from which they are compared in detail; copies that keep 85 per cent reach .8."""
KEPT = (1.0, 0.95, 0.9, 0.85)
PLACES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Copy:
    """Two places in the sequence, the first one earlier, and how badly the pictures differ where they differ most."""

    first: int
    second: int
    misfit: float
    mirrored: bool


def near_copies(images: Sequence[Image]) -> tuple[Copy, ...]:
    """Every pair of pictures that are nearly the same, in order."""
    if len(images) < 2:
        return ()
    small = [_small(image) for image in images]
    whole = np.concatenate([_rough(image, _windows()[:1]) for image in small])
    mirrored = whole.reshape(-1, ROUGH, ROUGH)[:, :, ::-1].reshape(whole.shape)
    alike = [_likeness(image, whole, mirrored) for image in small]
    found = []
    for first in range(len(small)):
        for second in range(first + 1, len(small)):
            near = np.maximum(alike[first][second], alike[second][first]) >= ALIKE
            copy = _compared(small, first, second, near)
            if copy is not None:
                found.append(copy)
    return tuple(found)


def _compared(small: Sequence[Image], first: int, second: int, near: NDArray[np.bool_]) -> Copy | None:
    from PIL import ImageOps

    sides = [(False, small[first])] if near[0] else []
    sides += [(True, ImageOps.mirror(small[first]))] if near[1] else []
    laid = [Copy(first, second, misfit(side, small[second]), mirrored) for mirrored, side in sides]
    best = min(laid, key=lambda copy: copy.misfit, default=None)
    return best if best is not None and best.misfit < SAME else None


def _small(image: Image) -> Image:
    """Small enough to be compared often; `misfit` looks at no more."""
    from PIL import Image as Pillow

    return image.convert("RGB").resize((2 * GRID, 2 * GRID), Pillow.Resampling.LANCZOS, reducing_gap=2.0)


def _likeness(image: Image, whole: NDArray[np.float32], mirrored: NDArray[np.float32]) -> NDArray[np.float32]:
    """How well the best crop of a picture agrees with each other picture, as it is and mirrored; shape [pictures, 2]."""
    crops = _rough(image, _windows())
    return np.stack([(whole @ crops.T).max(axis=1), (mirrored @ crops.T).max(axis=1)], axis=1)


def _rough(image: Image, windows: Sequence[tuple[float, float, float, float]]) -> NDArray[np.float32]:
    """Each window of a picture in 16 x 16 greys, levelled to length 1; shape [windows, 256]."""
    from PIL import Image as Pillow

    side = image.width
    grey = image.convert("L")
    views = [
        np.asarray(
            grey.resize((ROUGH, ROUGH), Pillow.Resampling.BOX, box=(left * side, top * side, right * side, bottom * side))
        )
        for left, top, right, bottom in windows
    ]
    return _levelled(np.stack(views).astype(np.float32))


def _levelled(views: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = views.reshape(len(views), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    levelled: NDArray[np.float32] = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + ROUGH)
    return levelled


def _windows() -> tuple[tuple[float, float, float, float], ...]:
    """Left, top, right, bottom of every crop that is tried, as shares; the whole picture first."""
    spans = [(place * (1 - kept), place * (1 - kept) + kept) for kept in KEPT for place in (PLACES if kept < 1 else (0.0,))]
    return tuple((left, top, right, bottom) for left, right in spans for top, bottom in spans)
