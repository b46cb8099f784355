"""Encoded pictures in and out: opened with limits, checked, brought to the form that a port promises, and cut to size.

    picture = load_picture(folder / "IMG_0001.jpg", inside=folder)      # RGB, upright, sRGB; MediaError names the file
    start = prepare_start(jpeg_from_a_phone, width=1024, height=1024)   # covers the size
    data, media_type = accepted_form(webp_from_a_provider, what="it")   # PNG or JPEG, verified
    crop_box(picture.size, 0.75, face)                                  # where to cut it

Knows nothing of models, providers or the media store.
"""

from __future__ import annotations

from zirelia.pictures.crops import aspect_buckets, bucket_for, crop_box
from zirelia.pictures.forms import accepted_form, bare_jpeg, encode_png, from_floats, prepare_start, refuse_flat
from zirelia.pictures.reading import (
    MAX_BYTES,
    MAX_PIXELS,
    MAX_STORED,
    MEDIA_TYPES,
    MIN_SIDE,
    load_picture,
    open_picture,
    upright_rgb,
)

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_STORED",
    "MEDIA_TYPES",
    "MIN_SIDE",
    "accepted_form",
    "aspect_buckets",
    "bare_jpeg",
    "bucket_for",
    "crop_box",
    "encode_png",
    "from_floats",
    "load_picture",
    "open_picture",
    "prepare_start",
    "refuse_flat",
    "upright_rgb",
]
