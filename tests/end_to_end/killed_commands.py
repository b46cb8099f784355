"""Runs commands of the real command line, each in a fork of this warm process, and says which steps a training takes.

Example: echo '["HOME", "train", "resume", "luna"]' | python killed_commands.py. Run by test_studio_killed.py. What a command
prints goes to HOME/log.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

# all that a command would import is imported before the fork, so that each one starts at once; nothing is computed here
import peft
import peft.utils  # noqa: F401
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline  # noqa: F401
from transformers import AutoTokenizer, CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5TokenizerFast  # noqa: F401

import zirelia.cli.dataset
import zirelia.cli.train
import zirelia.critic.curation
import zirelia.critic.safety
import zirelia.critic.sightings
import zirelia.images.edit_replicate
import zirelia.pocket.drawing
import zirelia.pocket.looks
import zirelia.training.session  # noqa: F401
from zirelia.cli import run
from zirelia.training.adapter import Adapter
from zirelia.training.loop import Loop
from zirelia.training.snapshots import Record, Snapshots

_step, _save = Loop._step, Snapshots.save
_TOLD = os.dup(1)


def say(*words: object) -> None:
    # one write, so that a kill leaves no half line
    os.write(_TOLD, (" ".join(map(str, words)) + "\n").encode())


def step(self: Loop, number: int) -> tuple[float, float]:
    losses = _step(self, number)
    say("step", number + 1)
    return losses


def save(self: Snapshots, done: int, record: Record, adapter: Adapter) -> None:
    say("saving", done)
    _save(self, done, record, adapter)
    say("saved", done)


def command(home: str, *arguments: str) -> int:
    """In the fork: the exit code of the command line."""
    Loop._step, Snapshots.save = step, save  # type: ignore[method-assign]
    os.chdir(home)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    return run(list(arguments))


if __name__ == "__main__":
    for asked in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = command(*json.loads(asked))
            except BaseException:  # said here: nothing may come back into this loop, which is the parent's
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        say("began", child)
        say("end", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
