"""The LoRA on the transformer: its layers, the average of its weights, and its state as named tensors.

    transformer = load_transformer(base, plan, device)
    adapter = Adapter(transformer, plan)
    adapter.lora_tensors()      # {"transformer_blocks.0.attn.to_q.lora_A.weight": ...}

The base stays frozen in its own dtype, the adapter is fp32. It knows nothing of batches or files of a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from zirelia.errors import TrainingError
from zirelia.training.plan import TrainingPlan


def load_transformer(pipeline_dir: Path, plan: TrainingPlan, device: torch.device) -> Any:
    transformer = FluxTransformer2DModel.from_pretrained(
        pipeline_dir / "transformer",
        dtype=getattr(torch, plan.dtype),
        local_files_only=True,
        use_safetensors=True,
    ).to(device)
    transformer.requires_grad_(False)
    if plan.gradient_checkpointing:
        transformer.enable_gradient_checkpointing()
    return transformer


class Adapter:
    """The trained part. `parameters` are in the model's own order, by name."""

    def __init__(self, transformer: Any, plan: TrainingPlan) -> None:
        self._transformer = transformer
        self._decay = plan.ema
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            transformer.add_adapter(
                LoraConfig(
                    r=plan.rank,
                    lora_alpha=plan.rank,
                    init_lora_weights="gaussian",
                    target_modules=plan.targets.pattern,
                )
            )
        self.parameters: dict[str, torch.nn.Parameter] = {
            name: parameter for name, parameter in transformer.named_parameters() if parameter.requires_grad
        }
        for parameter in self.parameters.values():
            parameter.data = parameter.data.float()
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay
        )
        self._average = {name: p.detach().clone() for name, p in self.parameters.items()} if plan.ema else {}

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    def follow(self) -> None:
        """Moves the average towards the weights, after a step."""
        if self._decay is None:
            return
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                self._average[name].lerp_(parameter, 1 - self._decay)

    def lora_tensors(self) -> dict[str, torch.Tensor]:
        """What is saved as the LoRA: the average where there is one, else the weights; keys as diffusers names them."""
        if not self._average:
            return dict(get_peft_model_state_dict(self._transformer))
        held = {name: parameter.data for name, parameter in self.parameters.items()}
        try:
            for name, parameter in self.parameters.items():
                parameter.data = self._average[name]
            return {key: tensor.clone() for key, tensor in get_peft_model_state_dict(self._transformer).items()}
        finally:
            for name, parameter in self.parameters.items():
                parameter.data = held[name]

    def state(self) -> dict[str, torch.Tensor]:
        """Weights, average and optimiser, by name."""
        tensors = {f"weights/{name}": parameter.detach() for name, parameter in self.parameters.items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self._average.items()}
        for name, parameter in self.parameters.items():
            slots = self.optimiser.state[parameter]
            tensors |= {f"adam.{slot}/{name}": tensor for slot, tensor in slots.items()}
        return {key: tensor.to("cpu").contiguous() for key, tensor in tensors.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Takes back what `state` gave. Raises TrainingError when it belongs to other layers."""
        shapes = {f"weights/{name}": tuple(parameter.shape) for name, parameter in self.parameters.items()}
        found = {key: tuple(tensor.shape) for key, tensor in state.items() if key.startswith("weights/")}
        if shapes != found:
            raise TrainingError("the snapshot holds other layers than this plan trains", hint="start again with resume=False")
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[f"weights/{name}"])
                if self._average:
                    self._average[name].copy_(state[f"average/{name}"])
        self.optimiser.load_state_dict(
            {
                "state": {
                    number: {slot: state[f"adam.{slot}/{name}"] for slot in ("step", "exp_avg", "exp_avg_sq")}
                    for number, name in enumerate(self.parameters)
                },
                "param_groups": self.optimiser.state_dict()["param_groups"],
            }
        )
