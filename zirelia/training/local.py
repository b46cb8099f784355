"""Training on this machine, as the studio orders it.

    trainer = LocalTrainer(pipeline_dir, plan, base_model="FLUX.1-dev", samples=("mirelo woman, in a park",))
    trainer.train(TrainingOrder(dataset, pictures, out=Path("lora")), call=call, progress=progress)

The LoRA becomes lora/<persona>.safetensors, its run lora/<persona>.run. It costs nothing and never leaves the machine. It does
not know how the checkpoints are chosen from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zirelia.domain.lora import Checkpoint
from zirelia.ports import BackendFacts, PaidCall, Progress, TrainingOrder
from zirelia.training.lora_file import read_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.progress import Heartbeat
from zirelia.training.snapshots import checkpoints
from zirelia.training.trainer import train_lora

_ENCODING = 0.05
"""The share of the progress that encoding is taken to be."""


class LocalTrainer:
    """`ports.Trainer` over `train_lora`.

    Args:
        pipeline_dir: the base, a pipeline's folder.
        plan: what to do; fitted to the machine already.
        other_captions, other_pictures, samples, device, base_model, tensorboard, resume: as `train_lora` takes them.
    """

    def __init__(
        self,
        pipeline_dir: Path,
        plan: TrainingPlan,
        other_captions: Sequence[str] = (),
        other_pictures: Sequence[Path] = (),
        device: str | None = None,
        base_model: str | None = None,
        *,
        samples: Sequence[str] = (),
        tensorboard: bool = False,
        resume: bool = True,
    ) -> None:
        self._pipeline_dir, self._plan = pipeline_dir, plan
        self._other_captions, self._other_pictures = tuple(other_captions), tuple(other_pictures)
        self._device, self._base_model = device, base_model or pipeline_dir.resolve().name
        self._samples, self._tensorboard, self._resume = tuple(samples), tensorboard, resume

    def __repr__(self) -> str:
        return f"LocalTrainer({self._base_model!r}, plan={self._plan.name!r})"

    def facts(self) -> BackendFacts:
        plan = self._plan
        return BackendFacts(
            backend="local",
            model=self._base_model,
            local=True,
            paid=False,
            details={
                "plan": plan.name,
                "steps": str(plan.steps),
                "rank": str(plan.rank),
                "resolution": str(plan.resolution),
                "dtype": plan.dtype if plan.quantisation == "none" else f"{plan.quantisation}, computed in {plan.dtype}",
                "device": self._device or "the card, where there is one",
            },
        )

    def estimate_usd(self, order: TrainingOrder) -> float:  # noqa: ARG002 - the port's signature
        return 0.0

    def cost_usd(self, order: TrainingOrder) -> float | None:  # noqa: ARG002 - the port's signature
        return 0.0

    def train(
        self,
        order: TrainingOrder,
        *,
        call: PaidCall,  # noqa: ARG002 - nothing is paid here, and the run's folder remembers how far it came
        progress: Progress,
    ) -> tuple[Checkpoint, ...]:
        """Every kept checkpoint, earliest first; the finished file alone where its run was forgotten."""
        out = self.out(order)
        train_lora(
            self._pipeline_dir,
            order.dataset,
            order.pictures,
            self._plan,
            out,
            self._other_captions,
            lambda beat: progress(_fraction(beat), str(beat)),
            self._resume,
            base_model=self._base_model,
            device=self._device,
            other_pictures=self._other_pictures,
            samples=self._samples,
            tensorboard=self._tensorboard,
        )
        if kept := checkpoints(out.with_suffix(".run")):
            return kept
        lora, said = read_lora(out)
        return (Checkpoint(step=int(said["ss_steps"]), lora=lora),)

    def out(self, order: TrainingOrder) -> Path:
        """The file that an order leaves; its run's folder is beside it, with the suffix .run."""
        return order.out / f"{order.dataset.persona}.safetensors"


def _fraction(beat: Heartbeat) -> float:
    share = min(1.0, beat.step / beat.steps) if beat.steps else 0.0
    return _ENCODING * share if beat.stage == "encode" else _ENCODING + (1 - _ENCODING) * share
