"""Files that survive a crash: private folders, temp file + fsync + rename.

    write_atomically(folder / "ab.png", data, temporary_folder=folder)

A reader sees the old file or the whole new one, never a part. Knows nothing of what the bytes mean.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

PRIVATE_FOLDER = 0o700


def make_private_folder(folder: Path) -> None:
    """Creates the folder and its missing parents, readable by their owner only; leaves existing folders as they are."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes a rename inside the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, data: bytes, *, temporary_folder: Path) -> None:
    """Writes the file whole or not at all, mode 0600. `temporary_folder` lies on the same file system. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix="part-", dir=temporary_folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)
