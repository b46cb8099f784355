"""What each part of a picture weighs in the loss: the subject 1, what is behind it less.

    weights = weights_of(frame, grid=(64, 64), background=0.2)     # float32 [64, 64], mean 1

The subject is head and shoulders, drawn around the face as two soft ellipses, or the white of a mask beside the picture.
It knows nothing of models: a grid is so many cells wide and high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from zirelia.domain.box import Box
from zirelia.training.framing import Frame, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

# in heights of the face: how far the head goes beyond the face, where the shoulders are, how soft the edge is
_HEAD = (0.85, 0.95, -0.1)
"""Half width, half height, and how far the middle lies below the face's, all in heights of the face."""
_SHOULDERS = (1.6, 1.5, 1.7)
_SOFT = 0.2
_CANVAS = 256


def weights_of(frame: Frame, *, grid: tuple[int, int], background: float) -> NDArray[np.float32]:
    """One weight a cell, rows first, with the mean 1, so that the loss keeps its size.

    A picture without a face and without a mask weighs the same everywhere.
    """
    mask = frame.cut_mask()
    if mask is None and frame.face is not None:
        mask = subject_mask(frame)
    if mask is None:
        return np.ones((grid[1], grid[0]), dtype=np.float32)
    shown = np.asarray(mask.resize(grid, Image.Resampling.BOX), dtype=np.float32) / 255.0
    weights = background + (1.0 - background) * shown
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def subject_mask(frame: Frame) -> Image.Image:
    """The soft head and shoulders of a frame's face, as an "L" picture of the frame's shape."""
    assert frame.face is not None  # noqa: S101 - the caller asked
    whole = load(frame.path).size
    left, top, right, bottom = frame.crop(whole)
    scale = _CANVAS / max(right - left, bottom - top)
    canvas = Image.new("L", (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))))
    face = _pixels(frame.face, whole)
    tall = face[3] - face[1]
    middle = ((face[0] + face[2]) / 2, (face[1] + face[3]) / 2)
    draw = ImageDraw.Draw(canvas)
    for wide, high, below in (_HEAD, _SHOULDERS):
        half_width = max(wide * tall, 0.65 * (face[2] - face[0]))  # a face in a hat is wider than it is tall
        centre = middle[1] + below * tall
        corners = (
            middle[0] - half_width - left,
            centre - high * tall - top,
            middle[0] + half_width - left,
            centre + high * tall - top,
        )
        draw.ellipse([corner * scale for corner in corners], fill=255)
    return canvas.filter(ImageFilter.GaussianBlur(_SOFT * tall * scale))


def _pixels(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    return box.left * size[0], box.top * size[1], box.right * size[0], box.bottom * size[1]
