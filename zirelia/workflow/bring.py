"""Somebody's pictures into a dataset's folder, as candidates: copied as they are, once, with the words that came along.

    notes = bring(kit, Folder(read_brought(Path("pics")), licence="my own photos"))

The same call again copies only what is new. Knows nothing of whether they are good.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from zirelia.domain.dataset import Brought, Candidate
from zirelia.errors import MediaError
from zirelia.pictures import MAX_BYTES, MEDIA_TYPES, encode_png, open_picture, upright_rgb
from zirelia.workflow.curate import BROUGHT
from zirelia.workflow.dataset_kit import DatasetKit
from zirelia.workflow.starts import Folder

_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg"}


def bring(kit: DatasetKit, start: Folder) -> tuple[str, ...]:
    """Copies the pictures; returns what a person should know. Unreadable ones are named and left where they are.

    Raises MediaError when none can be read.
    """
    there = kit.folder.candidates()
    known = {one.origin for one in there if one.cell == BROUGHT} | {one.sha256 for one in there}
    number = max((one.number for one in there if one.cell == BROUGHT), default=0)
    kit.watcher.step("bring", f"{len(start.pictures)} pictures")
    notes = []
    copied = 0
    for index, one in enumerate(start.pictures, start=1):
        kit.watcher.progress(index / len(start.pictures), Path(one.path).name)
        try:
            data, suffix = _taken(one)
        except MediaError as error:
            notes.append(error.message)
            continue
        digest = hashlib.sha256(data).hexdigest()
        if digest in known:
            continue
        known.add(digest)
        number, copied = number + 1, copied + 1
        kit.folder.add(_record(one, number, suffix, digest, start.licence), data)
    if not there and not copied:
        raise MediaError(
            f"none of the {len(start.pictures)} pictures can be read; the first: {notes[0]}",
            hint="export them again as PNG or JPEG",
        )
    repeats = sorted({one.repeats for one in start.pictures})
    if len(repeats) > 1:
        notes.append(
            f"num_repeats of dataset.toml ({', '.join(map(str, repeats))}) is not taken over: every picture counts once"
        )
    for note in notes:
        kit.watcher.note(note)
    kit.watcher.done(f"{copied} copied")
    return tuple(notes)


def _taken(one: Brought) -> tuple[bytes, str]:
    """The picture's bytes and suffix: as they are for a plain RGB PNG or JPEG, else upright as PNG. Raises MediaError."""
    path = Path(one.path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MediaError(f"{path.name} has more than {MAX_BYTES:,} bytes, which is the most that is read")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"{path.name} is not there by that name: rename it without control characters") from error
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read: {error.strerror}") from error
    image = open_picture(data, what=path.name)
    suffix = _SUFFIXES.get(MEDIA_TYPES.get(image.format or "", ""))
    # others read the files too: turned by EXIF, CMYK or of several frames they would see another picture; and a phone's EXIF
    # says where somebody lives
    plain = image.mode == "RGB" and not image.info.get("exif") and getattr(image, "n_frames", 1) == 1
    return (data, suffix) if suffix is not None and plain else (encode_png(upright_rgb(image)), ".png")


def _record(one: Brought, number: int, suffix: str, digest: str, licence: str) -> Candidate:
    return Candidate(
        cell=BROUGHT,
        number=number,
        path=f"candidates/{BROUGHT}-{number}{suffix}",
        sha256=digest,
        origin=f"brought: {Path(one.path).name}",
        licence=licence,
        caption=one.caption,
    )
