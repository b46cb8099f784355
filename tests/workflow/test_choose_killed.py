"""Judging that is killed with -9 at any picture goes on: no picture is drawn twice, and the same one is chosen."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("killed_judge.py")
KILLS = 5


def run(folder: Path, *, kill_after: int | None = None) -> list[str]:
    """The lines that it wrote; with `kill_after`, killed when that many pictures were drawn."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    lines = []
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if kill_after is not None and len(lines) == kill_after:
                process.send_signal(signal.SIGKILL)
                break
        # what was written between the line and the signal counts too
        lines += [line.strip() for line in process.stdout]
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return lines


def test_killed_at_random_moments(tmp_path):
    whole = run(tmp_path / "whole")
    assert whole[-1].startswith("chosen ")
    dice, told = random.Random(3), []
    for _ in range(KILLS):
        told += run(tmp_path / "killed", kill_after=dice.randint(1, len(whole) // KILLS))
    told += run(tmp_path / "killed")
    assert told[-1] == whole[-1]
    # the picture at work when it was killed may be drawn again, and no other
    assert len(told) <= len(whole) + KILLS
    assert set(told) == set(whole)
    assert not list((tmp_path / "killed").glob(".*.part*"))
