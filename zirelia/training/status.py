"""What a run is doing now, for whoever looks from another process.

    read_status(Path("mira.run"))        # RunStatus(state="training", step=120, steps=300, ...)

`run/status.json` is written whole, at most twice a second, and always when the state changes. Whether its process still lives
is asked of the machine: a run whose process is gone is told as stopped, with its steps kept.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from zirelia.domain.value import Instant, Text, Value
from zirelia.errors import NotFound, TrainingError
from zirelia.files import whole_file
from zirelia.training.progress import Heartbeat

State = Literal["encoding", "training", "sampling", "done", "failed", "stopped"]
_RUNNING = frozenset({"encoding", "training", "sampling"})
_MOST_OFTEN = 0.5
_SILENT = timedelta(minutes=10)
"""A run on another machine whose heart has not beaten for so long is taken to be gone."""


class RunStatus(Value):
    """One look at a run. Losses are of the last step and of the mean of the last ones; memory peaks are in bytes.

    started_at: of the process at work. message: how it ended, or what failed.
    """

    state: State
    step: int = Field(ge=0)
    steps: int = Field(ge=0)
    loss: float | None = None
    smoothed: float | None = None
    validation: float | None = None
    seconds_per_step: float | None = None
    seconds_left: float | None = None
    pid: int
    process_started: float | None = None
    machine: Text
    started_at: Instant
    heartbeat_at: Instant
    memory_peak: int = Field(default=0, ge=0)
    video_memory_peak: int | None = None
    message: str = ""

    @property
    def running(self) -> bool:
        return self.state in _RUNNING

    @property
    def resumable(self) -> bool:
        """Whether the same call would go on from a snapshot or from the beginning, rather than answer a finished file."""
        return self.state in {"failed", "stopped"}


def read_status(run: Path, *, now: datetime | None = None) -> RunStatus:
    """Raises NotFound when no training was ever there, TrainingError for a file that is damaged."""
    try:
        said = (run / "status.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"no training was ever started in {run}", hint="name the .run folder beside the LoRA") from None
    try:
        status = RunStatus.model_validate_json(said)
    except ValidationError as error:
        raise TrainingError(f"{run / 'status.json'} cannot be read: {error.errors()[0]['msg']}", hint="train again") from error
    if status.running and not _alive(status, now or datetime.now(UTC)):
        gone = f"process {status.pid} is gone; the same call goes on from the newest snapshot"
        return status.model_copy(update={"state": "stopped", "message": gone, "seconds_left": None})
    return status


class StatusFile:
    """Writes the status of this process's run; `hear` is a listener of its heartbeats."""

    def __init__(self, run: Path, steps: int) -> None:
        started = datetime.now(UTC)
        self._path, self._written = run / "status.json", float("-inf")
        self._status = RunStatus(
            state="encoding",
            step=0,
            steps=steps,
            pid=os.getpid(),
            process_started=_started(os.getpid()),
            machine=socket.gethostname() or "unknown",
            started_at=started,
            heartbeat_at=started,
        )

    def begin(self) -> None:
        """Raises OSError where nothing can be written."""
        self._write()

    def hear(self, beat: Heartbeat) -> None:
        state: State = {"encode": "encoding", "sample": "sampling"}.get(beat.stage, "training")  # type: ignore[assignment]
        update: dict[str, object] = {"state": state}
        if beat.stage == "train":
            update |= {
                "step": beat.step,
                "loss": beat.loss,
                "smoothed": beat.smoothed,
                "seconds_per_step": 1 / beat.rate if beat.rate else None,
                "seconds_left": beat.seconds_left,
            }
            if beat.validation is not None:
                update["validation"] = beat.validation
        elif beat.stage in {"sample", "write"}:
            update["step"] = beat.step
        changed = state != self._status.state
        self._status = self._status.model_copy(update=update)
        if changed or time.monotonic() - self._written >= _MOST_OFTEN:
            self._write()

    def end(self, state: Literal["done", "failed", "stopped"], message: str, *, step: int | None = None) -> None:
        update: dict[str, object] = {"state": state, "message": message, "seconds_left": None}
        self._status = self._status.model_copy(update=update if step is None else update | {"step": step})
        self._write()

    def _write(self) -> None:
        update = {"heartbeat_at": datetime.now(UTC), "memory_peak": _memory_peak(), "video_memory_peak": _video_memory_peak()}
        self._status = self._status.model_copy(update=update)
        with whole_file(self._path) as part:
            part.write_text(self._status.model_dump_json(indent=1), encoding="utf-8")
        self._written = time.monotonic()


def mark_done(run: Path, steps: int) -> None:
    """Says that the run is done, where its process died between the file and the word."""
    with contextlib.suppress(NotFound, TrainingError):
        if read_status(run).state == "done":
            return
    StatusFile(run, steps).end("done", "", step=steps)


def _alive(status: RunStatus, now: datetime) -> bool:
    if status.machine != socket.gethostname():
        return now - status.heartbeat_at < _SILENT
    began = _started(status.pid)
    if began is None:
        return False
    return status.process_started is None or abs(began - status.process_started) < 1.0  # else the number went to another


def _started(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None when there is none."""
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _memory_peak() -> int:
    try:
        import resource
    except ImportError:  # not a Unix
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _video_memory_peak() -> int | None:
    import torch

    return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None
