"""Ways to end a training before its last step without losing one: a file in the run's folder, or a signal.

    with Stops(run) as stops:
        ...
        stops.asked()        # None, "request" after `request_stop(run)`, or "SIGTERM"

A request ends the training well, with its LoRA written. A signal (SIGINT, SIGTERM) ends it after the step at work, to be
resumed; a second one breaks off at once.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from zirelia.errors import TrainingError
from zirelia.files import whole_file

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
REQUEST = "request"


def request_stop(run: Path) -> None:
    """Asks the training that runs in `run` to end after its next step, and to write its LoRA.

    Raises NotFound when no training was ever there, TrainingError when none runs there now.
    """
    from zirelia.training.status import read_status

    status = read_status(run)
    if not status.running:
        raise TrainingError(f"no training runs in {run}: it is {status.state}", hint="there is nothing to stop")
    with whole_file(_file(run)) as part:
        part.touch()


def forget_request(run: Path) -> None:
    """Before a training shows itself: a request from before was meant for an earlier one."""
    _file(run).unlink(missing_ok=True)


class Stops:
    """Listens while the block lasts. Signals are heard in the main thread only; elsewhere the file alone is."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._signal: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stops:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._heard) for each in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()
        forget_request(self._run)

    def asked(self) -> str | None:
        """The signal's name, "request", or None. A signal goes first: whoever sent it may not wait for long."""
        if self._signal is not None:
            return self._signal
        return REQUEST if _file(self._run).exists() else None

    def _heard(self, number: int, _: FrameType | None) -> None:
        self._signal = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for each, before in self._before.items():
            signal.signal(each, signal.SIG_DFL if before is None else before)  # None: it was not Python's
        self._before = {}


def _file(run: Path) -> Path:
    return run / "stop"
