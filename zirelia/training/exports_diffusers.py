"""A training for diffusers' example scripts, as one shell script.

    diffusers_script(order)     # a folder with metadata.jsonl, then `accelerate launch train_dreambooth_lora_flux.py ...`

Stable Diffusion 1.5 takes the text-to-image script: the DreamBooth one of that base reads one caption for all pictures. It
knows the scripts' flags.
"""

from __future__ import annotations

import json
import shlex
from pathlib import PurePath
from typing import Any

from zirelia.training.exports_kohya import scheduler
from zirelia.training.exports_order import (
    BaseKind,
    ScriptOrder,
    command,
    comments,
    here_document,
    number,
    one_line,
    plan_notes,
)
from zirelia.training.plan import Targets, TrainingPlan

_SCRIPTS = {
    BaseKind.FLUX: "examples/dreambooth/train_dreambooth_lora_flux.py",
    BaseKind.SDXL: "examples/dreambooth/train_dreambooth_lora_sdxl.py",
    BaseKind.SD15: "examples/text_to_image/train_text_to_image_lora.py",
}
_FOLDER = "zirelia-dataset"
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
_FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp")
_TEXT = ("text_embedder.linear_1", "text_embedder.linear_2")
_REST = ("norm1.linear", "norm1_context.linear", "norm.linear", "context_embedder", *_TEXT)


def diffusers_script(order: ScriptOrder) -> str:
    return (
        "#!/usr/bin/env bash\n"
        + comments([*_introduction(order), *_notes(order)])
        + "set -euo pipefail\n"
        + _dataset(order)
        + command(["accelerate", "launch", _SCRIPTS[order.family]], _common(order) | _of_family(order))
    )


def _introduction(order: ScriptOrder) -> list[str]:
    return [
        f"Zirelia, plan '{order.plan.name}': the LoRA of '{order.dataset.persona}' with the examples of diffusers.",
        "Run it in a checkout of https://github.com/huggingface/diffusers whose release is the installed one.",
    ]


def _notes(order: ScriptOrder) -> list[str]:
    plan, notes = order.plan, plan_notes(order.plan)
    if plan.caption_dropout:
        notes.append(f"caption dropout ({number(plan.caption_dropout)}) is missing here")
    if plan.ema:
        notes.append("the average of the weights (EMA) is missing here")
    if plan.schedule == "linear":
        notes.append(f"the linear schedule ends at 0 here, at {number(plan.final_rate)} of the rate with Zirelia")
    if order.family is BaseKind.FLUX:
        notes.append("the times of the noise follow the scheduler's settings of the base; the plan's shift has no flag here")
        if plan.targets is not Targets.ATTENTION:
            notes.append("proj_out of the single blocks is left out: by its name it would be the last layer as well")
    if plan.buckets:
        notes.append("every picture is cut to a square here")
    if order.family is not BaseKind.SD15 and order.quantised:
        notes.append("the base is not quantised here: it needs a card of 40 GB")
    return [f"- {note}" for note in notes]


def _dataset(order: ScriptOrder) -> str:
    """The pictures under plain names in a folder of their own: the loader refuses a folder that holds others too."""
    copies, rows = [f"mkdir -p {_FOLDER}\n"], []
    for place, reference in enumerate(order.dataset.references, 1):
        name = f"{place:04d}{PurePath(reference.path).suffix.lower()}"
        copies.append(f"cp -- {shlex.quote(str(order.pictures / reference.path))} {shlex.quote(f'{_FOLDER}/{name}')}\n")
        rows.append(json.dumps({"file_name": name, "text": reference.caption}, ensure_ascii=False))
    return "".join(copies) + here_document(f"{_FOLDER}/metadata.jsonl", "\n".join(rows))


def _common(order: ScriptOrder) -> dict[str, Any]:
    plan = order.plan
    return {
        "--pretrained_model_name_or_path": order.base_model,
        "--image_column": "image",
        "--caption_column": "text",
        "--output_dir": str(order.out),
        "--resolution": plan.resolution,
        "--center_crop": True,
        "--rank": plan.rank,
        "--train_batch_size": plan.batch,
        "--max_train_steps": plan.steps,
        "--checkpointing_steps": plan.snapshot_every,
        "--learning_rate": float(plan.learning_rate),
        "--lr_scheduler": scheduler(plan),
        "--lr_warmup_steps": plan.warmup_steps,
        "--adam_beta1": float(plan.betas[0]),
        "--adam_beta2": float(plan.betas[1]),
        "--adam_weight_decay": float(plan.weight_decay),
        "--use_8bit_adam": order.eight_bit,
        "--max_grad_norm": float(plan.clip),
        "--gradient_checkpointing": plan.gradient_checkpointing,
        "--mixed_precision": "bf16" if plan.dtype == "bfloat16" else "no",
        "--seed": plan.seed,
        "--validation_prompt": order.prompts[0] if plan.sample_every else None,
        "--validation_epochs": _epochs(order, plan.sample_every) if plan.sample_every else None,
        "--report_to": "tensorboard",
    }


def _epochs(order: ScriptOrder, steps: int) -> int:
    """The script counts its validations in turns of the whole dataset."""
    return max(1, round(steps * order.plan.batch / len(order.dataset.references)))


def _of_family(order: ScriptOrder) -> dict[str, Any]:
    plan = order.plan
    if order.family is BaseKind.SD15:
        return {"--train_data_dir": _FOLDER}
    # asked for by the script, and read only for a picture without a caption
    named = {"--dataset_name": _FOLDER, "--instance_prompt": one_line(f"{order.dataset.trigger} {order.noun}")}
    if order.family is BaseKind.SDXL:
        return named
    return named | {
        "--guidance_scale": float(plan.guidance),
        "--max_sequence_length": plan.max_sequence_length,
        "--lora_layers": ",".join(_layers(plan)),
        "--weighting_scheme": "logit_normal",
        "--logit_mean": float(plan.time_mu),
        "--logit_std": float(plan.time_sigma),
        "--cache_latents": True,
        "--optimizer": "AdamW",
    }


def _layers(plan: TrainingPlan) -> tuple[str, ...]:
    """Ends of the names of the layers, as peft matches them; the same layers as the plan's pattern but for proj_out."""
    attention = tuple(f"attn.{name}" for name in _ATTENTION)
    return {
        Targets.ATTENTION: attention,
        Targets.BLOCKS: attention + _FEED_FORWARD,
        Targets.EVERYTHING: attention + _FEED_FORWARD + _REST,
    }[plan.targets]
