"""Files that are whole or absent, private folders, and locks that die with their process.

    with whole_file(folder / "mira.safetensors") as part:
        part.write_bytes(data)
    with alone(folder, busy=lambda holder: Conflict(f"another process ({holder}) writes to {folder}")):
        ...

A reader sees the old file or the whole new one, never a part. It knows nothing of what the bytes mean.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE_FOLDER = 0o700


def make_private_folder(folder: Path) -> None:
    """Creates the folder and its missing parents, readable by their owner only; leaves existing folders as they are."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def to_disk(path: Path) -> None:
    """Makes what was written to a file, or renamed inside a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, data: bytes, *, temporary_folder: Path) -> None:
    """Writes the file whole or not at all, mode 0600. `temporary_folder` lies on the same file system. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=".part-", dir=temporary_folder)
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
    to_disk(path.parent)


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """A path to write to; it takes its final name only when all of it is on the disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.chmod(mode)
        to_disk(part)
        part.replace(path)
        to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder of files, which exists empty when the block begins; an older folder of that name is replaced."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        for file in part.rglob("*"):
            if file.is_file():
                file.chmod(0o644)
            to_disk(file)
        to_disk(part)
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
        to_disk(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Removes what a killed process left half written."""
    for part in folder.glob(".*.part*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def sweep_file(path: Path) -> None:
    """The same for this one file, where other files of its folder may be in the making."""
    for part in path.parent.glob(".*.part*"):
        if re.fullmatch(rf"\.{re.escape(path.stem)}\.\d+\.part{re.escape(path.suffix)}", part.name):
            part.unlink()


@contextmanager
def alone(lock: Path, *, busy: Callable[[str], Exception], mode: int = 0o600) -> Iterator[None]:
    """Holds the lock file for this process until the block ends, or the process dies.

    Raises at once what `busy` makes of the holder's process id when another holds it (this process included), and OSError.
    Where the system has no advisory locks it holds nothing.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy(os.read(handle, 20).decode("ascii", "replace").strip() or "unknown") from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        # the file stays: removing it would let two processes lock two files of the same name
        yield
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """The hash of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
