"""kill -9 at random moments and at the worst ones: nothing is lost, nothing goes out twice, no answer is paid for again.

    pytest tests/engine/test_crashes.py          # 20 kills from outside on each database, and those that strike by themselves
    make crash KILLS=500                         # the long form; writes the table of docs/faults.md

Posts go out on the real folder channel and on a platform on loopback that is slow, posts and does not answer, and posts what it
is asked to, as often as it is asked.
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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

HERE = Path(__file__).parent
KILLS = int(os.environ.get("ZIRELIA_CRASHES", "40"))
TABLE = os.environ.get("ZIRELIA_CRASH_TABLE")
PATIENCE = 120.0, 3.0
"""Seconds for the end of all, and for each post besides: they are one persona's, and one account is sent one at a time."""
SHARE = 0.02
"""Of the worst moments, at each of which a node asks whether it dies."""
PACE = (0.15, 1.5)
"""Seconds between two kills, at least and at most: some strike a node that is starting, some one that is at work."""


@dataclass
class Told:
    """What a row of the table says."""

    database: str
    nodes: int
    kills: int = 0
    deaths: collections.Counter[str] = field(default_factory=collections.Counter)
    posts: int = 0
    lost: int = 0
    twice_folder: int = 0
    twice_platform: int = 0
    paid: int = 0
    repeated: int = 0
    again: tuple[str, ...] = ()
    unanswered: int = 0
    seconds: float = 0.0

    def row(self) -> str:
        cells = (
            f"{self.database}, {self.nodes} node{'s' if self.nodes > 1 else ''}",
            f"{self.kills} + {sum(self.deaths.values())}",
            self.posts,
            self.lost,
            self.twice_folder,
            self.twice_platform,
            self.paid,
            self.repeated,
            self.unanswered,
            f"{self.seconds / 60:.1f} min",
        )
        return "| " + " | ".join(map(str, cells)) + " |"


