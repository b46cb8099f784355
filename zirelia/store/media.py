"""Pictures as files named by their content: ab/cd/abcd….png under one root.

    media = MediaStore(home / "media")
    ref = media.put(png_bytes, "image/png")      # the same bytes give the same ref
    media.read(ref)                              # verified against the hash

Only real PNG, JPEG and WebP pictures of a sane size get in: whatever a provider calls its answer, an error page never
becomes a picture. Knows nothing of posts or tables.
"""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from zirelia.domain.shot import MediaRef
from zirelia.errors import MediaError, StoreError
from zirelia.files import make_private_folder, write_atomically

_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
_INCOMING = ".incoming"
_STALE_SECONDS = 3600.0


class MediaStore:
    """Content-addressed pictures under `root`.

    Args:
        root: created with mode 0700 when missing.
        max_bytes: largest encoded picture that is accepted.
        max_pixels: largest width x height that is decoded (a small file can claim a huge picture).

    Raises:
        StoreError: the folder cannot be created or written.
    """

    def __init__(self, root: Path, *, max_bytes: int = 64 * 1024 * 1024, max_pixels: int = 40_000_000) -> None:
        self.root = root
        self._incoming = root / _INCOMING
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        try:
            make_private_folder(self._incoming)
            self._sweep()
        except OSError as error:
            raise StoreError(
                f"the media folder {root} cannot be used: {error.strerror}", hint="check its owner and permissions"
            ) from error

    def put(self, data: bytes, media_type: str) -> MediaRef:
        """Stores once, durably; heals a stored file whose bytes have rotted. Raises MediaError or StoreError."""
        width, height = self._measure(data, media_type)
        ref = MediaRef(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, width=width, height=height)
        path = self._locate(ref)
        try:
            if path.is_file() and path.read_bytes() == data:
                return ref
            make_private_folder(path.parent)
            write_atomically(path, data, temporary_folder=self._incoming)
        except OSError as error:
            raise StoreError(
                f"picture {path} cannot be written: {error.strerror}", hint="check free disk space and permissions"
            ) from error
        return ref

    def read(self, ref: MediaRef) -> bytes:
        """The bytes, verified. Raises MediaError when the file is missing or is not what was stored."""
        path = self.path(ref)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise MediaError(f"picture {path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise MediaError(f"picture {path} is damaged: its hash differs", hint="restore this file from a backup")
        return data

    def path(self, ref: MediaRef) -> Path:
        """Where the picture lies. Raises MediaError when it is missing."""
        path = self._locate(ref)
        if not path.is_file():
            raise MediaError(f"picture {path} is missing", hint="restore this file from a backup")
        return path

    def files(self) -> Iterator[Path]:
        """Every stored picture, in order of its hash."""
        yield from sorted(path for path in self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*") if path.is_file())

    def _locate(self, ref: MediaRef) -> Path:
        if ref.media_type not in _FORMATS:
            raise MediaError(f"'{ref.media_type}' is not a kind of picture that is stored", hint=_accepted())
        return self.root / ref.sha256[:2] / ref.sha256[2:4] / f"{ref.sha256}{ref.suffix}"

    def _measure(self, data: bytes, media_type: str) -> tuple[int, int]:
        """Width and height of a picture that decodes to its last row."""
        from PIL import Image

        if media_type not in _FORMATS:
            raise MediaError(f"'{media_type}' is not a kind of picture that is stored", hint=_accepted())
        if len(data) > self._max_bytes:
            raise MediaError(f"a picture of {len(data)} bytes is above the limit of {self._max_bytes}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(io.BytesIO(data), formats=[_FORMATS[media_type]]) as image:
                    image.verify()
                _refuse_cut(data, media_type)
                with Image.open(io.BytesIO(data), formats=[_FORMATS[media_type]]) as image:
                    self._refuse_unusable(image.size, getattr(image, "n_frames", 1), media_type)
                    image.load()
                    return image.size
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise MediaError(f"the picture claims more than {self._max_pixels} pixels") from error
        except MediaError:
            raise
        except Exception as error:  # Pillow's decoders raise almost anything on hostile bytes; all of it means the same
            raise MediaError(f"{len(data)} bytes called {media_type} are not such a picture, or only a part of one") from error

    def _refuse_unusable(self, size: tuple[int, int], frames: int, media_type: str) -> None:
        if size[0] * size[1] > self._max_pixels:
            raise MediaError(f"the picture is {size[0]}x{size[1]}, above the limit of {self._max_pixels} pixels")
        # a JPEG with several frames is a phone's photo with its preview, not an animation
        if frames > 1 and media_type != "image/jpeg":
            raise MediaError(f"the picture is an animation of {frames} frames; a still one is needed")

    def _sweep(self) -> None:
        """Removes what a killed process left half written; young files may belong to a living one."""
        for path in self._incoming.iterdir():
            try:
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue  # its writer finished, or another process swept first


def _refuse_cut(data: bytes, media_type: str) -> None:
    """Refuses a file that lost its end, though all rows may decode. `verify` has checked a PNG's chunks already."""
    if media_type == "image/jpeg" and b"\xff\xd9" not in data:
        raise MediaError("the JPEG has no end: only a part of it arrived")
    if media_type == "image/webp" and int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise MediaError("the WebP is shorter than it says: only a part of it arrived")


def _accepted() -> str:
    return "accepted: " + ", ".join(_FORMATS)
