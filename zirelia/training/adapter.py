"""The LoRA on the model: its layers, the average of its weights, and its state as named tensors.

    model = base.load_model()
    adapter = Adapter(model, plan, base.pattern)
    adapter.lora_tensors()      # {"transformer_blocks.0.attn.to_q.lora_A.weight": ...}

The base stays frozen in its own dtype, the adapter is fp32. It knows nothing of batches or files of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from zirelia.errors import TrainingError
from zirelia.training.bases.loading import hold_in_fp8
from zirelia.training.plan import TrainingPlan


class Adapter:
    """The trained part. `parameters` are in the model's own order, by name; `pattern` says which modules get one."""

    def __init__(self, model: Any, plan: TrainingPlan, pattern: str) -> None:
        self._model = model
        self._decay = plan.ema
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            model.add_adapter(
                LoraConfig(r=plan.rank, lora_alpha=plan.rank, init_lora_weights="gaussian", target_modules=pattern)
            )
        self.parameters: dict[str, torch.nn.Parameter] = {
            name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad
        }
        for parameter in self.parameters.values():
            parameter.data = parameter.data.float()
        if plan.quantisation == "fp8":
            hold_in_fp8(model)
        self.optimiser = _optimiser(self.parameters, plan)
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

    @contextmanager
    def as_saved(self) -> Iterator[None]:
        """Within the block the model carries what would be saved: the average where there is one."""
        held = {name: parameter.data for name, parameter in self.parameters.items()}
        try:
            for name, average in self._average.items():
                self.parameters[name].data = average
            yield
        finally:
            for name, parameter in self.parameters.items():
                parameter.data = held[name]

    def lora_tensors(self) -> dict[str, torch.Tensor]:
        """What is saved as the LoRA: the average where there is one, else the weights; keys as diffusers names them."""
        with self.as_saved():
            return {key: tensor.detach().clone() for key, tensor in get_peft_model_state_dict(self._model).items()}

    def state(self) -> dict[str, torch.Tensor]:
        """Weights, average and optimiser, by name. A plain number of the optimiser's is kept as a tensor without dimensions."""
        tensors = {f"weights/{name}": parameter.detach() for name, parameter in self.parameters.items()}
        tensors |= {f"average/{name}": tensor for name, tensor in self._average.items()}
        for name, parameter in self.parameters.items():
            for slot, kept in self.optimiser.state[parameter].items():
                plain = not isinstance(kept, torch.Tensor)
                tensors[f"adam.{_PLAIN if plain else ''}{slot}/{name}"] = torch.tensor(kept) if plain else kept
        # copies: the eight-bit optimiser gives all its parameters one table, and a file holds no tensor twice
        return {key: tensor.to("cpu").contiguous().clone() for key, tensor in tensors.items()}

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
        slots = _slots(state)
        self.optimiser.load_state_dict(
            {
                "state": {number: slots.get(name, {}) for number, name in enumerate(self.parameters)},
                "param_groups": self.optimiser.state_dict()["param_groups"],
            }
        )


_PLAIN = "plain."


def _slots(state: dict[str, torch.Tensor]) -> dict[str, dict[str, Any]]:
    """What the optimiser kept, by parameter and by its own names."""
    found: dict[str, dict[str, Any]] = {}
    for key, tensor in state.items():
        kind, _, name = key.partition("/")
        if slot := kind.removeprefix("adam.") if kind.startswith("adam.") else "":
            plain = slot.startswith(_PLAIN)
            found.setdefault(name, {})[slot.removeprefix(_PLAIN)] = tensor.item() if plain else tensor
    return found


def _optimiser(parameters: dict[str, torch.nn.Parameter], plan: TrainingPlan) -> Any:
    said = {"lr": plan.learning_rate, "betas": plan.betas, "weight_decay": plan.weight_decay}
    if plan.optimiser == "adamw":
        return torch.optim.AdamW(parameters.values(), **said)
    import bitsandbytes

    return bitsandbytes.optim.AdamW8bit(list(parameters.values()), **said)
