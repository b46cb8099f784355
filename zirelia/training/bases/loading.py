"""How the frozen base is held in memory: whole, in eight bits or in four.

    need_packages(plan, on_gpu=True)     # before anything is loaded
    quantisation_of(plan)                # None, or what from_pretrained takes
    hold_in_fp8(model)                   # after the adapter was added

Linear layers alone are made smaller. What is trained stays float32 whatever the base is held in.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch

from zirelia.errors import MissingExtra, TrainingError
from zirelia.training.plan import TrainingPlan

EXTRA = "quantised"
"""The optional packages for int8, nf4 and the eight-bit optimiser."""


def need_packages(plan: TrainingPlan, *, on_gpu: bool) -> None:
    """Raises MissingExtra where bitsandbytes is asked for and not installed, TrainingError where it has no card to work on."""
    small = plan.quantisation in {"int8", "nf4"}
    if (small or plan.optimiser == "adamw8bit") and importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra(EXTRA, f"a base in {plan.quantisation}" if small else "the eight-bit optimiser")
    if small and not on_gpu:
        raise TrainingError(f"a base in {plan.quantisation} needs a GPU", hint="choose the profile cpu, or quantisation none")


def quantisation_of(plan: TrainingPlan) -> Any:
    """What a model's from_pretrained is told."""
    if plan.quantisation not in {"int8", "nf4"}:
        return None
    from diffusers import BitsAndBytesConfig

    if plan.quantisation == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def hold_in_fp8(model: Any) -> None:
    """Rounds the frozen linear weights of the blocks to float8 (e4m3); autocast widens each one while it is used.

    After the adapter was added: peft gives new matrices the dtype of their layer, and float8 cannot be trained. What comes
    before and after the blocks is small, and rounding it would be seen.
    """
    for name, module in model.named_modules():
        if "transformer_blocks" in name and isinstance(module, torch.nn.Linear) and not module.weight.requires_grad:
            module.weight.data = module.weight.data.to(torch.float8_e4m3fn)
