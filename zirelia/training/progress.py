"""What a training tells while it runs: its heartbeat.

    train_lora(..., progress=lambda beat: console.print(str(beat)))
    # 'train 120/300, loss 0.1843 + 0.0121 preserved, 2.41 steps/s, 72 s left'

A value and the protocol of who hears it. It neither prints nor logs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from zirelia.domain.duration import duration


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One sign of life. `loss` and `preserved` are of this step, `smoothed` is the mean loss of the last ones; `rate` is steps
    per second of this process. `validation` is the loss on the pictures held out, after a step that measured it.
    """

    stage: Literal["encode", "train", "sample", "write"]
    step: int
    steps: int
    loss: float | None = None
    preserved: float | None = None
    rate: float | None = None
    smoothed: float | None = None
    validation: float | None = None

    @property
    def seconds_left(self) -> float | None:
        return (self.steps - self.step) / self.rate if self.rate else None

    def __str__(self) -> str:
        said = [f"{self.stage} {self.step}/{self.steps}"]
        if self.loss is not None:
            said.append(f"loss {self.loss:.4f}" + (f" + {self.preserved:.4f} preserved" if self.preserved is not None else ""))
        if self.validation is not None:
            said.append(f"validation {self.validation:.4f}")
        if self.rate is not None and self.seconds_left is not None:
            said += [f"{self.rate:.2f} steps/s", f"{duration(self.seconds_left)} left"]
        return ", ".join(said)


Listener: TypeAlias = Callable[[Heartbeat], None]


def unheard(_: Heartbeat) -> None:
    """A listener for those who do not look."""
