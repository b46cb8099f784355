"""A training for ostris' ai-toolkit: one YAML file, to run with `python run.py FILE`.

    ai_toolkit_config(order)     # job: extension, config: {name: mira, process: [{type: sd_trainer, ...}]}

It is the one trainer with differential output preservation of its own. It knows ai-toolkit's keys.
"""

from __future__ import annotations

from typing import Any

import yaml

from zirelia.training.exports_order import BaseKind, ScriptOrder, comments, number, plan_notes
from zirelia.training.plan import Targets, TrainingPlan

_LOW = 16


def ai_toolkit_config(order: ScriptOrder) -> str:
    document = {
        "job": "extension",
        "config": {"name": order.dataset.persona, "process": [_process(order)]},
        "meta": {"name": "[name]", "version": "1.0"},
    }
    # wide lines: a folded path is hard to edit
    said = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return comments([*_introduction(order), *_notes(order)]) + said


class _Dumper(yaml.SafeDumper):
    """Numbers in full: PyYAML writes 1e-05 for a small rate."""


_Dumper.add_representer(float, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", number(value)))


def _introduction(order: ScriptOrder) -> list[str]:
    return [
        f"Zirelia, plan '{order.plan.name}': the LoRA of '{order.dataset.persona}' with ai-toolkit.",
        "Save it as a .yaml file and run it in a checkout of https://github.com/ostris/ai-toolkit: python run.py FILE",
    ]


def _notes(order: ScriptOrder) -> list[str]:
    plan, notes = order.plan, plan_notes(order.plan, preserves=True)
    if _preserves(plan):
        notes.append(
            f"preservation compares with the word '{order.noun}' in the trigger's place alone; captions of others, random "
            "words and empty captions are missing here"
        )
    if order.family is BaseKind.FLUX and plan.time_shift != 1.0:
        notes.append(f"the shift of the noise times ({number(plan.time_shift)}) is missing here: they are a plain sigmoid")
    if order.family is BaseKind.FLUX and plan.targets is Targets.EVERYTHING:
        notes.append("the embedders outside the blocks are not trained here")
    if plan.warmup_steps and plan.schedule == "linear":
        notes.append("the linear schedule has no warm-up here")
    return [f"- {note}" for note in notes]


def _process(order: ScriptOrder) -> dict[str, Any]:
    plan = order.plan
    return {
        "type": "sd_trainer",
        "training_folder": str(order.out),
        "device": "cuda:0",
        "trigger_word": order.dataset.trigger,
        "network": _network(plan, order.family),
        "save": {
            "dtype": "bf16" if plan.dtype == "bfloat16" else "float32",
            "save_every": plan.snapshot_every,
            "max_step_saves_to_keep": -(-plan.steps // plan.snapshot_every) + 1,
            "push_to_hub": False,
        },
        "datasets": [_dataset(folder, plan) for folder in order.folders],
        "train": _train(order),
        "model": _model(order),
        "sample": _sample(order),
    }


def _network(plan: TrainingPlan, family: BaseKind) -> dict[str, Any]:
    network: dict[str, Any] = {"type": "lora", "linear": plan.rank, "linear_alpha": plan.rank}
    if family is not BaseKind.FLUX:
        return network
    if plan.targets is Targets.ATTENTION:
        return network | {"network_kwargs": {"only_if_contains": [".attn."]}}
    if plan.targets is Targets.BLOCKS:
        return network | {"network_kwargs": {"ignore_if_contains": [".norm1", ".norm."]}}
    return network


def _dataset(folder: str, plan: TrainingPlan) -> dict[str, Any]:
    return {
        "folder_path": folder,
        "caption_ext": "txt",
        "caption_dropout_rate": float(plan.caption_dropout),
        "shuffle_tokens": False,
        "cache_latents_to_disk": plan.disk_cache,
        "resolution": [plan.resolution],
    }


def _train(order: ScriptOrder) -> dict[str, Any]:
    plan = order.plan
    train: dict[str, Any] = {
        "batch_size": plan.batch,
        "steps": plan.steps,
        "gradient_accumulation_steps": 1,
        "train_unet": True,
        "train_text_encoder": False,
        "gradient_checkpointing": plan.gradient_checkpointing,
        "noise_scheduler": _noise(order.family),
        "optimizer": "adamw8bit" if order.eight_bit else "adamw",
        "optimizer_params": {"betas": list(plan.betas), "weight_decay": float(plan.weight_decay)},
        "lr": float(plan.learning_rate),
        **_schedule(plan),
        "max_grad_norm": float(plan.clip),
        "dtype": "bf16" if plan.dtype == "bfloat16" else "float32",
    }
    if plan.ema:
        train["ema_config"] = {"use_ema": True, "ema_decay": float(plan.ema)}
    if not plan.sample_every:
        train["disable_sampling"] = True
    if _preserves(plan):
        train |= {
            "diff_output_preservation": True,
            "diff_output_preservation_multiplier": float(plan.preservation_weight),
            "diff_output_preservation_class": order.noun,
        }
    return train


def _preserves(plan: TrainingPlan) -> bool:
    return plan.preserving > 0 and plan.preservation == "output"


def _noise(family: BaseKind) -> str:
    return "flowmatch" if family is BaseKind.FLUX else "ddpm"


def _schedule(plan: TrainingPlan) -> dict[str, Any]:
    if plan.schedule == "linear":
        ends = {"start_factor": 1.0, "end_factor": float(plan.final_rate)}
        return {"lr_scheduler": "linear", "lr_scheduler_params": ends}
    if plan.warmup_steps:
        return {"lr_scheduler": "constant_with_warmup", "lr_scheduler_params": {"num_warmup_steps": plan.warmup_steps}}
    return {"lr_scheduler": "constant"}


def _model(order: ScriptOrder) -> dict[str, Any]:
    kind = {BaseKind.FLUX: {"is_flux": True}, BaseKind.SDXL: {"is_xl": True}, BaseKind.SD15: {}}[order.family]
    model: dict[str, Any] = {"name_or_path": order.base_model, **kind}
    if order.family is BaseKind.FLUX:
        model |= {"quantize": order.quantised, "low_vram": order.gigabytes <= _LOW}
    return model


def _sample(order: ScriptOrder) -> dict[str, Any]:
    plan = order.plan
    return {
        "sampler": _noise(order.family),
        "sample_every": plan.sample_every or plan.steps,
        "width": plan.resolution,
        "height": plan.resolution,
        "prompts": list(order.prompts),
        "neg": "",
        "seed": plan.sample_seed,
        "walk_seed": True,
        "guidance_scale": float(plan.sample_guidance),
        "sample_steps": plan.sample_steps,
    }
