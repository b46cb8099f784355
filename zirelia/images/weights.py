"""Reads what a LoRA file says of itself, and refuses it before a loader sees it: safetensors, whole, made for the base.

    header = read_header(path)                 # names, types and shapes; no tensor is read
    facts = check_lora(header, shapes)         # rank, and that every pair fits a layer of the base
    shapes = {"transformer.norm_out.linear": (192, 192)}    # (out, in) of the base's layers

Knows no torch and no diffusers, so that a file can be checked on a machine that has neither.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zirelia.errors import ConfigurationError

_HEADER_LIMIT = 32 * 1024 * 1024
_FILE_LIMIT = 4 * 1024**3
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "I16": 2, "I8": 1}
_BYTES |= {"U8": 1, "BOOL": 1}
_PAIR = re.compile(r"^(?P<module>.+?)\.(?P<side>lora_A|lora_B|lora_down|lora_up|lora\.down|lora\.up)(\.default)?\.weight$")
_DOWN = frozenset({"lora_A", "lora_down", "lora.down"})
_OURS = re.compile(r"^(transformer|unet|text_encoder(_\d)?)\.")
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


@dataclass(frozen=True)
class Header:
    """What stands at the top of a safetensors file: tensor name → (type, shape), and free metadata."""

    path: Path
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class LoraFacts:
    """rank: the largest; modules: how many layers it changes; native: whether names are those of diffusers."""

    rank: int
    modules: int
    native: bool


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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
        raise ConfigurationError(f"{path} is a pickle or an archive that is named .safetensors: it is not loaded")
    if size > _FILE_LIMIT:
        raise ConfigurationError(f"{path} has {size:,} bytes; a LoRA has at most {_FILE_LIMIT:,}")
    if not text or len(text) < length:
        raise ConfigurationError(f"{path} is no safetensors file, or is cut off", hint="download or train it again")
    return _parse(path, text, size - 8 - length)


def _parse(path: Path, text: bytes, body: int) -> Header:
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        spans = sorted((*map(int, _two(entry["data_offsets"])), name) for name, entry in entries.items())
        tensors = {name: (str(entry["dtype"]), tuple(int(side) for side in entry["shape"])) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: the safetensors header is damaged ({error})") from error
    expected = 0
    for start, end, name in spans:
        kind, shape = tensors[name]
        if kind not in _BYTES or any(side < 0 for side in shape):
            raise ConfigurationError(f"{path}: tensor {name} has the unknown type or shape {kind} {shape}")
        if start != expected or end - start != _BYTES[kind] * math.prod(shape):
            raise ConfigurationError(f"{path}: tensor {name} does not lie where its header says: the file is damaged")
        expected = end
    if expected != body:
        raise ConfigurationError(f"{path}: the header describes {expected:,} bytes and {body:,} follow: it is cut off")
    return Header(path, tensors, {str(key): str(value) for key, value in dict(metadata).items()})


def _two(offsets: Any) -> tuple[Any, Any]:
    start, end = offsets
    return start, end


def check_lora(header: Header, shapes: Mapping[str, tuple[int, int]]) -> LoraFacts:
    """That the file is a LoRA of whole pairs that fit layers of the base.

    Args:
        shapes: the base's layers as name → (out, in). Files in the naming of other trainers (kohya, XLabs) are converted by
            diffusers when they are loaded; of those only the pairs are checked here.

    Raises ConfigurationError that says how many layers do not fit and names the first.
    """
    pairs = _pairs(header)
    ranks = {module: _rank(header.path, module, pair) for module, pair in pairs.items()}
    native = all(_OURS.match(module) and set(pair) == {"lora_A", "lora_B"} for module, pair in pairs.items())
    if native:
        _check_fit(header.path, pairs, shapes)
    return LoraFacts(rank=max(ranks.values()), modules=len(pairs), native=native)


def _pairs(header: Header) -> dict[str, dict[str, tuple[int, ...]]]:
    pairs: dict[str, dict[str, tuple[int, ...]]] = {}
    strange: list[str] = []
    for name, (_, shape) in header.tensors.items():
        if match := _PAIR.match(name):
            pairs.setdefault(match["module"], {})[match["side"]] = shape
        elif not name.endswith(".alpha"):
            strange.append(name)
    if not pairs:
        first = next(iter(header.tensors), "nothing")
        raise ConfigurationError(
            f"{header.path} holds no LoRA: no lora_A/lora_B or lora_down/lora_up pairs (first name: {first})",
            hint="is it a whole checkpoint? give the LoRA file that was trained on the base model",
        )
    if strange:
        raise ConfigurationError(
            f"{header.path}: {len(strange)} tensors belong to no LoRA pair, such as {strange[0]}",
            hint="DoRA and LoKr files are not supported: train or export a plain LoRA",
        )
    return pairs


def _rank(path: Path, module: str, pair: Mapping[str, tuple[int, ...]]) -> int:
    down = next((shape for side, shape in pair.items() if side in _DOWN), None)
    up = next((shape for side, shape in pair.items() if side not in _DOWN), None)
    if down is None or up is None or len(pair) != 2:
        raise ConfigurationError(f"{path}: {module} has only one half of its pair ({', '.join(pair)})")
    if len(down) < 2 or len(up) < 2 or down[0] != up[1] or down[0] < 1:
        raise ConfigurationError(f"{path}: the halves of {module} do not fit: {list(down)} and {list(up)}")
    return down[0]


def _check_fit(path: Path, pairs: Mapping[str, Mapping[str, tuple[int, ...]]], shapes: Mapping[str, tuple[int, int]]) -> None:
    unknown = [module for module in pairs if module not in shapes]
    wrong = [
        f"{module} is {pair['lora_B'][0]} x {pair['lora_A'][1]}, the base has {shapes[module][0]} x {shapes[module][1]}"
        for module, pair in pairs.items()
        if module in shapes and (pair["lora_B"][0], pair["lora_A"][1]) != shapes[module]
    ]
    if not unknown and not wrong:
        return
    said = wrong[0] if wrong else f"the base has no layer {unknown[0]}"
    raise ConfigurationError(
        f"{path} was trained on another base model: {len(unknown) + len(wrong)} of {len(pairs)} layers do not fit; {said}",
        hint="choose the base model that the LoRA's card names, or a LoRA of this base",
    )