class Crashing:
    """Nodes that are killed and started again, and the platform that outlives them."""

    def __init__(self, home: Path, database: str, names: tuple[str, ...], *, books: Path | None = None) -> None:
        self.home, self.database, self.names, self.books = home, database, names, books or home
        self.store = SqlStore(database, MediaStore(home / "media"))
        self.draw = random.Random(4)
        self.pids: dict[str, int] = {}
        self.book = self.books / "platform.jsonl"
        self.platform, self.url = self._started("-m", "zirelia.testing.platform_server", str(self.book), "7")
        self.forge, ready = self._started(str(HERE / "crashing_node.py"))
        assert ready == "ready"

    def _started(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        with (self.books / "err").open("a") as err:
            process = subprocess.Popen(
                [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True
            )
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        assert first, (self.books / "err").read_text()[-2000:]
        return process, first

    def plan(self, count: int, *, within: float) -> None:
        """So many slots, begun and due one after the other within so many seconds."""
        now = datetime.now(UTC)
        slots = [
            Slot(persona="mira", day=now.date(), window=f"w{n}", at=now + timedelta(seconds=15 + n * within / count))
            for n in range(count)
        ]
        # as the clock would have written them, so that it finds nothing to draw
        fingerprint = cadence_sha256(load_persona("mira").persona.cadence, timedelta(hours=1))
        until = now + timedelta(days=30)
        self.store.plan_slots("mira", slots, until=until, cadence_sha256=fingerprint, lead=timedelta(seconds=15), at=now)

    def start(self, name: str, *, share: float) -> None:
        order = {
            "name": name,
            "home": str(self.home),
            "database": self.database,
            "platform": self.url,
            "log": str(self.books / f"{name}.log"),
            "books": str(self.books),
            "clock": str(self.books / "clock"),
            "seed": self.draw.randrange(10**6),
            "share": share,
        }
        assert self.forge.stdin is not None
        assert self.forge.stdout is not None
        self.forge.stdin.write(json.dumps(order) + "\n")
        self.forge.stdin.flush()
        self.pids[name] = int(self.forge.stdout.readline())

    def alive(self, name: str) -> bool:
        try:
            os.kill(self.pids[name], 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self, name: str) -> bool:
        """False when it had died by itself."""
        try:
            os.kill(self.pids[name], signal.SIGKILL)
        except ProcessLookupError:
            return False
        while self.alive(name):
            time.sleep(0.005)
        return True

    def crash(self, kills: int) -> Iterator[int]:
        """Kills so many times from outside; nodes that die by themselves are started again and not counted."""
        for name in self.names:
            self.start(name, share=SHARE)
        done = ended = 0
        while done < kills:
            assert ended < 20 + 2 * kills, (self.books / f"{self.names[0]}.log").read_text()[-3000:]
            time.sleep(self.draw.uniform(*PACE))
            for name in self.names:
                if not self.alive(name):
                    ended += 1
                    self.start(name, share=SHARE)
            name = self.draw.choice(self.names)
            done += self.kill(name)
            self.start(name, share=SHARE)
            yield done

    def until_done(self, count: int, *, again: bool = True) -> None:
        """Lets nodes that live bring everything to its end; `again` starts them anew, without a share of deaths."""
        for name in self.names if again else ():
            self.kill(name)
            self.start(name, share=0.0)
        deadline = time.monotonic() + PATIENCE[0] + PATIENCE[1] * count
        while time.monotonic() < deadline:
            states = self.store.count_posts()
            if states.get(PostState.PUBLISHED) == count == sum(states.values()):
                return
            # what waits for minutes after a failed try is looked at now
            now = datetime.now(UTC)
            for job in self.store.jobs(dead=False, limit=1000):
                if job.at is not None and job.at > now and job.tries:
                    self.store.wait_until(job.post_id, now, job.problem or "")
            time.sleep(0.3)
        words = [(self.books / f"{name}.log").read_text()[-3000:] for name in self.names]
        raise AssertionError((self.store.count_posts(), self.store.jobs(limit=5), words))

    def told(self, kills: int, count: int, seconds: float) -> Told:
        posts = self.store.posts(limit=10_000)
        own = [json.loads(line)["point"] for line in _lines(self.books / "deaths.jsonl")]
        platform = collections.Counter(json.loads(line)["publication"] for line in _lines(self.book))
        folder = collections.Counter(
            json.loads(path.read_bytes())["receipt"]["platform_id"] for path in (self.home / "outbox").glob("*.receipt.json")
        )
        slots = {post.slot_id for post in posts}
        wanted = {channel: {f"pub-{post.id}-{channel}" for post in posts} for channel in ("folder", "loopback")}
        missing = sum(len(wanted[name] - found.keys()) for name, found in (("folder", folder), ("loopback", platform)))
        done = collections.Counter(row.id.partition("~")[0] for row in self.store.ledger() if row.state is LedgerState.DONE)
        paid = collections.Counter(json.loads(line)["row"] for line in _lines(self.books / "paid.jsonl"))
        return Told(
            database="SQLite" if self.store.is_sqlite else "PostgreSQL",
            nodes=len(self.names),
            kills=kills,
            deaths=collections.Counter(own),
            posts=len(posts),
            lost=count - len(slots) + missing,
            twice_folder=sum(times - 1 for times in folder.values()),
            twice_platform=sum(times - 1 for times in platform.values()),
            paid=sum(paid.values()),
            repeated=sum(times - 1 for times in done.values()),
            again=tuple(call for call, times in done.items() if times > 1),
            unanswered=sum(times - 1 for times in paid.values()),
            seconds=seconds,
        )

    def close(self) -> None:
        for name in self.pids:
            self.kill(name)
        for process in (self.forge, self.platform):
            process.kill()
            process.communicate()
        self.store.close()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def run(crashing: Crashing, kills: int) -> None:
    count, began = max(20, kills), time.monotonic()
    crashing.plan(count, within=kills * sum(PACE) / 2)
    try:
        for done in crashing.crash(kills):
            if TABLE and done % 10 == 0:
                rate = (time.monotonic() - began) / done
                sys.stderr.write(
                    f"\r{done} of {kills} kills · {rate:.1f} s a kill · {rate * (kills - done) / 60:.0f} min left "
                )
        crashing.until_done(count)
        told = crashing.told(kills, count, time.monotonic() - began)
    finally:
        crashing.close()
    if TABLE:
        with Path(TABLE).open("a") as table:
            table.write(told.row() + "\n")
            table.write(f"<!-- by themselves: {dict(told.deaths)} -->\n")
    assert (told.lost, told.twice_folder, told.twice_platform, told.repeated) == (0, 0, 0, 0), told
    assert told.posts == count
    # a call whose answer was not stored is paid for again; one death has at most two calls under way
    assert told.unanswered <= 2 * (kills + sum(told.deaths.values()) + len(crashing.names))


@pytest.mark.slow
def test_sqlite_survives_kills(tmp_path: Path) -> None:
    run(Crashing(tmp_path, str(tmp_path / "zirelia.db"), ("one",)), KILLS // 2)


@pytest.mark.slow
def test_postgresql_with_two_nodes_survives_kills(tmp_path: Path, postgres_url: str) -> None:
    run(Crashing(tmp_path, postgres_url, ("one", "two")), KILLS - KILLS // 2)
