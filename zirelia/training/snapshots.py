"""Snapshots of a run: whole or absent, safetensors and JSON only.

    snapshots = Snapshots(run, identity)
    snapshots.save(50, record, adapter)
    done, record = snapshots.restore(adapter)
    checkpoints(run)         # what there is to choose from

    run/step-000050/lora.safetensors     the checkpoint, as any other LoRA file
    run/step-000050/state.safetensors    weights, average and optimiser (newest snapshot only)
    run/step-000050/state.json           step, losses, identity of the run (newest snapshot only)

The random state and the position in the data follow from seed and step (see `order.draws`), so the step is all there is to
remember of them. It does not know how a step is taken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zirelia.domain.lora import Checkpoint
from zirelia.errors import TrainingError
from zirelia.files import whole_folder
from zirelia.training.lora_file import read_lora

if TYPE_CHECKING:
    from zirelia.training.adapter import Adapter

_SMOOTHED = 50

Curve: TypeAlias = list[tuple[float, float]]
"""Per step: the loss on the instance rows and on the preservation rows."""


@dataclass
class Record:
    """What was measured so far: the curve, and per validation the steps done and the loss."""

    curve: Curve = field(default_factory=list)
    validations: list[tuple[int, float]] = field(default_factory=list)

    @property
    def smoothed(self) -> float | None:
        """The mean instance loss of the last steps, at most 50."""
        last = [loss for loss, _ in self.curve[-_SMOOTHED:]]
        return sum(last) / len(last) if last else None


class Snapshots:
    """The snapshots of one run. `identity` is the hash of all that decides the run; a snapshot of another is refused."""

    def __init__(self, run: Path, identity: str, write_lora: Callable[[Path], None]) -> None:
        self._run, self._identity, self._write_lora = run, identity, write_lora

    def save(self, done: int, record: Record, adapter: Adapter) -> None:
        from safetensors.torch import save_file

        with whole_folder(self._run / f"step-{done:06d}") as part:
            self._write_lora(part / "lora.safetensors")
            save_file(adapter.state(), part / "state.safetensors")
            state = {"step": done, "identity": self._identity, "curve": record.curve, "validations": record.validations}
            (part / "state.json").write_text(json.dumps(state), encoding="utf-8")
        for older in _resumable(self._run)[:-1]:
            (older / "state.json").unlink()
            (older / "state.safetensors").unlink(missing_ok=True)

    def restore(self, adapter: Adapter) -> tuple[int, Record]:
        """The steps done and what was measured so far; none of either without a snapshot. Raises TrainingError on a snapshot
        that is damaged or of another run.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        found = _resumable(self._run)
        if not found:
            return 0, Record()
        newest = found[-1]
        try:
            state = json.loads((newest / "state.json").read_text(encoding="utf-8"))
            done, identity = int(state["step"]), str(state["identity"])
            record = Record(
                curve=[(float(loss), float(kept)) for loss, kept in state["curve"]],
                validations=[(int(step), float(loss)) for step, loss in state.get("validations", [])],
            )
            tensors = load_file(newest / "state.safetensors")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise TrainingError(
                f"the snapshot {newest} cannot be read: {error}",
                hint="delete that folder to go on from an older one, or train anew (resume=False, --anew)",
            ) from error
        if identity != self._identity:
            raise TrainingError(
                f"the snapshot {newest} belongs to another plan, dataset or base",
                hint="choose another output, or train anew (resume=False, --anew)",
            )
        adapter.restore(tensors)
        return done, record

    def discard(self) -> None:
        """Removes the checkpoints, and the samples and the log that were made of them."""
        for folder in (*self._run.glob("step-*"), self._run / "samples", self._run / "tensorboard"):
            if folder.is_dir():
                shutil.rmtree(folder)


def checkpoints(run: Path) -> tuple[Checkpoint, ...]:
    """Every kept checkpoint of a run, earliest first, each verified. Raises TrainingError for a damaged one."""
    found = []
    for path in sorted(run.glob("step-*/lora.safetensors")):
        lora, _ = read_lora(path)
        found.append(Checkpoint(step=int(path.parent.name.removeprefix("step-")), lora=lora))
    return tuple(found)


def begun(run: Path, identity: str) -> bool:
    """Whether the folder holds a snapshot of that very run, so that a training of it can go on."""
    found = _resumable(run)
    if not found:
        return False
    try:
        return bool(json.loads((found[-1] / "state.json").read_text(encoding="utf-8"))["identity"] == identity)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _resumable(run: Path) -> list[Path]:
    return sorted(path.parent for path in run.glob("step-*/state.json"))
