"""Where a picture is cut: around its face, to one of a few sizes that cost a training about the same.

    buckets = aspect_buckets(1024)                         # (704, 1408), ..., (1024, 1024), ..., (1408, 704)
    bucket = bucket_for((3000, 4000), buckets)             # (896, 1152); None when it would have to be enlarged
    crop_box((3000, 4000), 896 / 1152, (0.4, 0.2, 0.6, 0.4))   # pixels: left, top, right, bottom

Pure arithmetic. It opens no picture and finds no face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FROM_TOP = 0.35
"""Without a face: the share of what is cut away that goes above. Portraits hold the face in their upper half."""
FACE_HEIGHT = 0.4
"""How far down the crop the middle of the face lies, as a share of the crop's height: the eyes come to the upper third."""
HEADROOM = 0.45
"""Room kept above a face for hair, and half of it below for the chin, as a share of the face's height."""


def crop_box(size: tuple[int, int], aspect: float, face: tuple[float, float, float, float] | None) -> tuple[int, int, int, int]:
    """The largest crop of a shape, placed for its face: left, top, right, bottom in pixels.

    The face lies wholly inside whenever it fits; one that is too tall loses its lower part, one that is too wide both sides.
    Without a face the crop is the middle, and loses less above than below.

    Args:
        size: width and height of the picture in pixels, at least 1.
        aspect: width over height of the crop, above 0.
        face: left, top, right, bottom in shares of the picture (0-1), as `domain.dataset.Box` holds them.

    Raises ValueError for a size or an aspect that no picture has.
    """
    width, height = size
    if width < 1 or height < 1 or not (aspect > 0 and math.isfinite(aspect)):
        raise ValueError(f"no crop of {width} x {height} has the aspect {aspect}")
    wide = min(width, max(1, round(height * aspect)))
    tall = min(height, max(1, round(width / aspect)))
    if face is None:
        left, top = (width - wide) // 2, int((height - tall) * FROM_TOP)
        return left, top, left + wide, top + tall
    first, last = face[0] * width, face[2] * width
    crown, chin = face[1] * height, face[3] * height
    left = _placed((first + last) / 2 - wide / 2, wide, width, first, last)
    top = _placed(crown - _room_above(chin - crown, tall), tall, height, crown, chin)
    return left, top, left + wide, top + tall


def _room_above(face: float, tall: int) -> float:
    """How many pixels of the crop lie above the face: hair and chin share what there is, two to one."""
    free = tall - face
    if free <= 0:
        return 0.0
    hair, chin = min(HEADROOM * face, free * 2 / 3), min(HEADROOM * face / 2, free / 3)
    return min(max(FACE_HEIGHT * tall - face / 2, hair), free - chin)


def _placed(wanted: float, length: int, total: int, low: float, high: float) -> int:
    """The whole start that is nearest to the wanted one, within the picture, and around low..high where that fits."""
    start = round(wanted)
    if math.ceil(high) - math.floor(low) <= length:
        start = max(min(start, math.floor(low)), math.ceil(high) - length)
    return max(0, min(start, total - length))


def aspect_buckets(resolution: int, *, step: int = 64, most: float = 2.0) -> tuple[tuple[int, int], ...]:
    """Sizes (width, height) of at most resolution x resolution pixels, whose sides are multiples of `step`; tallest first.

    Args:
        resolution: the side of the square one, in pixels. step: what the model's sides must divide by.
        most: the longer side over the shorter one, at most; 1 allows the square alone.

    Raises ValueError when not even step x step fits.
    """
    if step < 1 or resolution < step or not most >= 1:
        raise ValueError(f"no bucket of {resolution} pixels has sides that are multiples of {step} and a ratio up to {most}")
    square = resolution // step * step
    found = {(square, square)}
    for short in range(step, square, step):
        long = resolution * resolution // short // step * step
        if long <= most * short:
            found |= {(short, long), (long, short)}
    return tuple(sorted(found, key=lambda bucket: (bucket[0] / bucket[1], bucket)))


def bucket_for(size: tuple[int, int], buckets: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The bucket whose shape is nearest to the picture's, of those that the picture covers; the larger of equal ones.

    None when it covers none of them: it would have to be enlarged, or left out.
    """
    width, height = size
    covered = [bucket for bucket in buckets if bucket[0] <= width and bucket[1] <= height]
    shape = math.log(width / height) if covered else 0.0
    return min(covered, key=lambda one: (abs(math.log(one[0] / one[1]) - shape), -one[0] * one[1]), default=None)
