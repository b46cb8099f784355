"""Files that are whole or absent, and hashes that name them.

    with whole_folder(run / "step-000050") as part:
        save_file(tensors, part / "state.safetensors")

It knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from zirelia.errors import TrainingError

_MEBIBYTE = 1 << 20
_HASHED_WHOLE = 64 * _MEBIBYTE
_SAMPLES = 64


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to; it takes its final name only when all of it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        _to_disk(part)
        part.replace(path)
        _to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder of files; an older folder of that name is replaced."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        for file in part.iterdir():
            _to_disk(file)
        _to_disk(part)
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
        _to_disk(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Removes what a killed process left half written."""
    for part in folder.glob(".*.part*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the folder for this process until it ends, however it ends. Raises TrainingError when another holds it."""
    if os.name != "posix":  # advisory locks that die with their process exist only there
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(
                f"another training is writing to {folder}", hint="wait for it to end, or choose another output"
            ) from error
        yield


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*parts: object) -> str:
    """The hash of plain values (anything that JSON holds)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def model_fingerprint(pipeline_dir: Path, folders: Sequence[str]) -> str:
    """Names the weights and settings in some folders of a pipeline.

    Files up to 64 MiB count whole; of larger ones the size, the beginning (a safetensors header names every tensor) and 64
    samples spread over the file, because reading 24 GB to name them would take longer than it is worth.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(p for p in (pipeline_dir / folder).rglob("*") if p.is_file()):
            size = path.stat().st_size
            digest.update(f"{path.relative_to(pipeline_dir).as_posix()} {size}\n".encode())
            digest.update(bytes.fromhex(sha256_of(path)) if size <= _HASHED_WHOLE else _sampled(path, size))
    return digest.hexdigest()


def _sampled(path: Path, size: int) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for sample in range(_SAMPLES):
            file.seek((size - _MEBIBYTE) * sample // (_SAMPLES - 1))
            digest.update(file.read(_MEBIBYTE))
    return digest.digest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
