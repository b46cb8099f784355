"""A TensorBoard log of a run, for those who look at curves there.

    with Board(run, start=0) as board:
        board.hear(beat)

It writes event files under run/tensorboard with tensorboardX; `tensorboard --logdir` shows them. A resumed run takes back
what was logged of steps that it takes again.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from zirelia.errors import MissingExtra
from zirelia.training.progress import Heartbeat

EXTRA = "tensorboard"


def need_tensorboard() -> None:
    """Raises MissingExtra where the package is not installed."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise MissingExtra(EXTRA, "a TensorBoard log") from error


class Board:
    """A listener that logs. `start` is how many steps an earlier process kept."""

    def __init__(self, run: Path, start: int) -> None:
        self._folder, self._start = run / "tensorboard", start
        self._writer: Any = None

    def __enter__(self) -> Board:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=self._start + 1 if self._start else None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.close()

    def hear(self, beat: Heartbeat) -> None:
        if beat.stage != "train":
            return
        measured = {
            "loss/train": beat.loss,
            "loss/smoothed": beat.smoothed,
            "loss/preserved": beat.preserved,
            "loss/validation": beat.validation,
            "speed/steps per second": beat.rate,
        }
        for name, number in measured.items():
            if number is not None:
                self._writer.add_scalar(name, number, beat.step)
