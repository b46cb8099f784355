"""kill -9 at random moments: nothing is lost, nothing is published twice, nothing that was paid for is paid again.

ZIRELIA_CRASHES=500 pytest tests/engine/test_crashes.py       # what `make crash` runs
"""

from __future__ import annotations

import collections
import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from zirelia.definitions.personas import load_persona
from zirelia.domain.cadence import Slot
from zirelia.domain.ledger import LedgerState
from zirelia.domain.post import PostState
from zirelia.engine.clock import cadence_sha256
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

SCRIPT = Path(__file__).with_name("crashing_node.py")
KILLS = int(os.environ.get("ZIRELIA_CRASHES", "40"))
PATIENCE = 120.0


class Crashing:
    """Nodes that are killed and started again."""

    def __init__(self, home: Path, database: str, names: tuple[str, ...]) -> None:
        self.home, self.database, self.names = home, database, names
        self.store = SqlStore(database, MediaStore(home / "media"))
        self.draw = random.Random(4)
        self.running: dict[str, subprocess.Popen[str]] = {}

    def plan(self, count: int, *, within: float) -> None:
        """So many slots, due one after the other within so many seconds."""
        now = datetime.now(UTC)
        slots = [
            Slot(persona="mira", day=now.date(), window=f"w{n}", at=now + timedelta(seconds=1 + n * within / count))
            for n in range(count)
        ]
        # as the clock would have written them, so that it finds nothing to draw
        fingerprint = cadence_sha256(load_persona("mira").persona.cadence, timedelta(hours=1))
        until = now + timedelta(days=30)
        self.store.plan_slots("mira", slots, until=until, cadence_sha256=fingerprint, lead=timedelta(hours=1), at=now)

    def start(self, name: str) -> None:
        arguments = [sys.executable, str(SCRIPT), str(self.home), self.database, name, str(self.draw.randrange(10**6))]
        with (self.home / f"{name}.err").open("a") as err:
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=err, text=True)
        self.running[name] = process
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            if json.loads(line)["event"] == "up":
                return
        raise AssertionError((self.home / f"{name}.err").read_text()[-2000:])

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def until_done(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            posts = self.store.posts(limit=1000)
            if len(posts) == count and all(post.state is PostState.PUBLISHED for post in posts):
                return
            # what waits for a minute after an uncertain answer is looked at now
            now = datetime.now(UTC)
            for job in self.store.jobs(limit=1000):
                if job.at is not None and job.at > now and job.tries:
                    self.store.wait_until(job.post_id, now, job.problem or "")
            time.sleep(0.3)
        raise AssertionError(collections.Counter(post.state for post in self.store.posts(limit=1000)))

    def check(self, count: int) -> None:
        posts = self.store.posts(limit=1000)
        assert len({post.slot_id for post in posts}) == len(posts) == count
        out = [json.loads(line)["publication"] for line in (self.home / "platform.jsonl").read_text().splitlines()]
        assert sorted(out) == sorted(f"pub-{post.id}-file" for post in posts)
        done = collections.Counter(row.id.partition("~")[0] for row in self.store.ledger() if row.state is LedgerState.DONE)
        assert [key for key, times in done.items() if times > 1] == []

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)
        self.store.close()


def crash(crashing: Crashing, kills: int) -> None:
    posts = max(20, kills)
    crashing.plan(posts, within=kills * 1.2)
    try:
        for name in crashing.names:
            crashing.start(name)
        for _ in range(kills):
            time.sleep(crashing.draw.uniform(0.0, 1.2))
            name = crashing.draw.choice(crashing.names)
            crashing.kill(name)
            crashing.start(name)
        crashing.until_done(posts)
        crashing.check(posts)
    finally:
        crashing.close()


@pytest.mark.slow
def test_sqlite_survives_kills(tmp_path: Path) -> None:
    crash(Crashing(tmp_path, str(tmp_path / "zirelia.db"), ("one",)), KILLS // 2)


@pytest.mark.slow
def test_postgresql_with_two_nodes_survives_kills(tmp_path: Path, postgres_url: str) -> None:
    crash(Crashing(tmp_path, postgres_url, ("one", "two")), KILLS - KILLS // 2)
