"""Hashes that name plans, captions and models.

    fingerprint(plan.model_dump(mode="json"), captions)
    model_fingerprint(pipeline_dir, ("vae",))

It knows nothing of training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from zirelia.files import sha256_of

_MEBIBYTE = 1 << 20
_HASHED_WHOLE = 64 * _MEBIBYTE
_SAMPLES = 64


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
