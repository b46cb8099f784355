"""Drawing one part of a picture anew: the mask around the part, and putting the new part back without a seam.

    mask = soft_mask(box, width=1024, height=1024)      # 255 in the part, fading to 0 a little outside of it
    mended = put_back(start, drawn, mask)               # where the mask is 0, every pixel is the start picture's

Knows no model: what lies in the part is up to the pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zirelia.domain.box import Box
from zirelia.errors import ConfigurationError, MediaError

if TYPE_CHECKING:
    from PIL.Image import Image

_GROWN = 0.15
_FADED = 0.2
_SMALLEST = 16


def soft_mask(within: Box, *, width: int, height: int) -> Image:
    """A picture of one channel, in pixels of the picture to be mended: 255 in the part and a little beyond it, then fading.

    Raises ConfigurationError for a part without area.
    """
    from PIL import Image, ImageDraw, ImageFilter

    if within.right <= within.left or within.bottom <= within.top:
        raise ConfigurationError("the part of the picture to be drawn anew has no area", hint="right > left and bottom > top")
    box = (within.left * width, within.top * height, within.right * width, within.bottom * height)
    side = max(box[2] - box[0], box[3] - box[1], _SMALLEST)
    core, rim = _grown(box, side * _GROWN, width, height), _grown(box, side * (_GROWN + _FADED), width, height)
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).rectangle((core[0], core[1], core[2] - 1, core[3] - 1), fill=255)
    faded = mask.filter(ImageFilter.GaussianBlur(side * _FADED / 3))
    clean = Image.new("L", (width, height), 0)
    clean.paste(faded.crop(rim), rim[:2])
    return clean


def to_draw(mask: Image) -> Image:
    """The mask as pipelines want it: 255 wherever anything may change, else 0."""
    return mask.point(lambda value: 255 if value else 0)


def put_back(start: Image, drawn: Image, mask: Image) -> Image:
    """The start picture with the drawn part in it. Raises MediaError when the sizes differ."""
    from PIL import Image

    if not start.size == drawn.size == mask.size:
        raise MediaError(
            f"the mended part is of a picture of {drawn.size[0]} x {drawn.size[1]}, not {start.size[0]} x {start.size[1]}"
        )
    return Image.composite(drawn.convert("RGB"), start.convert("RGB"), mask)


def _grown(box: tuple[float, float, float, float], by: float, width: int, height: int) -> tuple[int, int, int, int]:
    return (
        max(0, round(box[0] - by)),
        max(0, round(box[1] - by)),
        min(width, round(box[2] + by)),
        min(height, round(box[3] + by)),
    )
