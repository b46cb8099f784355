"""The two ways to name the layers of a FLUX.1 transformer, and the matrices that change with them.

    native_names("double_blocks.3.img_attn.qkv")        # three names below transformer_blocks.3.attn
    split(pair, names)                                  # one pair of matrices each
    fuse({"transformer_blocks.3.attn.to_q": pair, ...}) # and back: {"double_blocks.3.img_attn.qkv": pair}

The authors' code (kohya, ComfyUI, XLabs) keeps query, key and value in one matrix, diffusers apart. The converter of diffusers
assumes 19 + 38 blocks of width 3072 and loses the embedders; this one takes any Flux. Knows no files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from zirelia.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor


class Pair(NamedTuple):
    """down is rank x in, up is out x rank; the change of the layer is up @ down, with the alpha folded in."""

    down: Tensor
    up: Tensor

    @property
    def rank(self) -> int:
        return int(self.down.shape[0])


_IMAGE_QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
_TEXT_QKV = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
_DOUBLE: dict[str, tuple[str, ...]] = {
    "img_mod.lin": ("norm1.linear",),
    "txt_mod.lin": ("norm1_context.linear",),
    "img_attn.qkv": _IMAGE_QKV,
    "txt_attn.qkv": _TEXT_QKV,
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.proj": ("attn.to_add_out",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
}
_SINGLE: dict[str, tuple[str, ...]] = {
    "linear1": (*_IMAGE_QKV, "proj_mlp"),
    "linear2": ("proj_out",),
    "modulation.lin": ("norm.linear",),
}
_TOP = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
}
_XLABS_DOUBLE: dict[str, tuple[str, ...]] = {
    "processor.qkv_lora1": _IMAGE_QKV,
    "processor.qkv_lora2": _TEXT_QKV,
    "processor.proj_lora1": ("attn.to_out.0",),
    "processor.proj_lora2": ("attn.to_add_out",),
}
_XLABS_SINGLE: dict[str, tuple[str, ...]] = {
    "processor.qkv": _IMAGE_QKV,
    "processor.proj": ("proj_out",),
}
# diffusers keeps scale before shift in the last norm, the authors shift before scale
_SWAPPED = "norm_out.linear"
_MLP_RATIO = 4


def _flat(names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name.replace(".", "_"): targets for name, targets in names.items()}


_BLOCKS: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "double_blocks": ("transformer_blocks", _flat(_DOUBLE | _XLABS_DOUBLE)),
    "single_blocks": ("single_transformer_blocks", _flat(_SINGLE | _XLABS_SINGLE)),
}
_OWN_BLOCKS: dict[str, dict[str, str]] = {
    block: {name.replace(".", "_"): name for targets in table.values() for name in targets}
    for block, table in (("transformer_blocks", _DOUBLE), ("single_transformer_blocks", _SINGLE))
}
_FLAT_TOP = {name.replace(".", "_"): own for name, own in _TOP.items()}
_OWN_TOP = {own.replace(".", "_"): own for own in _TOP.values()}
_BLOCK = re.compile(r"(double_blocks|single_blocks|transformer_blocks|single_transformer_blocks)_(\d+)_(.+)")


def native_names(name: str) -> tuple[str, ...] | None:
    """The diffusers names of the layers that this one holds; None when it is no layer of a Flux.

    Args:
        name: without prefix, with dots or underlines, in the authors', XLabs' or diffusers' own naming.
    """
    flat = name.replace(".", "_")
    if flat in _FLAT_TOP:
        return (_FLAT_TOP[flat],)
    if flat in _OWN_TOP:
        return (_OWN_TOP[flat],)
    if not (match := _BLOCK.fullmatch(flat)):
        return None
    block, number, tail = match.groups()
    if block in _OWN_BLOCKS:
        own = _OWN_BLOCKS[block].get(tail)
        return None if own is None else (f"{block}.{number}.{own}",)
    target, table = _BLOCKS[block]
    return tuple(f"{target}.{number}.{each}" for each in table[tail]) if tail in table else None


def split(name: str, pair: Pair, targets: Sequence[str]) -> dict[str, Pair]:
    """One pair a target. A part of the sum that touches only other targets is left out, and so is an untouched target.

    Raises ConfigurationError when the rows do not divide among the targets.
    """
    if len(targets) == 1:
        authors = name.replace(".", "_").startswith("final_layer")
        return {targets[0]: _halves_swapped(pair) if targets[0] == _SWAPPED and authors else pair}
    rows, width = pair.up.shape[0], int(pair.down.shape[1])
    sizes = [rows // 3] * 3 if len(targets) == 3 else [width] * 3 + [rows - 3 * width]
    if sum(sizes) != rows or min(sizes) < 1:
        raise ConfigurationError(f"the LoRA's layer {name} has {rows} rows, which are not those of {len(targets)} layers")
    parts: dict[str, Pair] = {}
    for target, up in zip(targets, pair.up.split(sizes), strict=True):
        used = up.ne(0).any(dim=0)
        if bool(used.any()):
            parts[target] = Pair(pair.down[used], up[:, used])
    return parts


def fuse(pairs: Mapping[str, Pair]) -> dict[str, Pair]:
    """The pairs of diffusers' layers under the authors' names: downs below each other, ups block by block.

    Raises ConfigurationError for a layer that the authors' code does not have.
    """
    left = dict(pairs)
    fused: dict[str, Pair] = {}
    for theirs, own in _TOP.items():
        if own in left:
            pair = left.pop(own)
            fused[theirs] = _halves_swapped(pair) if own == _SWAPPED else pair
    blocks = sorted({(match[1], int(match[2])) for name in left if (match := _BLOCK_OF_OURS.match(name))})
    for block, number in blocks:
        theirs, table = ("double_blocks", _DOUBLE) if block == "transformer_blocks" else ("single_blocks", _SINGLE)
        for tail, targets in table.items():
            named = [left.pop(f"{block}.{number}.{target}", None) for target in targets]
            if any(named):
                fused[f"{theirs}.{number}.{tail}"] = _stacked(named)
    if left:
        raise ConfigurationError(
            f"{len(left)} layers have no name in the layout of the FLUX.1 authors, such as {next(iter(left))}",
            hint="export it in the diffusers layout",
        )
    return fused


_BLOCK_OF_OURS = re.compile(r"(transformer_blocks|single_transformer_blocks)\.(\d+)\.")


def _stacked(members: Sequence[Pair | None]) -> Pair:
    import torch

    if len(members) == 1 and members[0] is not None:
        return members[0]
    present = [member for member in members if member is not None]
    width = int(present[0].down.shape[1])
    sizes = [width, width, width, _MLP_RATIO * width][: len(members)]
    up = torch.zeros(sum(sizes), sum(member.rank for member in present), dtype=present[0].up.dtype)
    row = column = 0
    for size, member in zip(sizes, members, strict=True):
        if member is not None:
            if member.up.shape[0] != size:
                raise ConfigurationError(f"a layer of {member.up.shape[0]} rows does not go into a matrix of {size}")
            up[row : row + size, column : column + member.rank] = member.up
            column += member.rank
        row += size
    return Pair(torch.cat([member.down for member in present]), up)


def _halves_swapped(pair: Pair) -> Pair:
    import torch

    first, second = pair.up.chunk(2)
    return Pair(pair.down, torch.cat([second, first]))
