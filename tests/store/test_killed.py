"""kill -9 at any moment: what was acknowledged is there, and nothing is there by halves."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import zirelia
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

Until = Callable[[IO[str], str], list[str]]
KILLS = 10
WRITER = Path(__file__).with_name("killed_writer.py")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(zirelia.__file__).parents[1])},
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _killed_turn(writer: subprocess.Popen[str], turn: int, chance: random.Random, until: Until) -> list[tuple[int, int, int]]:
    """What the writer acknowledged before it was killed: (post, version, attempts)."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(f"{turn}\n")
    writer.stdin.flush()
    pid = int(writer.stdout.readline().split()[1])
    assert writer.stdout.readline() == "ready\n"
    lines = [writer.stdout.readline() for _ in range(1 + chance.randrange(12))]
    with contextlib.suppress(subprocess.TimeoutExpired):
        writer.wait(timeout=chance.uniform(0, 0.03))  # the writer goes on; the kill falls anywhere in its next writes
    os.kill(pid, signal.SIGKILL)
    lines += until(writer.stdout, f"end {-signal.SIGKILL}\n")
    return [(int(post), int(version), int(attempts)) for _, post, version, attempts in map(str.split, lines)]


def test_nothing_acknowledged_is_lost_and_nothing_is_half(tmp_path: Path, writer: subprocess.Popen[str], until: Until):
    chance = random.Random(7)
    acknowledged: dict[int, tuple[int, int]] = {}
    for turn in range(KILLS):
        for post_id, version, attempts in _killed_turn(writer, turn, chance, until):
            acknowledged[post_id] = (version, attempts)
        with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
            assert store.problems() == ()
            posts = {post.id: post for post in store.posts(limit=10_000)}
            for post_id, (version, attempts) in acknowledged.items():
                assert posts[post_id].version >= version
                assert len(posts[post_id].attempts) >= attempts
            for post in posts.values():
                history = [event.after for event in store.events(post.id)]
                assert history == [PostState.BRIEFED, PostState.DRAFTED][: post.version + 1]
                assert post.state is history[-1]
                assert [attempt.number for attempt in post.attempts] == [1, 2][: len(post.attempts)]
                for attempt in post.attempts:
                    store.media.read(attempt.image)
                    assert attempt.verdict is not None
                    assert len(attempt.verdict.findings) == len(Criterion)
    assert len(acknowledged) >= KILLS
