"""The dataset as hosted trainers take it: one zip of pictures and captions under plain names.

    package(dataset, folder, side=1024)      # 0001.jpg, 0001.txt, 0002.jpg ...; the same pictures give the same bytes

Pictures are written anew: upright, without the EXIF that may say where somebody lives, and no larger than the training needs.
It knows no provider.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from PIL import Image

from zirelia.domain.dataset import Dataset
from zirelia.errors import TrainingError
from zirelia.pictures import open_picture, upright_rgb

LIMIT = 95_000_000
"""Replicate takes files of up to 100 MB."""
_QUALITY = 95
_EPOCH = (1980, 1, 1, 0, 0, 0)


def package(dataset: Dataset, folder: Path, *, side: int) -> bytes:
    """The zip. `side` is the shorter side in pixels beyond which a picture is made smaller.

    Raises MediaError for a picture that cannot be read and TrainingError for a zip larger than 95 MB.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for place, reference in enumerate(dataset.references, 1):
            data = (folder / reference.path).read_bytes()
            _add(archive, f"{place:04d}.jpg", _jpeg(data, side, what=f"the picture {reference.path}"))
            _add(archive, f"{place:04d}.txt", reference.caption.encode())
            if buffer.tell() > LIMIT:
                raise TrainingError(
                    f"the pictures of '{dataset.persona}' are larger than {LIMIT // 1_000_000} MB together",
                    hint="train on fewer pictures or at a lower resolution",
                )
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    archive.writestr(entry, data)


def _jpeg(data: bytes, side: int, *, what: str) -> bytes:
    picture = upright_rgb(open_picture(data, what=what))
    shorter = min(picture.size)
    if shorter > side:
        size = (round(picture.width * side / shorter), round(picture.height * side / shorter))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    # a picture of its own keeps no metadata
    plain = Image.frombytes("RGB", picture.size, picture.tobytes())
    buffer = io.BytesIO()
    plain.save(buffer, format="JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()
