"""Lays one picture over another at several crops and says how badly the worst parts of the best fit differ.

    misfit(picture, cropped_and_recompressed)      # below .5: the same picture
    misfit(picture, another_shot_in_the_same_scene)  # above .6

Brightness and contrast are taken out first. It knows nothing of mirrors (the caller turns one picture) and nothing of posts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

GRID = 96
"""Side of the soft square that each picture becomes; views are sampled from it."""
COARSE, FINE = 16, 32
"""Sides of a view in the search and in the judgement."""
BLOCKS = 8
WORST = 3
"""The judgement: the mean of the worst 3 of 8 x 8 parts, so that a changed shirt or face is not averaged away."""
HOPELESS, UNRELATED = 0.35, 1.0
"""Copies fit within .2 as a whole at the best place of the search; beyond the first, the second is answered without nudging."""
KEPT = (1.0, 0.95, 0.9, 0.85)
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
NUDGE = 0.02

Window = tuple[float, float, float, float]
"""Left, top, width and height of a crop as shares of the picture."""


@dataclass(frozen=True)
class Overlay:
    """All of a picture that `misfit` looks at.

    square: soft and small, shape [GRID, GRID, 3]. views: every crop of the search in levelled greys, shape [windows, COARSE²],
    the whole picture first.
    """

    square: NDArray[np.float32]
    views: NDArray[np.float32]


def overlay(image: Image) -> Overlay:
    """What is worth keeping of a picture that is compared often; 270 kB."""
    from PIL import Image as Pillow
    from PIL import ImageFilter

    small = image.convert("RGB").resize((GRID, GRID), Pillow.Resampling.LANCZOS)
    square = np.asarray(small.filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float32)
    views = _levelled(_views(square.mean(-1, keepdims=True), _windows(), COARSE))
    return Overlay(square, views.reshape(len(views), -1))


def misfit(first: Image, second: Image) -> float:
    """How different two pictures are where they differ most, in standard deviations; 0 is equal, unrelated ones exceed 1.

    Either may be a crop of the other that keeps at least about 85 per cent of each side.
    """
    return misfit_of(overlay(first), overlay(second))


def misfit_of(one: Overlay, other: Overlay) -> float:
    """As `misfit`, for pictures whose overlays are known already."""
    return min(_as_crop(one, other), _as_crop(other, one))


def _as_crop(part: Overlay, whole: Overlay) -> float:
    """The misfit of `part` with the crop of `whole` that fits it best."""
    target = part.views[0]
    # the mean squared difference of each crop and the part, by one product
    errors = ((whole.views**2).sum(1) + (target**2).sum() - 2 * (whole.views @ target)) / len(target)
    rough = float(np.sqrt(max(0.0, float(errors.min()))))
    if rough > HOPELESS:
        return UNRELATED
    errors = _errors(part.square, whole.square, _nudged(_windows()[int(errors.argmin())]), FINE)
    fit = errors[int(errors.mean((1, 2)).argmin())]
    step = FINE // BLOCKS
    blocks = np.sort(fit.reshape(BLOCKS, step, BLOCKS, step).mean((1, 3)).ravel())
    return float(np.sqrt(blocks[-WORST:].mean()))


def _errors(
    part: NDArray[np.float32], whole: NDArray[np.float32], windows: tuple[Window, ...], side: int
) -> NDArray[np.float32]:
    """Squared differences, normalised, shape [windows, side, side]."""
    target = _levelled(_views(part, ((0.0, 0.0, 1.0, 1.0),), side))
    errors: NDArray[np.float32] = ((_levelled(_views(whole, windows, side)) - target) ** 2).mean(-1)
    return errors


def _views(square: NDArray[np.float32], windows: tuple[Window, ...], side: int) -> NDArray[np.float32]:
    """The windows of a picture, each sampled at side x side points; shape [windows, side, side, channels]."""
    left, top, width, height = np.array(windows).T[:, :, None]
    centres = (np.arange(side) + 0.5) / side
    columns = np.clip(((left + centres * width) * GRID).astype(np.intp), 0, GRID - 1)
    rows = np.clip(((top + centres * height) * GRID).astype(np.intp), 0, GRID - 1)
    views: NDArray[np.float32] = square[rows[:, :, None], columns[:, None, :]]
    return views


def _levelled(views: NDArray[np.float32]) -> NDArray[np.float32]:
    axes = (-3, -2, -1)
    levelled: NDArray[np.float32] = (views - views.mean(axes, keepdims=True)) / (views.std(axes, keepdims=True) + 1.0)
    return levelled


@cache
def _windows() -> tuple[Window, ...]:
    """Every crop of the search: each axis keeps a share of itself, at one of PLACES."""
    spans = [(place * (1 - kept), kept) for kept in KEPT for place in (PLACES if kept < 1 else (0.0,))]
    return tuple((left, top, width, height) for left, width in spans for top, height in spans)


def _nudged(window: Window) -> tuple[Window, ...]:
    """The window and its neighbours, moved and resized a little."""
    steps = (-NUDGE, 0.0, NUDGE)
    left, top, width, height = window
    return tuple(
        (left + x, top + y, min(1.0, width + w), min(1.0, height + h))
        for x in steps
        for y in steps
        for w in steps
        for h in steps
    )
