"""Refuses a LoRA file before a loader sees it: whole pairs of a plain LoRA, made for the base.

    facts = check_lora(read_header(path), shapes)         # rank, and that every pair fits a layer of the base
    shapes = {"transformer.norm_out.linear": (192, 192)}    # (out, in) of the base's layers

Knows no torch and no diffusers, so that a file can be checked on a machine that has neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zirelia.domain.lora_names import refused_kind, trained_for
from zirelia.errors import ConfigurationError
from zirelia.safetensors_header import Header

_PAIR = re.compile(r"^(?P<module>.+?)\.(?P<side>lora_A|lora_B|lora_down|lora_up|lora\.down|lora\.up)(\.default)?\.weight$")
_DOWN = frozenset({"lora_A", "lora_down", "lora.down"})
_OURS = re.compile(r"^(transformer|unet|text_encoder(_\d)?)\.")


@dataclass(frozen=True)
class LoraFacts:
    """rank: the largest; modules: how many layers it changes; native: whether names are those of diffusers."""

    rank: int
    modules: int
    native: bool


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
        _check_fit(header, pairs, shapes)
    return LoraFacts(rank=max(ranks.values()), modules=len(pairs), native=native)


def _pairs(header: Header) -> dict[str, dict[str, tuple[int, ...]]]:
    if kind := refused_kind(header.tensors):
        raise ConfigurationError(
            f"{header.path} is an adapter of the kind {kind}, which is not supported", hint="train or export a plain LoRA"
        )
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
            hint="train or export a plain LoRA, or bring it into the library with zirelia lora import",
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


def _check_fit(
    header: Header, pairs: Mapping[str, Mapping[str, tuple[int, ...]]], shapes: Mapping[str, tuple[int, int]]
) -> None:
    unknown = [module for module in pairs if module not in shapes]
    wrong = [
        f"{module} is {pair['lora_B'][0]} x {pair['lora_A'][1]}, the base has {shapes[module][0]} x {shapes[module][1]}"
        for module, pair in pairs.items()
        if module in shapes and (pair["lora_B"][0], pair["lora_A"][1]) != shapes[module]
    ]
    if not unknown and not wrong:
        return
    said = wrong[0] if wrong else f"the base has no layer {unknown[0]}"
    named = trained_for(header.metadata)
    raise ConfigurationError(
        f"{header.path} was trained on another base model{f' ({named})' if named else ''}: "
        f"{len(unknown) + len(wrong)} of {len(pairs)} layers do not fit; {said}",
        hint="choose the base model that the LoRA's card names, or a LoRA of this base",
    )
