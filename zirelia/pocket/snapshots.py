"""Learning that survives kill -9: a step loop that writes all it holds, atomically, every so often.

    learn(stage="vae", schedule=schedule, step=step, parts={"model": vae, "optimiser": adam}, at=work / "vae.safetensors")

Every step draws its randomness from (seed, step) alone, see `draws`, so the position is all there is to remember of
the random state: a resumed run takes the very steps that an uninterrupted one takes. It knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zirelia.files import whole_file
from zirelia.pocket.progress import Meter, Report
from zirelia.pocket.recipe import Schedule

if TYPE_CHECKING:
    import torch


class Stateful(Protocol):
    """Something whose whole state is named tensors: a module, a moving average, `AdamState`."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


class AdamState:
    """An optimiser seen as named tensors; its settings come from the recipe and are not kept."""

    def __init__(self, optimiser: torch.optim.Optimizer) -> None:
        self._optimiser = optimiser

    def state_dict(self) -> dict[str, Any]:
        slots = self._optimiser.state_dict()["state"]
        return {f"{index}.{key}": tensor for index, slot in slots.items() for key, tensor in slot.items()}

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        slots: dict[int, dict[str, Any]] = {}
        for name, tensor in state_dict.items():
            index, key = name.split(".")
            slots.setdefault(int(index), {})[key] = tensor
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": slots, "param_groups": groups})


def draws(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The randomness of one step, for numpy and for torch."""
    import torch

    numbers = np.random.default_rng([seed, step])
    return numbers, torch.Generator().manual_seed(int(numbers.integers(1 << 62)))


def learn(
    *,
    stage: str,
    schedule: Schedule,
    step: Callable[[int], float],
    parts: Mapping[str, Stateful],
    at: Path,
    report: Report,
    on_snapshot: Callable[[int], None] | None = None,
) -> None:
    """Take the steps that are left, from the last snapshot on."""
    start = _restore(at, parts)
    meter = Meter(stage, schedule.steps, report, start=start)
    for position in range(start, schedule.steps):
        loss = step(position)
        done = position + 1
        if done % schedule.snapshot_every == 0 or done == schedule.steps:
            _save(at, done, parts)
            if on_snapshot is not None:
                on_snapshot(done)
        meter.tick(done, loss)


def _save(at: Path, done: int, parts: Mapping[str, Stateful]) -> None:
    from safetensors.torch import save_file

    tensors = {
        f"{name}/{key}": tensor.detach().cpu().clone().contiguous()
        for name, held in parts.items()
        for key, tensor in held.state_dict().items()
    }
    with whole_file(at) as part:
        save_file(tensors, part, metadata={"done": str(done)})


def _restore(at: Path, parts: Mapping[str, Stateful]) -> int:
    from safetensors import safe_open

    if not at.exists():
        return 0
    with safe_open(at, framework="pt") as saved:
        names = list(saved.keys())
        for part, held in parts.items():
            mine = [name for name in names if name.startswith(f"{part}/")]
            held.load_state_dict({name.removeprefix(f"{part}/"): saved.get_tensor(name) for name in mine})
        return int(saved.metadata()["done"])
