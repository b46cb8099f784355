"""A training for kohya's sd-scripts: dataset.toml, the sample prompts, and the command, as one shell script.

    kohya_script(order)      # writes two files, then `accelerate launch flux_train_network.py ...`

It knows sd-scripts' flags, and that its cached text encodings cannot be dropped out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zirelia.training.exports_order import (
    BaseKind,
    ScriptOrder,
    Variable,
    command,
    comments,
    here_document,
    number,
    plan_notes,
    toml,
)
from zirelia.training.plan import Targets, TrainingPlan

_SCRIPTS = {
    BaseKind.FLUX: "flux_train_network.py",
    BaseKind.SDXL: "sdxl_train_network.py",
    BaseKind.SD15: "train_network.py",
}
_SWAPPED = {16: 8, 12: 16, 8: 28}
"""Gigabytes → transformer blocks that wait in main memory."""
_DATASET, _PROMPTS = "dataset.toml", "prompts.txt"


def kohya_script(order: ScriptOrder) -> str:
    cached = order.family is not BaseKind.SD15
    return (
        "#!/usr/bin/env bash\n"
        + comments([*_introduction(order), *_notes(order, cached=cached)])
        + "set -euo pipefail\n"
        + ("MODELS=${MODELS:-models}\n" if order.family is BaseKind.FLUX else "")
        + here_document(_DATASET, dataset_toml(order, cached=cached))
        + here_document(_PROMPTS, sample_prompts(order))
        + command(
            ["accelerate", "launch", "--num_cpu_threads_per_process", "1", _SCRIPTS[order.family]],
            _common(order, cached=cached) | _of_family(order),
        )
    )


def _introduction(order: ScriptOrder) -> list[str]:
    lines = [
        f"Zirelia, plan '{order.plan.name}': the LoRA of '{order.dataset.persona}' with kohya's sd-scripts.",
        "Run it in a checkout of https://github.com/kohya-ss/sd-scripts, in its environment.",
    ]
    if order.family is BaseKind.FLUX:
        lines.append(
            "MODELS is the folder of flux1-dev.safetensors, ae.safetensors, clip_l.safetensors and t5xxl_fp16.safetensors "
            "(single files; the folders of diffusers are not read)."
        )
    return lines


def _notes(order: ScriptOrder, *, cached: bool) -> list[str]:
    plan, notes = order.plan, plan_notes(order.plan)
    if plan.caption_dropout and cached:
        notes.append(f"caption dropout ({number(plan.caption_dropout)}) is left out: it cannot go with cached text encodings")
    if plan.ema:
        notes.append("the average of the weights (EMA) is missing here")
    if plan.schedule == "linear":
        notes.append(f"the linear schedule ends at 0 here, at {number(plan.final_rate)} of the rate with Zirelia")
    if order.family is BaseKind.FLUX and plan.targets is Targets.ATTENTION:
        notes.append("the single blocks join attention and feed-forward, so both are trained there")
    return [f"- {note}" for note in notes]


def dataset_toml(order: ScriptOrder, *, cached: bool) -> str:
    plan = order.plan
    general: dict[str, Any] = {"caption_extension": ".txt", "shuffle_caption": False}
    if plan.caption_dropout and not cached:
        general["caption_dropout_rate"] = float(plan.caption_dropout)
    sizes = {
        "batch_size": plan.batch,
        "resolution": [plan.resolution, plan.resolution],
        "enable_bucket": plan.buckets,
    } | ({"bucket_no_upscale": True, "bucket_reso_steps": 64} if plan.buckets else {})
    subsets = [("  [[datasets.subsets]]", {"image_dir": folder, "num_repeats": 1}) for folder in order.folders]
    tables: list[tuple[str, Mapping[str, Any]]] = [("[general]", general), ("[[datasets]]", sizes), *subsets]
    return toml(tables)


def sample_prompts(order: ScriptOrder) -> str:
    """One prompt a line with its options; a prompt cannot bring options or a comment of its own."""
    plan = order.plan
    scale = f"{'--g' if order.family is BaseKind.FLUX else '--l'} {number(plan.sample_guidance)}"
    options = f"--w {plan.resolution} --h {plan.resolution} --d {plan.sample_seed} --s {plan.sample_steps} {scale}"
    said = (re.sub(r"-{2,}", "-", prompt).lstrip("# ") for prompt in order.prompts)
    return "".join(f"{prompt} {options}\n" for prompt in said)


def _common(order: ScriptOrder, *, cached: bool) -> dict[str, Any]:
    plan = order.plan
    precision = "bf16" if plan.dtype == "bfloat16" else "no"
    return {
        "--dataset_config": _DATASET,
        "--output_dir": str(order.out),
        "--output_name": order.dataset.persona,
        "--save_model_as": "safetensors",
        "--save_precision": "bf16" if precision == "bf16" else "float",
        "--save_every_n_steps": plan.snapshot_every,
        "--network_dim": plan.rank,
        "--network_alpha": plan.rank,
        "--network_train_unet_only": True,
        "--learning_rate": float(plan.learning_rate),
        "--optimizer_type": "AdamW8bit" if order.eight_bit else "AdamW",
        "--optimizer_args": [
            f"betas={number(plan.betas[0])},{number(plan.betas[1])}",
            f"weight_decay={number(plan.weight_decay)}",
        ],
        "--lr_scheduler": scheduler(plan),
        "--lr_warmup_steps": plan.warmup_steps or None,
        "--max_grad_norm": float(plan.clip),
        "--max_train_steps": plan.steps,
        "--seed": plan.seed,
        "--mixed_precision": precision,
        "--gradient_checkpointing": plan.gradient_checkpointing,
        "--sdpa": True,
        "--cache_latents": True,
        "--cache_latents_to_disk": plan.disk_cache,
        "--cache_text_encoder_outputs": cached,
        "--cache_text_encoder_outputs_to_disk": cached and plan.disk_cache,
        "--sample_prompts": _PROMPTS if plan.sample_every else None,
        "--sample_every_n_steps": plan.sample_every,
        "--max_data_loader_n_workers": 2,
        "--persistent_data_loader_workers": True,
    }


def scheduler(plan: TrainingPlan) -> str:
    """The schedule's name in diffusers, which sd-scripts shares."""
    if plan.schedule == "linear":
        return "linear"
    return "constant_with_warmup" if plan.warmup_steps else "constant"


