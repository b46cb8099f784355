"""Encoded pictures in and out: opened with limits, checked, brought to the form that a port promises.

    start = prepare_start(jpeg_from_a_phone, width=1024, height=1024)   # RGB, upright, covers the size
    data, media_type = accepted_form(webp_from_a_provider)              # PNG or JPEG, verified

Knows nothing of models, providers or the media store.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError

from zirelia.errors import MediaError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""The formats that are read at all: PIL's name → media type."""

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 64_000_000
MIN_SIDE = 32
_FLAT = 2
"""A picture whose brightest and darkest values (0-255) differ by no more than this shows nothing."""


def open_picture(data: bytes, *, what: str) -> Image.Image:
    """The decoded picture. Raises MediaError, naming `what`, when it is no PNG, JPEG or WebP, is cut off or is too large."""
    if not data:
        raise MediaError(f"{what} is empty")
    if len(data) > MAX_BYTES:
        raise MediaError(f"{what} has {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is ours and is an error
            image = Image.open(io.BytesIO(data), formats=tuple(MEDIA_TYPES))
        if image.width * image.height > MAX_PIXELS:
            raise MediaError(f"{what} has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"{what} is not a readable PNG, JPEG or WebP: {error}") from error
    return image


def upright_rgb(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says, three channels, transparent parts on white."""
    turned = ImageOps.exif_transpose(image)
    if turned.mode in {"RGBA", "LA", "PA"} or "transparency" in turned.info:
        layer = turned.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return turned.convert("RGB")


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
