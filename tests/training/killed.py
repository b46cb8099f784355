"""Run as a program: trains in forked children and kills them with SIGKILL at chosen moments, then lets another go on.

    python killed.py job.json

Prints, per moment, the steps that the second child took. Forking is safe here because this process itself never computes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

# all that a child would import is imported before the fork, so that each one starts at once
import peft
import peft.utils  # noqa: F401
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline  # noqa: F401
from transformers import AutoTokenizer, CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5TokenizerFast  # noqa: F401

import zirelia.training.session  # noqa: F401
from zirelia.domain.dataset import Dataset
from zirelia.training.plan import TrainingPlan
from zirelia.training.progress import Heartbeat
from zirelia.training.trainer import train_lora


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killer(moment: str) -> Callable[[Heartbeat], None]:
    """Arms the moment: 'train:N' after that step, 'sample:N' before the samples of that step, 'move:NAME' before a file or
    folder takes that name, 'moved:NAME' right after.
    """
    kind, _, name = moment.partition(":")
    move = Path.replace

    def moving(path: Path, target: Path) -> Path:
        if kind == "move" and target.name == name:
            die()
        moved = move(path, target)
        if kind == "moved" and target.name == name:
            die()
        return moved

    Path.replace = moving  # type: ignore[method-assign]
    return lambda beat: die() if kind == beat.stage and beat.step == int(name) else None


def child(job: dict[str, str], out: Path, moment: str | None, heard: list[int]) -> None:
    kill = killer(moment) if moment else lambda beat: None

    def listen(beat: Heartbeat) -> None:
        if beat.stage == "train":
            heard.append(beat.step)
        kill(beat)

    train_lora(
        Path(job["base"]),
        Dataset.model_validate_json(job["dataset"]),
        Path(job["pictures"]),
        TrainingPlan.model_validate_json(job["plan"]),
        out,
        json.loads(job["others"]),
        listen,
        device="cpu",
        samples=json.loads(job["samples"]),
    )


def forked(job: dict[str, str], out: Path, moment: str | None) -> tuple[int, list[int]]:
    """The signal or exit status of a child, and the steps that it took."""
    told = out.with_suffix(".steps")
    pid = os.fork()
    if pid == 0:
        heard: list[int] = []
        status = 1
        try:
            child(job, out, moment, heard)
            told.write_text(json.dumps(heard))
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    status = os.waitpid(pid, 0)[1]
    return status, json.loads(told.read_text()) if status == 0 else []


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(job["folder"])
    answers = {}
    status, steps = forked(job, folder / "whole.safetensors", None)
    answers["whole"] = {"status": status, "steps": steps}
    for number, moment in enumerate(json.loads(job["moments"])):
        out = folder / f"killed-{number}.safetensors"
        killed, _ = forked(job, out, moment)
        status, steps = forked(job, out, None)
        answers[moment] = {"killed": killed, "status": status, "steps": steps}
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