def _of_family(order: ScriptOrder) -> dict[str, Any]:
    if order.family is not BaseKind.FLUX:
        named = {"--pretrained_model_name_or_path": order.base_model, "--network_module": "networks.lora"}
        return named | ({"--no_half_vae": True} if order.family is BaseKind.SDXL else {})
    plan, base = order.plan, order.base_model
    return {
        "--pretrained_model_name_or_path": base if _single_file(order) else Variable("$MODELS/flux1-dev.safetensors"),
        "--ae": Variable("$MODELS/ae.safetensors"),
        "--clip_l": Variable("$MODELS/clip_l.safetensors"),
        "--t5xxl": Variable("$MODELS/t5xxl_fp16.safetensors"),
        "--t5xxl_max_token_length": plan.max_sequence_length,
        "--network_module": "networks.lora_flux",
        "--network_args": _layers(plan),
        "--timestep_sampling": "shift",
        "--discrete_flow_shift": float(plan.time_shift),
        "--sigmoid_scale": float(plan.time_sigma),
        "--model_prediction_type": "raw",
        "--guidance_scale": float(plan.guidance),
        "--loss_type": "l2",
        "--fp8_base": order.quantised,
        "--blocks_to_swap": _SWAPPED.get(order.gigabytes),
    }


def _single_file(order: ScriptOrder) -> bool:
    return order.base is not None and order.base.endswith(".safetensors")


def _layers(plan: TrainingPlan) -> list[str]:
    """Ranks by kind of layer; 0 leaves a kind out."""
    if plan.targets is Targets.EVERYTHING:
        # image, time, vector, guidance and text input, in this order
        return [f"in_dims=[0,0,{plan.rank},0,{plan.rank}]"]
    modulation = ["img_mod_dim=0", "txt_mod_dim=0", "single_mod_dim=0"]
    return [*modulation, "img_mlp_dim=0", "txt_mlp_dim=0"] if plan.targets is Targets.ATTENTION else modulation
