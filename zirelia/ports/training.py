"""The training of a LoRA."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zirelia.domain.dataset import Dataset
from zirelia.domain.lora import Checkpoint
from zirelia.ports.calls import PaidCall, Progress
from zirelia.ports.facts import Describable


@dataclass(frozen=True)
class TrainingOrder:
    """What is to be trained: the dataset, the folder that its paths are relative to, and the folder for what comes out."""

    dataset: Dataset
    pictures: Path
    out: Path


class Trainer(Describable, Protocol):
    """Trains the LoRA of one face, here or at a provider. The same order again goes on where the last one stopped."""

    def estimate_usd(self, order: TrainingOrder) -> float: ...

    def cost_usd(self, order: TrainingOrder) -> float | None:
        """What the finished training of that order cost; None when the provider has not said."""
        ...

    def train(self, order: TrainingOrder, *, call: PaidCall, progress: Progress) -> tuple[Checkpoint, ...]:
        """Every checkpoint that was kept, earliest first, each a verified file under `order.out`. Raises ConsentRequired,
        TrainingError or ProviderError.
        """
        ...
