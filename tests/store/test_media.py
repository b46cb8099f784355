"""Only real pictures get in, whole, once; what comes out is what went in."""

from __future__ import annotations

import io
import os
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from zirelia.domain.shot import MediaRef
from zirelia.errors import MediaError, StoreError
from zirelia.store.media import MediaStore


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_a_picture_is_stored_once_under_its_hash(media: MediaStore, encoded, kind, media_type):
    data = encoded(kind=kind)
    ref = media.put(data, media_type)
    path = media.path(ref)
    before = path.stat()
    assert media.put(data, media_type) == ref
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert media.read(ref) == data
    assert (ref.width, ref.height) == (24, 16)
    assert path.relative_to(media.root).parts == (ref.sha256[:2], ref.sha256[2:4], ref.sha256 + ref.suffix)
    assert list(media.files()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    assert media.root.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_mode & 0o777 == 0o700


def _huge_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _animation() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", "image/png"),
        (b"<html>502 Bad Gateway</html>", "image/png"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image/png"),
        (_huge_png(6400, 6400), "image/png"),
        (_huge_png(12_000, 12_000), "image/png"),
        (_huge_png(60_000, 60_000), "image/png"),
        (_huge_png(24, 16), "image/png"),
        (_animation(), "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"<svg/>", "image/svg+xml"),
    ],
    ids=["empty", "html", "header", "large", "bomb", "huge-bomb", "cut-rows", "animation", "gif", "svg"],
)
def test_what_is_no_picture_is_refused(media: MediaStore, data, media_type):
    with pytest.raises(MediaError):
        media.put(data, media_type)
    assert list(media.files()) == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_every_truncation_is_refused(media: MediaStore, encoded, kind):
    data = encoded(kind=kind, size=(64, 64))
    media_type = f"image/{kind.lower()}"
    for end in range(0, len(data) - 13, max(1, len(data) // 40)):
        with pytest.raises(MediaError):
            media.put(data[:end], media_type)


def test_a_wrong_type_is_refused(media: MediaStore, encoded):
    with pytest.raises(MediaError, match="called image/jpeg"):
        media.put(encoded(kind="PNG"), "image/jpeg")


def test_too_many_bytes_are_refused(tmp_path: Path, encoded):
    with pytest.raises(MediaError, match="above the limit of 40"):
        MediaStore(tmp_path, max_bytes=40).put(encoded(), "image/png")


def test_damage_is_noticed_and_healed_by_the_same_picture(media: MediaStore, encoded):
    ref = media.put(encoded(), "image/png")
    path = media.path(ref)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(MediaError, match="damaged"):
        media.read(ref)
    media.put(encoded(), "image/png")
    assert media.read(ref) == encoded()
    path.unlink()
    with pytest.raises(MediaError, match="missing"):
        media.read(ref)


def test_a_ref_of_an_unknown_kind_is_refused(media: MediaStore):
    with pytest.raises(MediaError):
        media.path(MediaRef(sha256="a" * 64, media_type="image/gif", width=1, height=1))


def test_old_parts_of_killed_writers_are_swept(media: MediaStore):
    incoming = media.root / ".incoming"
    old, young = incoming / "part-old", incoming / "part-young"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    MediaStore(media.root)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_exist_is_a_store_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        MediaStore(tmp_path / "file" / "media")
