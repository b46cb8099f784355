"""LoRA files of other trainers, read into our own layout and written back into theirs.

    read = read_lora_file(Path("from-a-friend.safetensors"))       # any of: diffusers, peft, kohya, ComfyUI, ai-toolkit, XLabs
    read.tensors["transformer.transformer_blocks.0.attn.to_q.lora_A.weight"]
    read.notes                                                     # ("the text encoder's part (72 layers) was left out",)
    write_lora_file(out, read.tensors, Layout.COMFYUI, metadata)

Our own layout: names as diffusers gives them, bf16, the alpha folded in so that alpha = rank, one rank everywhere. What a file
cannot say in it is refused. Knows no base model and no library.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zirelia.domain.lora_names import refused_kind
from zirelia.errors import ConfigurationError
from zirelia.files import whole_file
from zirelia.safetensors_header import Header, in_order, read_header
from zirelia.training.layouts_flux import Pair, fuse, native_names, split
from zirelia.training.layouts_unet import KOHYA, own_name, unet_names

if TYPE_CHECKING:
    from torch import Tensor

_TENSOR = re.compile(
    r"(?P<module>.+?)(?:\.lora_linear_layer\.|\.lora\.|\.lora_|_lora\.|\.)(?P<side>A|B|down|up)(?:\.[\w-]+)?\.weight"
)
_TEXT = re.compile(r"lora_te\d?_|text_encoder|text_model|conditioner\.|cond_stage_model\.|lora_t5|t5xxl")
_PREFIX = re.compile(r"base_model\.model\.|(?:model\.)?diffusion_model\.|transformer\.|unet\.|lora_unet_|lora_transformer_")
_AGAIN = "download or train it again"
_LARGEST_RANK = 1024
_LARGEST_ALPHA = 1e6


class Layout(StrEnum):
    """How the tensors of a LoRA file are named and cut."""

    DIFFUSERS = "diffusers"
    COMFYUI = "comfyui"
    KOHYA = "kohya"
    AI_TOOLKIT = "ai-toolkit"


@dataclass(frozen=True)
class ReadLora:
    """A LoRA in our own layout. changed: whether anything but the order differs from the file; notes: what, for a person."""

    tensors: Mapping[str, Tensor]
    rank: int
    metadata: Mapping[str, str]
    changed: bool
    notes: tuple[str, ...]


def read_lora_file(path: Path) -> ReadLora:
    """Raises ConfigurationError for a file that is damaged, no plain LoRA, not of finite numbers, or of unknown layers."""
    header = read_header(path)
    if kind := refused_kind(name for name in header.tensors if not _TEXT.search(name)):
        raise ConfigurationError(
            f"{path} is an adapter of the kind {kind}, which is not supported", hint="train or export a plain LoRA"
        )
    notes: list[str] = []
    pairs = _to_native(path, _pairs(header, notes), notes)
    if not any(bool(pair.up.ne(0).any()) for pair in pairs.values()):
        raise ConfigurationError(f"{path} changes nothing: all its weights are zero", hint="its training did not run")
    ranks = {pair.rank for pair in pairs.values()}
    rank = max(ranks)
    if len(ranks) > 1:
        notes.append(f"layers of rank {min(ranks)} to {rank} were all made rank {rank}")
    tensors = _named(pairs, rank)
    kinds = {kind for kind, _ in header.tensors.values()}
    if kinds != {"BF16"}:
        notes.append(f"{', '.join(sorted(kinds))} became BF16")
    return ReadLora(tensors, rank, header.metadata, bool(notes) or set(tensors) != set(header.tensors), tuple(notes))


def _pairs(header: Header, notes: list[str]) -> dict[str, Pair]:
    """The file's own layer names → pairs in float32 with the alpha folded in; the text encoder's are left out."""
    from safetensors import safe_open

    halves: dict[str, dict[str, str]] = {}
    alphas: dict[str, str] = {}
    text: set[str] = set()
    for name in header.tensors:
        match = _TENSOR.fullmatch(name)
        if _TEXT.search(name):
            text.add(match["module"] if match else name.removesuffix(".alpha"))
        elif match:
            halves.setdefault(match["module"], {})["down" if match["side"] in {"A", "down"} else "up"] = name
        elif name.endswith(".alpha"):
            alphas[name.removesuffix(".alpha")] = name
        else:
            raise ConfigurationError(f"{header.path}: the tensor {name} belongs to no LoRA pair", hint="train a plain LoRA")
    if text:
        notes.append(f"the text encoder's part ({len(text)} layers) was left out: only the picture model is changed")
    if not halves:
        raise ConfigurationError(f"{header.path} holds no LoRA of a picture model", hint="is it a whole checkpoint?")
    stored = _stored_alphas(header)
    pairs = {}
    with safe_open(header.path, framework="pt") as opened:

        def read(name: str) -> Tensor:
            tensor: Tensor = opened.get_tensor(name).float()
            if not bool(tensor.isfinite().all()):
                raise ConfigurationError(
                    f"{header.path}: {name} holds numbers that are not finite", hint="its training went wrong: use another one"
                )
            return tensor

        for module, sides in halves.items():
            pair = _whole(header.path, module, sides, read)
            if module in alphas:
                scale = _alpha(header.path, module, read(alphas.pop(module))) / pair.rank
            else:
                scale = stored.scale_of(module, pair.rank)
            pairs[module] = pair if scale == 1.0 else Pair(pair.down, pair.up * scale)
    if alphas:
        raise ConfigurationError(f"{header.path}: {len(alphas)} alphas belong to no layer, such as {next(iter(alphas))}")
    return pairs


def _alpha(path: Path, module: str, said: Tensor) -> float:
    if said.numel() != 1:
        raise ConfigurationError(f"{path}: the alpha of {module} is no single number but {list(said.shape)}")
    return float(said)


def _whole(path: Path, module: str, sides: Mapping[str, str], read: Any) -> Pair:
    if len(sides) != 2:
        raise ConfigurationError(f"{path}: {module} has only one half of its pair ({', '.join(sides.values())})", hint=_AGAIN)
    pair = Pair(read(sides["down"]), read(sides["up"]))
    fits = pair.down.ndim == pair.up.ndim and pair.down.ndim in (2, 4) and pair.down.shape[0] == pair.up.shape[1]
    if not fits or not 1 <= pair.rank <= _LARGEST_RANK or 0 in pair.down.shape or 0 in pair.up.shape:
        raise ConfigurationError(
            f"{path}: the halves of {module} do not fit: {list(pair.down.shape)}, {list(pair.up.shape)}", hint=_AGAIN
        )
    return pair


@dataclass(frozen=True)
class _StoredAlphas:
    """What diffusers writes into the metadata when alpha is not the rank; one entry a component, such as "transformer"."""

    components: Mapping[str, Mapping[str, Any]]

    def scale_of(self, module: str, rank: int) -> float:
        for component, said in self.components.items():
            if component and not module.startswith(f"{component}."):
                continue
            own = module.removeprefix(f"{component}.")
            patterns = said.get("alpha_pattern") or {}
            alpha = next(
                (value for key, value in patterns.items() if own == key or own.endswith(f".{key}")), said["lora_alpha"]
            )
            return float(alpha) / (math.sqrt(rank) if said.get("use_rslora") else rank)
        return 1.0


def _stored_alphas(header: Header) -> _StoredAlphas:
    said = header.metadata.get("lora_adapter_metadata")
    if not said:
        return _StoredAlphas({})
    components: dict[str, dict[str, Any]] = {}
    try:
        for key, value in json.loads(said).items():
            component, _, field = key.rpartition(".")
            components.setdefault(component, {})[field] = value
        kept = {component: fields for component, fields in components.items() if "lora_alpha" in fields}
        for fields in kept.values():
            alphas = [fields["lora_alpha"], *(fields.get("alpha_pattern") or {}).values()]
            if not all(type(alpha) in (int, float) and 0 < alpha < _LARGEST_ALPHA for alpha in alphas):
                raise ValueError(f"the alphas {str(alphas)[:60]}")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"{header.path}: lora_adapter_metadata is damaged ({error})") from error
    if any(fields.get("use_dora") for fields in kept.values()):
        raise ConfigurationError(f"{header.path} is an adapter of the kind DoRA, which is not supported")
    return _StoredAlphas(kept)


def _to_native(path: Path, pairs: Mapping[str, Pair], notes: list[str]) -> dict[str, Pair]:
    """Our layer names, component first, → pairs."""
    native: dict[str, Pair] = {}
    unet: dict[str, Pair] = {}
    unknown: list[str] = []
    renamed = 0
    for module, pair in pairs.items():
        prefix = match[0] if (match := _PREFIX.match(module)) else ""
        name = module.removeprefix(prefix)
        named: dict[str, Pair]
        if prefix != "unet." and (targets := native_names(name)):
            named = {f"transformer.{target}": part for target, part in split(name, pair, targets).items()}
        elif prefix in {"transformer.", "unet."}:
            named = {prefix + own_name(name): pair}
        elif prefix == "lora_unet_" and KOHYA.match(name):
            unet[name] = pair
            continue
        else:
            unknown.append(module)
            continue
        renamed += module not in named
        if doubled := next((each for each in named if each in native), None):
            raise ConfigurationError(f"{path} changes the layer {doubled} twice, under two names")
        native |= named
    if unknown:
        raise ConfigurationError(
            f"{path}: {len(unknown)} of {len(pairs)} layers have names of no known layout, such as {unknown[0]}",
            hint="the layouts of diffusers, peft, kohya, ComfyUI, ai-toolkit and XLabs are read, for FLUX.1, SDXL and SD 1.5",
        )
    if unet:
        names = unet_names(list(unet))
        native |= {f"unet.{names[name]}": pair for name, pair in unet.items()}
    if renamed or unet:
        notes.append(f"{renamed + len(unet)} layers were renamed as diffusers names them")
    if len({name.partition(".")[0] for name in native}) > 1:
        raise ConfigurationError(f"{path} changes a transformer and a UNet: it is of no single base model")
    return native


def _named(pairs: Mapping[str, Pair], rank: int) -> dict[str, Tensor]:
    """The tensors of our own layout: padded with zeros to one rank, bf16, in the order of their names."""
    import torch
    from torch.nn.functional import pad

    tensors: dict[str, Tensor] = {}
    for name, pair in sorted(pairs.items()):
        missing, flat = rank - pair.rank, (0, 0) * (pair.down.ndim - 1)
        down = pad(pair.down, (*flat, 0, missing))
        up = pad(pair.up, (*flat[2:], 0, missing))
        tensors[f"{name}.lora_A.weight"] = down.to(torch.bfloat16).contiguous()
        tensors[f"{name}.lora_B.weight"] = up.to(torch.bfloat16).contiguous()
    return tensors


def in_layout(tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Our own tensors as another tool names and cuts them. Raises ConfigurationError where it has no name for a layer."""
    import torch

    pairs = {
        name.removesuffix(".lora_A.weight"): Pair(tensor, tensors[name.replace(".lora_A.", ".lora_B.")])
        for name, tensor in tensors.items()
        if name.endswith(".lora_A.weight")
    }
    unet = all(name.startswith("unet.") for name in pairs)
    # ai-toolkit keeps diffusers' names for transformers, and kohya's for a UNet, as everybody does
    if layout is Layout.DIFFUSERS or (layout is Layout.AI_TOOLKIT and not unet):
        return dict(tensors)
    if unet:
        named = {f"lora_unet_{name.removeprefix('unet.').replace('.', '_')}": pair for name, pair in pairs.items()}
    else:
        fused = fuse({name.removeprefix("transformer."): pair for name, pair in pairs.items()})
        comfy = layout is Layout.COMFYUI
        named = {
            f"diffusion_model.{name}" if comfy else f"lora_unet_{name.replace('.', '_')}": pair for name, pair in fused.items()
        }
    out: dict[str, Tensor] = {}
    for name, pair in named.items():
        out[f"{name}.lora_down.weight"] = pair.down.contiguous()
        out[f"{name}.lora_up.weight"] = pair.up.contiguous()
        out[f"{name}.alpha"] = torch.tensor(float(pair.rank))
    return out


def encode_lora(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file; equal tensors and metadata give equal bytes."""
    from safetensors.torch import save

    return in_order(save(dict(tensors), metadata={"format": "pt"} | dict(metadata)))


def write_lora_file(path: Path, tensors: Mapping[str, Tensor], layout: Layout, metadata: Mapping[str, str]) -> None:
    """Writes our own tensors in another layout, whole or not at all. Raises ConfigurationError and OSError."""
    encoded = encode_lora(in_layout(tensors, layout), metadata)
    with whole_file(path) as part:
        part.write_bytes(encoded)
