"""The final JPEG: upright, sRGB, opaque, without EXIF, within the channel's limits, with its XMP label.

    jpeg = publishable_jpeg(png, description=caption, alt_text=alt, creator="Mira", max_bytes=1_000_000)
    read_provenance(jpeg)

Only a signature may be written into the bytes afterwards (see signing.py). Deterministic: the same input gives the same bytes.
Knows nothing of posts.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from zirelia.errors import MediaError
from zirelia.pictures import crop_box
from zirelia.provenance.xmp import EmbeddedProvenance, read_xmp, xmp_packet

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = 40_000_000
_LOWEST_QUALITY = 60
_SMALLEST_SIDE = 320


def publishable_jpeg(
    data: bytes,
    *,
    description: str,
    alt_text: str,
    creator: str,
    ai_system: str = "",
    ai_system_version: str = "",
    max_bytes: int = 8_000_000,
    max_side: int = 2048,
    quality: int = 92,
    aspects: tuple[float, float] | None = None,
) -> bytes:
    """`prepare_jpeg` with the label that says: made by a trained algorithm. Raises MediaError."""
    packet = xmp_packet(
        description=description,
        alt_text=alt_text,
        creator=creator,
        ai_system=ai_system,
        ai_system_version=ai_system_version,
    )
    return prepare_jpeg(data, max_bytes=max_bytes, max_side=max_side, quality=quality, xmp=packet, aspects=aspects)


def prepare_jpeg(
    data: bytes,
    *,
    max_bytes: int = 8_000_000,
    max_side: int = 2048,
    quality: int = 92,
    xmp: bytes | None = None,
    aspects: tuple[float, float] | None = None,
) -> bytes:
    """A JPEG of at most `max_bytes`, label included, and at most `max_side` pixels a side.

    Args:
        data: an encoded PNG, JPEG or WebP.
        quality: 1-95, lowered down to 60 and then traded for size until the limit is met.
        aspects: narrowest and widest shape, width over height, that is taken; what is beyond is cut.
        xmp: a packet to embed. EXIF, GPS, comments and colour profiles of the original never survive.

    Raises:
        MediaError: not a picture, too many pixels, or impossible within the limit.
    """
    from PIL.Image import Resampling

    picture = _shaped(_opaque_srgb(data), aspects)
    picture.thumbnail((max_side, max_side), Resampling.LANCZOS)
    while True:
        for attempt in dict.fromkeys((quality, *range(quality - 8, _LOWEST_QUALITY, -8), min(quality, _LOWEST_QUALITY))):
            jpeg = _encode(picture, attempt, xmp)
            if len(jpeg) <= max_bytes:
                return jpeg
        side = int(max(picture.size) * 0.8)
        if side < _SMALLEST_SIDE:
            raise MediaError(f"the picture does not fit into {max_bytes} bytes", hint="raise the channel's size limit")
        picture.thumbnail((side, side), Resampling.LANCZOS)


def read_provenance(source: Path | bytes) -> EmbeddedProvenance | None:
    """What the picture says of itself, None when it carries no XMP. Raises MediaError for what cannot be read."""
    from PIL import Image

    data = source if isinstance(source, bytes) else _read(source)
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"]) as image:
            packet = image.info.get("xmp")
    except Exception as error:  # Pillow's parsers raise almost anything on hostile bytes; all of it means the same
        raise MediaError("the picture cannot be read, so its provenance is not known") from error
    if packet is None:
        return None
    return read_xmp(packet if isinstance(packet, bytes) else str(packet).encode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"picture {path} cannot be read: {error.strerror}") from error


def _opaque_srgb(data: bytes) -> Image:
    """Decoded, turned upright, converted to sRGB, transparency laid on white; carries no metadata."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as opened:
                if opened.width * opened.height > _MAX_PIXELS:
                    raise MediaError(f"the picture is {opened.width}x{opened.height}, above {_MAX_PIXELS} pixels")
                upright = ImageOps.exif_transpose(opened)
                profile = opened.info.get("icc_profile")
    except MediaError:
        raise
    except Exception as error:  # as above
        raise MediaError(f"{len(data)} bytes are not a PNG, JPEG or WebP picture, or only a part of one") from error
    opaque = _flattened(_in_srgb(upright, profile))
    clean = Image.new("RGB", opaque.size)
    clean.paste(opaque)
    return clean


def _shaped(picture: Image, aspects: tuple[float, float] | None) -> Image:
    if aspects is None or aspects[0] <= picture.width / picture.height <= aspects[1]:
        return picture
    wanted = min(max(picture.width / picture.height, aspects[0]), aspects[1])
    return picture.crop(crop_box(picture.size, wanted, None))


def _in_srgb(image: Image, profile: bytes | None) -> Image:
    """Colours converted by the embedded profile; without one, or with a broken one, they are taken for sRGB."""
    from PIL import ImageCms

    if profile is None or image.mode not in {"RGB", "RGBA", "L", "CMYK"}:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = image.mode if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return image
    return image if converted is None else converted


def _flattened(image: Image) -> Image:
    from PIL.Image import alpha_composite, new

    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    return alpha_composite(new("RGBA", layered.size, "white"), layered).convert("RGB")


def _encode(picture: Image, quality: int, xmp: bytes | None) -> bytes:
    buffer = io.BytesIO()
    extra = {} if xmp is None else {"xmp": xmp}
    picture.save(buffer, "JPEG", quality=quality, optimize=True, progressive=False, subsampling="4:4:4", **extra)
    return buffer.getvalue()
