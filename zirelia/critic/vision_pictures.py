"""The picture as the model is shown it: no larger than it looks at, and nothing but pixels.

    shown = picture_for(image, "gpt-4.1-mini")
    shown.data          # PNG or JPEG bytes without any metadata
    shown.pixels        # SHA-256 of the picture's pixels, the same whatever file it came from

No EXIF, XMP, comment or PNG text reaches the model, and no colours behind a transparent part, which people do not see.
Writing that is drawn into the picture does reach it. It measures nothing.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zirelia.critic.vision_sizes import sent_size

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 90
SMALL = 256
"""Up to this long side, in pixels, JPEG would spoil the picture and PNG is small anyway."""


@dataclass(frozen=True)
class Shown:
    """data: the encoded picture. pixels: hash of the whole picture's pixels. size: width and height as sent."""

    data: bytes
    pixels: str
    size: tuple[int, int]


def picture_for(image: Image, model: str) -> Shown:
    """The picture for that model; the image itself is not changed."""
    from PIL import Image as Pillow

    seen = _as_seen(image)
    digest = hashlib.sha256(f"{seen.width}x{seen.height}:".encode())
    digest.update(seen.tobytes())
    size = sent_size(seen.width, seen.height, model)
    small = seen if size == seen.size else seen.resize(size, Pillow.Resampling.LANCZOS)
    # a new picture, so that no comment or EXIF text of the old one reaches the model
    bare = Pillow.frombytes("RGB", small.size, small.tobytes())
    target = io.BytesIO()
    if max(bare.size) <= SMALL:
        bare.save(target, "PNG")
    else:
        bare.save(target, "JPEG", quality=JPEG_QUALITY)
    return Shown(data=target.getvalue(), pixels=digest.hexdigest(), size=size)


def _as_seen(image: Image) -> Image:
    """In RGB, on white where it is transparent."""
    from PIL import Image as Pillow

    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    white = Pillow.new("RGBA", layered.size, "white")
    return Pillow.alpha_composite(white, layered).convert("RGB")
