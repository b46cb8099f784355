"""kill -9 anywhere in a turn, again and again: one post a slot, no half attempt, and everything reaches the queue."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import zirelia
from zirelia.domain.post import IN_QUEUE
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

KILLS = 10
SCRIPT = Path(__file__).with_name("killed_studio.py")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(zirelia.__file__).parents[1]), os.environ.get("PYTHONPATH")])),
        },
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def start(studio: subprocess.Popen[str], posts: int) -> int:
    assert studio.stdin is not None
    assert studio.stdout is not None
    studio.stdin.write(f"{posts}\n")
    studio.stdin.flush()
    return int(studio.stdout.readline().split()[1])


def test_killed_at_random(tmp_path: Path, studio: subprocess.Popen[str], until: Callable[[IO[str], str], list[str]]):
    chance = random.Random(3)
    assert studio.stdout is not None
    stopped_in: Counter[str] = Counter()
    for _ in range(KILLS):
        pid = start(studio, 1000)
        lines = []
        for _ in range(1 + chance.randrange(2)):  # the kill falls into the first or the second post, or into a resumption
            lines.append(studio.stdout.readline())
        with contextlib.suppress(subprocess.TimeoutExpired):
            studio.wait(timeout=chance.uniform(0.005, 0.12))
        os.kill(pid, signal.SIGKILL)
        until(studio.stdout, f"end {-signal.SIGKILL}\n")
        with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
            assert store.problems() == ()
            stopped_in.update(str(post.state) for post in store.posts(limit=1000) if post.state not in IN_QUEUE)
    start(studio, 0)
    assert until(studio.stdout, "end 0\n") == ["resumed\n"]

    assert stopped_in, "no kill fell into a turn: the times do not fit this machine"
    with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
        posts = store.posts(limit=1000)
        assert len(posts) >= KILLS // 2
        assert {str(post.state) for post in posts} == {"awaiting_review"}
        assert len({post.slot_id for post in posts}) == len(posts)
        assert store.taken_slots("mira") == {post.slot_id for post in posts}
        for post in posts:
            assert [attempt.number for attempt in post.attempts] == list(range(1, len(post.attempts) + 1))
            assert len(post.attempts) <= 3
            assert all(attempt.verdict is not None for attempt in post.attempts)
            assert post.chosen_attempt is not None
            assert post.chosen_attempt.verdict is not None
            assert post.chosen_attempt.verdict.passed
            for attempt in post.attempts:
                store.media.read(attempt.image)
            orders = [row for row in store.ledger(post_id=post.id) if row.role == "image"]
            assert len(orders) == len(post.attempts)  # nothing was ordered twice
