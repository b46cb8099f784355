"""The top of a safetensors file: names, types and shapes of its tensors, and free metadata; no tensor is read.

    header = read_header(Path("mira.safetensors"))
    header.tensors["transformer.x_embedder.lora_A.weight"]      # ("BF16", (16, 64))
    header.metadata.get("modelspec.title")

A pickle under a false name, a cut file and a header that lies are refused here, before any loader sees them. Knows no torch and
nothing of what the tensors are for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zirelia.errors import ConfigurationError

_HEADER_LIMIT = 32 * 1024 * 1024
_FILE_LIMIT = 4 * 1024**3
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1}
_BYTES |= {"U8": 1, "BOOL": 1}
_AGAIN = "download or train it again"
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


@dataclass(frozen=True)
class Header:
    """What stands at the top: tensor name → (type, shape), and metadata."""

    path: Path
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Raises ConfigurationError for a missing, pickled, cut or inconsistent file."""
    if path.suffix != ".safetensors":
        raise ConfigurationError(
            f"{path}: LoRA weights are read from .safetensors files only",
            hint="convert it with a tool that you trust; pickled weights can run code",
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            text = file.read(length) if 2 <= length <= min(_HEADER_LIMIT, size - 8) else b""
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from error
    if start.startswith(_PICKLE_STARTS):
        raise ConfigurationError(
            f"{path} is a pickle or an archive that is named .safetensors: it is not loaded",
            hint="get it as safetensors; pickled weights can run code",
        )
    if size > _FILE_LIMIT:
        raise ConfigurationError(
            f"{path} has {size:,} bytes; a LoRA has at most {_FILE_LIMIT:,}", hint="is it a whole checkpoint?"
        )
    if not text or len(text) < length:
        raise ConfigurationError(f"{path} is no safetensors file, or is cut off", hint=_AGAIN)
    return _parse(path, text, size - 8 - length)


def _parse(path: Path, text: bytes, body: int) -> Header:
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        spans = sorted((*map(int, _two(entry["data_offsets"])), name) for name, entry in entries.items())
        tensors = {name: (str(entry["dtype"]), tuple(int(side) for side in entry["shape"])) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: the safetensors header is damaged ({error})", hint=_AGAIN) from error
    expected = 0
    for start, end, name in spans:
        kind, shape = tensors[name]
        if kind not in _BYTES or any(side < 0 for side in shape):
            raise ConfigurationError(f"{path}: tensor {name} has the unknown type or shape {kind} {shape}", hint=_AGAIN)
        if start != expected or end - start != _BYTES[kind] * math.prod(shape):
            raise ConfigurationError(
                f"{path}: tensor {name} does not lie where its header says: the file is damaged", hint=_AGAIN
            )
        expected = end
    if expected != body:
        raise ConfigurationError(
            f"{path}: the header describes {expected:,} bytes and {body:,} follow: it is cut off", hint=_AGAIN
        )
    return Header(path, tensors, {str(key): str(value) for key, value in dict(metadata).items()})


def _two(offsets: Any) -> tuple[Any, Any]:
    start, end = offsets
    return start, end


def in_order(encoded: bytes) -> bytes:
    """The same safetensors bytes with a sorted header: the library writes metadata in a new order every time."""
    length = int.from_bytes(encoded[:8], "little")
    header = json.dumps(json.loads(encoded[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + encoded[8 + length :]
