"""The references of an edit: opened with limits before anything is paid, made small enough, stripped of what they tell.

    pictures = opened(edit.references, most=4)
    data, media_type = pictures[0].encoded(pixels=4_000_000)     # upright, no EXIF: no place, no camera, no name leaves
    one = side_by_side([picture.image for picture in pictures])  # for a model that takes a single picture

Knows nothing of models or providers.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from zirelia.errors import ConfigurationError, MediaError
from zirelia.pictures import encode_png, open_picture, upright_rgb

SENT_PIXELS = 2048 * 2048
"""Hosted models scale down themselves beyond this; sending more only takes time."""

MIN_SIDE = 64
MAX_RATIO = 8
"""What FLUX.2 takes; the others say nothing and draw nonsense from less."""

_QUALITY = 95


@dataclass(frozen=True)
class Opened:
    """One reference: upright RGB, and whether it came as a JPEG, whose noise would only make a PNG of it large."""

    image: Image.Image
    lossy: bool

    def encoded(self, *, pixels: int = SENT_PIXELS) -> tuple[bytes, str]:
        """The same picture always gives the same bytes, so that what was uploaded before is found again."""
        image = shrunk(self.image, pixels=pixels)
        if not self.lossy:
            return encode_png(image), "image/png"
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=_QUALITY, subsampling=0)
        return buffer.getvalue(), "image/jpeg"


def opened(references: Sequence[bytes], *, most: int) -> list[Opened]:
    """Raises MediaError for none or an unusable one, ConfigurationError for more than the model takes."""
    if not references:
        raise MediaError("the edit has no reference", hint="give at least one picture of the subject")
    if len(references) > most:
        raise ConfigurationError(
            f"the edit has {len(references)} references, and the model takes {most}",
            hint="give fewer, or choose an edit model that takes more",
        )
    return [_one(data, what=f"reference {number}") for number, data in enumerate(references, start=1)]


def _one(data: bytes, *, what: str) -> Opened:
    image = open_picture(data, what=what)
    if min(image.size) < MIN_SIDE:
        raise MediaError(f"{what} has {image.width} x {image.height} pixels; each side needs at least {MIN_SIDE}")
    if max(image.size) > MAX_RATIO * min(image.size):
        raise MediaError(
            f"{what} has {image.width} x {image.height} pixels, more than {MAX_RATIO} to 1", hint="crop it to the subject"
        )
    return Opened(upright_rgb(image), lossy=image.format == "JPEG")


def shrunk(image: Image.Image, *, pixels: int) -> Image.Image:
    """Scaled down to about so many pixels, but no side below the least that is taken; never up."""
    factor = max((pixels / (image.width * image.height)) ** 0.5, MIN_SIDE / min(image.size))
    if factor >= 1.0:
        return image
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """One picture, first one left, all as tall as the first: the subject is never made smaller for a garment's sake."""
    if len(images) == 1:
        return images[0]
    height = images[0].height
    scaled = [
        image if image.height == height else image.resize((_width(image, height), height), Image.Resampling.LANCZOS)
        for image in images
    ]
    row = Image.new("RGB", (sum(image.width for image in scaled), height), "white")
    left = 0
    for image in scaled:
        row.paste(image, (left, 0))
        left += image.width
    return row


def _width(image: Image.Image, height: int) -> int:
    return max(1, round(image.width * height / image.height))
