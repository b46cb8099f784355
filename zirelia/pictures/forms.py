"""The forms that ports promise: a start picture of an exact size, PNG bytes, what a provider sent, a model's floats.

    start = prepare_start(jpeg_from_a_phone, width=1024, height=1024)   # RGB, upright, covers the size
    data, media_type = accepted_form(webp_from_a_provider, what="it")   # PNG or JPEG, verified
    seen = bare_jpeg(stored, what="the picture")                        # pixels and not a word beside them

Knows nothing of models, providers or the media store.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from zirelia.errors import MediaError
from zirelia.pictures.reading import MAX_STORED, MEDIA_TYPES, MIN_SIDE, open_picture, upright_rgb

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FLAT = 2
"""A picture whose brightest and darkest values (0-255) differ by no more than this shows nothing."""
_BARE_QUALITY = 92


def prepare_start(data: bytes, *, width: int, height: int) -> Image.Image:
    """The start picture for image-to-image: upright RGB that covers width x height exactly, cropped around its middle.

    A portrait that is taller than wanted loses less above than below, where faces are not. Raises MediaError when a side
    is shorter than 32 pixels.
    """
    image = upright_rgb(open_picture(data, what="the start picture"))
    if min(image.size) < MIN_SIDE:
        raise MediaError(f"the start picture has {image.width} x {image.height} pixels; each side needs at least {MIN_SIDE}")
    return ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS, centering=(0.5, 0.35))


def encode_png(image: Image.Image) -> bytes:
    """The same pixels give the same bytes: no times, no metadata."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def bare_jpeg(data: bytes, *, what: str) -> bytes:
    """What people see of an encoded picture, for a model that is shown it: upright, opaque, and without any metadata, which
    may hold orders to the model.

    Raises MediaError.
    """
    buffer = io.BytesIO()
    upright_rgb(open_picture(data, what=what, max_bytes=MAX_STORED)).save(buffer, "JPEG", quality=_BARE_QUALITY, subsampling=0)
    return buffer.getvalue()


def accepted_form(data: bytes, *, what: str) -> tuple[bytes, str]:
    """PNG or JPEG bytes and their media type, from what a provider sent; WebP becomes PNG.

    Raises MediaError when it is not a picture, or shows nothing.
    """
    image = open_picture(data, what=what)
    refuse_flat(image, what=what)
    if image.format in {"PNG", "JPEG"}:
        return data, MEDIA_TYPES[image.format]
    return encode_png(upright_rgb(image)), "image/png"


def refuse_flat(image: Image.Image, *, what: str) -> None:
    """Raises MediaError for a picture of one colour: a safety filter's black page or a failed decoder."""
    bands = image.convert("RGB").split()
    if all(high - low <= _FLAT for low, high in (_range(band) for band in bands)):
        raise MediaError(
            f"{what} is one flat colour: the model failed or its safety filter blanked it",
            hint="try another seed; with fp16 weights try dtype bf16 or fp32",
        )


def _range(band: Image.Image) -> tuple[int, int]:
    used = [value for value, count in enumerate(band.histogram()) if count]
    return used[0], used[-1]


def from_floats(pixels: NDArray[np.float32], *, what: str) -> Image.Image:
    """A picture from values in [0, 1], shape [height, width, 3]. Raises MediaError for NaN, infinity or a flat colour."""
    import numpy as np

    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise MediaError(f"{what} has the shape {pixels.shape}; height x width x 3 was expected")
    if not bool(np.isfinite(pixels).all()):
        raise MediaError(
            f"{what} holds NaN or infinite values: the numbers overflowed", hint="use dtype bf16 or fp32 instead of fp16"
        )
    image = Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255.0).round().astype(np.uint8))
    refuse_flat(image, what=what)
    return image
