"""What a dataset is made from: photos, one of the anchors, or a folder of pictures that exists.

    begun = begin(kit, persona, Photos.read([Path("photo.jpg")]))
    begun.references       # PNG bytes, upright, for the editor and the curator

Start pictures are stored in the dataset's folder, so that a build goes on without the files it began with. Another start in
the same folder is refused once there are pictures: they would be of two people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zirelia.domain.dataset import Brought, Build, StartKind, StartPicture
from zirelia.errors import Conflict, MediaError, NotFound
from zirelia.pictures import MAX_BYTES, MIN_SIDE, encode_png, open_picture, upright_rgb
from zirelia.workflow.dataset_kit import DatasetKit

LARGEST_SIDE = 2048
"""Pixels; editors work at half of it, and a phone's photo would be sent many times."""

MOST_PHOTOS = 16


@dataclass(frozen=True)
class Photos:
    """One photo or a few of the same person: (name, encoded picture)."""

    pictures: tuple[tuple[str, bytes], ...]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Photos:
        """Raises NotFound, MediaError."""
        if not 1 <= len(paths) <= MOST_PHOTOS:
            raise MediaError(
                f"a dataset starts from 1 to {MOST_PHOTOS} photos, not {len(paths)}",
                hint="give fewer, or curate them all with --from-folder",
            )
        read = []
        for path in paths:
            try:
                with path.open("rb") as file:
                    # one byte more than a picture may have, so that a larger one is refused and not read
                    read.append((path.name, file.read(MAX_BYTES + 1)))
            except FileNotFoundError as error:
                raise NotFound(f"there is no photo {path}", hint="check the name") from error
            except OSError as error:
                raise MediaError(f"the photo {path} cannot be read: {error.strerror}", hint="check its rights") from error
        return cls(tuple(read))


@dataclass(frozen=True)
class Anchor:
    """The anchor that a person picked, by its number."""

    number: int


@dataclass(frozen=True)
class Folder:
    """Somebody's pictures, as `store.brought.read_brought` found them; curated, not edited; `licence` as stated."""

    pictures: tuple[Brought, ...]
    licence: str = "not stated"


Start = Photos | Anchor | Folder


@dataclass(frozen=True)
class Begun:
    """A build that may begin or go on: its record and its references, encoded as PNG."""

    build: Build
    references: tuple[bytes, ...]


def prepare(kit: DatasetKit, start: Start | None) -> Begun:
    """The build that this start means, without writing anything; None goes on with the folder's own.

    Raises MediaError, NotFound, and Conflict when the folder's build began otherwise.
    """
    there = kit.folder.build()
    if start is None:
        if there is None:
            raise NotFound(f"no dataset was begun in {kit.folder.path}", hint="say what to make it from")
        return Begun(there, tuple(kit.folder.start_picture(picture) for picture in there.pictures))
    asked = _asked(kit, start)
    # a start that nothing came of yet, such as a photo that the editor refused, gives way
    if there is not None and not _same(there, asked.build) and kit.folder.candidates():
        raise Conflict(
            f"the dataset in {kit.folder.path} began from {_named(there)}, not from {_named(asked.build)}",
            hint="go on with the first start, or move that folder away to begin anew",
        )
    return asked


def begin(kit: DatasetKit, begun: Begun) -> None:
    """Stores the start once."""
    there = kit.folder.build()
    if there is None or not _same(there, begun.build):
        kit.folder.begin(begun.build, begun.references)


def normalised(data: bytes, *, what: str) -> bytes:
    """A picture from outside as upright RGB PNG, at most 2048 pixels a side. Raises MediaError."""
    image = upright_rgb(open_picture(data, what=what))
    size = f"{image.width} x {image.height} pixels"
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    if min(image.size) < MIN_SIDE:
        raise MediaError(f"{what} has {size}: no face can be seen in so narrow a picture", hint="bring a larger one")
    return encode_png(image)


def _asked(kit: DatasetKit, start: Start) -> Begun:
    match start:
        case Photos():
            named = [(name, normalised(data, what=f"the photo {name}")) for name, data in start.pictures]
            return _begun(StartKind.PHOTOS, named)
        case Anchor():
            anchors = {one.number: one for one in kit.folder.anchors()}
            if start.number not in anchors:
                numbers = ", ".join(map(str, sorted(anchors))) or "none"
                raise NotFound(f"there is no anchor {start.number}", hint=f"made so far: {numbers}")
            chosen = anchors[start.number]
            return _begun(StartKind.WORDS, [(chosen.path, normalised(kit.folder.read(chosen), what=chosen.path))])
        case Folder():
            return _begun(StartKind.FOLDER, [])


def _begun(kind: StartKind, named: Sequence[tuple[str, bytes]]) -> Begun:
    pictures = tuple(
        StartPicture(path=f"start/{number:02}.png", sha256=hashlib.sha256(data).hexdigest(), source=name)
        for number, (name, data) in enumerate(named, start=1)
    )
    digest = hashlib.sha256("".join([kind, *(picture.sha256 for picture in pictures)]).encode()).hexdigest()
    build = Build(name=f"{kind}-{digest[:8]}", start=kind, pictures=pictures)
    return Begun(build, tuple(data for _, data in named))


def _same(one: Build, other: Build) -> bool:
    return (one.start, *(picture.sha256 for picture in one.pictures)) == (
        other.start,
        *(picture.sha256 for picture in other.pictures),
    )


def _named(build: Build) -> str:
    names = ", ".join(picture.source for picture in build.pictures)
    return f"{build.start} ({names})" if names else str(build.start)
