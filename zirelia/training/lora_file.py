"""The file that a training leaves: one safetensors that diffusers, Replicate and ComfyUI read.

    write_lora(out, tensors, metadata(card))

Keys are `transformer.<module>.lora_A.weight` and `.lora_B.weight` (`unet.` for SDXL and Stable Diffusion) in bf16, one rank
everywhere, alpha = rank and therefore no alpha keys, no text encoder. The metadata follows modelspec and the ss_ keys that
other tools show. No date is written: the same run gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zirelia.domain.dataset import Dataset
from zirelia.domain.lora import Lora
from zirelia.errors import TrainingError
from zirelia.files import sha256_of, whole_file
from zirelia.safetensors_header import in_order
from zirelia.training.families import architecture, base_version, family_named
from zirelia.training.fingerprints import fingerprint
from zirelia.training.plan import TrainingPlan

__all__ = ["LoraCard", "architecture", "dataset_sha256", "metadata", "read_lora", "write_lora"]

_KEY = re.compile(r"(?:transformer|unet)\.[A-Za-z0-9_.]+\.lora_([AB])\.weight")


@dataclass(frozen=True)
class LoraCard:
    """What the metadata says. `transformer` are the settings of the model that is adapted, `identity` names the run."""

    dataset: Dataset
    plan: TrainingPlan
    base_model: str
    base_sha256: str
    transformer: Mapping[str, Any]
    identity: str


_BASE_TERMS = {
    "flux-1-dev/lora": "FLUX.1 [dev] Non-Commercial License",
    "stable-diffusion-xl-v1-base/lora": "CreativeML Open RAIL++-M",
    "stable-diffusion-v1/lora": "CreativeML Open RAIL-M",
    "stable-diffusion-v2-512/lora": "CreativeML Open RAIL++-M",
}


def base_terms(kind: str) -> tuple[str, ...]:
    """The terms of a base that bind what is trained on it, by its name in modelspec; () where there are none to repeat."""
    return (_BASE_TERMS[kind],) if kind in _BASE_TERMS else ()


def dataset_sha256(dataset: Dataset) -> str:
    return fingerprint(dataset.model_dump(mode="json"))


def metadata(card: LoraCard, steps_done: int, ended: str = "") -> dict[str, str]:
    """The header of the file after so many steps. `ended` says why the training stopped there, if it did."""
    dataset, plan = card.dataset, card.plan
    kind = architecture(card.transformer)
    tags = Counter(part for reference in dataset.references for part in reference.caption.split(", "))
    family = family_named(card.transformer)
    return {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": kind,
        "modelspec.implementation": family.implementation,
        "modelspec.title": dataset.persona,
        "modelspec.trigger_phrase": dataset.trigger,
        "modelspec.license": "; ".join(sorted({*(one.licence for one in dataset.references), *base_terms(kind)})),
        "modelspec.resolution": f"{plan.resolution}x{plan.resolution}",
        "ss_network_module": family.network_module,
        "ss_network_dim": str(plan.rank),
        "ss_network_alpha": str(plan.rank),
        "ss_base_model_version": base_version(kind),
        "ss_tag_frequency": json.dumps({dataset.persona: dict(tags.most_common())}, ensure_ascii=False),
        "ss_num_train_images": str(len(dataset.references)),
        "ss_learning_rate": str(plan.learning_rate),
        "ss_steps": str(steps_done),
        "ss_max_train_steps": str(plan.steps),
        "ss_seed": str(plan.seed),
        "zirelia.base_model": card.base_model,
        "zirelia.base_sha256": card.base_sha256,
        "zirelia.dataset_sha256": dataset_sha256(dataset),
        "zirelia.plan": plan.model_dump_json(),
        "zirelia.run": card.identity,
    } | ({"zirelia.ended": ended} if ended else {})


def write_lora(path: Path, tensors: Mapping[str, Any], said: Mapping[str, str], prefix: str = "transformer") -> None:
    """Writes the file, whole or not at all. `tensors` are keyed as the model names them, `prefix` names the model."""
    import torch
    from safetensors.torch import save

    named = {f"{prefix}.{key}": tensor.detach().to("cpu", torch.bfloat16).contiguous() for key, tensor in tensors.items()}
    with whole_file(path) as part:
        part.write_bytes(in_order(save(named, metadata=dict(said))))


def read_lora(path: Path) -> tuple[Lora, dict[str, str]]:
    """The LoRA of a file written here, verified, and its metadata.

    Raises TrainingError when the file is missing, holds no pairs of matrices of one rank, or does not say what it is.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            said = dict(opened.metadata() or {})
            shapes = {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} is not a whole LoRA file: {error}", hint="train again") from error
    ranks = {shape[0] if match[1] == "A" else shape[1] for key, shape in shapes.items() if (match := _KEY.fullmatch(key))}
    strange = [key for key in shapes if not _KEY.fullmatch(key)]
    if strange or len(ranks) != 1:
        raise TrainingError(f"{path} is not a LoRA of one rank: {strange[:1] or sorted(ranks)}", hint="train again")
    if missing := [key for key in ("modelspec.trigger_phrase", "zirelia.base_model") if key not in said]:
        raise TrainingError(f"{path} does not say its {missing[0]}", hint="it was not written by this trainer")
    lora = Lora(
        path=str(path),
        sha256=sha256_of(path),
        trigger=said["modelspec.trigger_phrase"],
        base_model=said["zirelia.base_model"],
        rank=ranks.pop(),
    )
    return lora, said
