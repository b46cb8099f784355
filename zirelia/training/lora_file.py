"""The file that a training leaves: one safetensors that diffusers, Replicate and ComfyUI read.

    write_lora(out, tensors, metadata(card))

Keys are `transformer.<module>.lora_A.weight` and `.lora_B.weight` in bf16, one rank everywhere, alpha = rank and therefore no
alpha keys, no text encoder. The metadata follows modelspec and the ss_ keys that other tools show. No date is written: the
same run gives the same bytes.
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
from zirelia.training.files import fingerprint, sha256_of, whole_file
from zirelia.training.plan import TrainingPlan

_KEY = re.compile(r"transformer\.[A-Za-z0-9_.]+\.lora_([AB])\.weight")


@dataclass(frozen=True)
class LoraCard:
    """What the metadata says. `transformer` are the settings of the base's transformer, `identity` names the run."""

    dataset: Dataset
    plan: TrainingPlan
    base_model: str
    base_sha256: str
    transformer: Mapping[str, Any]
    identity: str


def dataset_sha256(dataset: Dataset) -> str:
    return fingerprint(dataset.model_dump(mode="json"))


def architecture(transformer: Mapping[str, Any]) -> str:
    """Name of the base in modelspec: FLUX.1-dev and schnell by their shape, any other Flux by its dimensions."""
    double, single = transformer["num_layers"], transformer["num_single_layers"]
    heads, width = transformer["num_attention_heads"], transformer["attention_head_dim"]
    if (double, single, heads, width) == (19, 38, 24, 128):
        return "flux-1-dev/lora" if transformer["guidance_embeds"] else "flux-1-schnell/lora"
    return f"flux-{double}x{single}x{heads * width}/lora"


def metadata(card: LoraCard, steps_done: int) -> dict[str, str]:
    dataset, plan = card.dataset, card.plan
    kind = architecture(card.transformer)
    tags = Counter(part for reference in dataset.references for part in reference.caption.split(", "))
    known = kind.startswith("flux-1-")
    return {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": kind,
        "modelspec.implementation": "https://github.com/black-forest-labs/flux",
        "modelspec.title": dataset.persona,
        "modelspec.trigger_phrase": dataset.trigger,
        "modelspec.license": "; ".join(sorted({reference.licence for reference in dataset.references})),
        "modelspec.resolution": f"{plan.resolution}x{plan.resolution}",
        "ss_network_module": "networks.lora_flux",
        "ss_network_dim": str(plan.rank),
        "ss_network_alpha": str(plan.rank),
        "ss_base_model_version": "flux1" if known else kind.removesuffix("/lora"),
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
    }


def write_lora(path: Path, tensors: Mapping[str, Any], said: Mapping[str, str]) -> None:
    """Writes the file, whole or not at all. `tensors` are keyed as the transformer names them."""
    import torch
    from safetensors.torch import save

    named = {f"transformer.{key}": tensor.detach().to("cpu", torch.bfloat16).contiguous() for key, tensor in tensors.items()}
    with whole_file(path) as part:
        part.write_bytes(_in_order(save(named, metadata=dict(said))))


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


def _in_order(encoded: bytes) -> bytes:
    """The same safetensors bytes with a sorted header: the library writes metadata in a new order every time."""
    length = int.from_bytes(encoded[:8], "little")
    header = json.dumps(json.loads(encoded[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + encoded[8 + length :]
