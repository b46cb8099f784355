"""Killed with -9 at random moments, a build goes on: the same files in the end, and nothing paid twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import zirelia
from zirelia.domain.ledger import LedgerState
from zirelia.store.datasets import DatasetFiles
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

KILLS = 14
BUILDER = Path(__file__).with_name("killed_builder.py")


def files(folder: Path) -> dict[str, str]:
    """Every file of a dataset but the lock → its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


class Builder:
    """The warm process that forks a builder for each turn."""

    def __init__(self, home: Path) -> None:
        root = str(Path(zirelia.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, str(BUILDER), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def turn(self, kill_after: float | None) -> int:
        """How the turn ended; killed after that many seconds when it is not done by then."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline().split()[1])
        if kill_after is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=kill_after)  # the builder goes on; the kill falls anywhere in its work
            with contextlib.suppress(ProcessLookupError):  # it was done before
                os.kill(pid, signal.SIGKILL)
        return int(self.process.stdout.readline().split()[1])


def prepared(home: Path, photo: bytes, blank: Path) -> Path:
    home.mkdir()
    (home / "me.png").write_bytes(photo)
    shutil.copy(blank, home / "zirelia.db")
    return home


def test_a_build_killed_again_and_again_ends_the_same(tmp_path: Path, paint: Callable[..., bytes], blank: Path):
    calm, torn = (prepared(tmp_path / name, paint(7), blank) for name in ("calm", "torn"))
    chance = random.Random(11)
    with Builder(calm) as builder:
        began = time.monotonic()
        assert builder.turn(None) == 0
        whole = time.monotonic() - began
    kills = 0
    with Builder(torn) as builder:
        for _ in range(KILLS):
            kills += builder.turn(chance.uniform(0.01, 0.09) * whole) == -signal.SIGKILL
            DatasetFiles(torn / "dataset").candidates()  # readable at any moment
        assert builder.turn(None) == 0
    assert kills >= 10
    assert files(torn / "dataset") == files(calm / "dataset")
    paid = (torn / "paid").read_text().splitlines()
    assert len(paid) == len(set(paid))
    with SqlStore(torn / "zirelia.db", MediaStore(torn / "media")) as store:
        rows = store.ledger(persona="mira")
        assert {row.state for row in rows} == {LedgerState.DONE}
        there = DatasetFiles(torn / "dataset").candidates()
        assert len(rows) == len(there) == len((calm / "paid").read_text().splitlines())
        assert sum(row.charged_usd for row in rows) == sum(one.cost_usd for one in there)
