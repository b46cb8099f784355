"""The bank of strangers that a photographic persona's line is measured against: real faces that are certainly not hers.

    bank = Impostors(reader, strangers=[folder], personas={"ada": ada_references, "mira": mira_references})
    bank.embeddings(but="mira")          # [m, dimension]: the strangers and Ada

Nothing is shipped: the pictures are the user's own folder and the references of the other personas. It cannot know that two
personas wear one face, or that a folder holds a picture of the persona; both would make her line too strict, never too lax.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zirelia.errors import ConfigurationError
from zirelia.files import sha256_of
from zirelia.pictures import load_picture
from zirelia.ports import FaceReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
MOST = 500
"""Pictures read of one folder, in the order of their names."""


class Impostors:
    """Every face of the strangers' pictures and of the other personas' references, read when they are first asked for.

    Args:
        strangers: pictures, or folders of pictures. personas: name → references; each persona is a stranger to the others.

    Raises ConfigurationError for a path that is not there; MediaError, when the faces are read, for a damaged picture.
    """

    def __init__(
        self, reader: FaceReader, *, strangers: Sequence[Path] = (), personas: Mapping[str, Sequence[Path]] | None = None
    ) -> None:
        self._reader = reader
        self._paths = {"": pictures_at(strangers), **{name: pictures_at(paths) for name, paths in (personas or {}).items()}}
        self._faces: dict[str, tuple[NDArray[np.float32], ...]] = {}
        self._hashes: dict[str, str] = {}
        self._reading = threading.Lock()

    def fingerprint(self, *, but: str) -> str:
        """Names the pictures that `embeddings` reads; like the faces, they are read once, at the first question."""
        digest = hashlib.sha256()
        with self._reading:
            for name in sorted(self._paths):
                if name != but or not name:
                    digest.update(self._hashed(name).encode())
        return digest.hexdigest()

    def embeddings(self, *, but: str) -> NDArray[np.float32]:
        """Shape [m, dimension], [0, 0] where there is nobody; without the persona named `but`."""
        with self._reading:
            found = [face for name in self._paths if name != but or not name for face in self._read(name)]
        return np.stack(found) if found else np.zeros((0, 0), dtype=np.float32)

    def _hashed(self, name: str) -> str:
        if name not in self._hashes:
            self._hashes[name] = "".join(sorted(sha256_of(path) for path in self._paths[name]))
        return self._hashes[name]

    def _read(self, name: str) -> tuple[NDArray[np.float32], ...]:
        if name not in self._faces:
            pictures = (load_picture(path) for path in self._paths[name])
            self._faces[name] = tuple(face.embedding for picture in pictures for face in self._reader.faces(picture))
        return self._faces[name]


def pictures_at(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The pictures that are named, and those in the folders that are named. Raises ConfigurationError for neither."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())[:MOST]
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigurationError(
                f"{path}: no such picture or folder of strangers", hint="Correct the path, or leave it out"
            )
    return tuple(found)
