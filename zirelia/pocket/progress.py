"""What a long stage tells while it runs.

    build(LAPTOP, ..., progress=lambda p: console.print(str(p)))
    # 'base 1200/4600, loss 0.412, 1.7/s, 33 min left'

A value and a meter. It neither prints nor logs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    stage: str
    done: int
    total: int
    rate: float
    loss: float | None = None

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate else None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", loss {self.loss:.4f}"
        left = "" if self.seconds_left is None else f", {self.seconds_left / 60:.1f} min left"
        return f"{self.stage} {self.done}/{self.total}{loss}, {self.rate:.2f}/s{left}"


Report: TypeAlias = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A report nobody reads."""


REPORTS = 100


class Meter:
    """Turns ticks into about a hundred Progress values: the rate since this run began, the loss smoothed."""

    def __init__(self, stage: str, total: int, report: Report, *, start: int = 0) -> None:
        self._stage, self._total, self._report = stage, total, report
        self._every = max(1, total // REPORTS)
        self._next = start + self._every
        self._start, self._began = start, time.monotonic()
        self._loss: float | None = None

    def tick(self, done: int, loss: float | None = None) -> None:
        if loss is not None:
            self._loss = loss if self._loss is None else 0.98 * self._loss + 0.02 * loss
        if done < self._next and done != self._total:
            return
        self._next = done + self._every
        elapsed = time.monotonic() - self._began
        rate = (done - self._start) / elapsed if elapsed > 0 else 0.0
        self._report(Progress(self._stage, done, self._total, rate, self._loss))
