"""What happens when the world fails for a while: each trial is one command, and says what it saw.

    python tests/engine/trials.py                       # all of them, about twelve minutes
    python tests/engine/trials.py postgresql-stopped    # or: disk-full clock-back stopped-one stopped-two

Exits 1 when a post was lost or went out twice, or a finished paid call was made again. The full disk is a small file system,
which only root can mount.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from test_crashes import Crashing, Told

from zirelia.testing.postgres_server import PostgresServer

POSTS, WITHIN, BEFORE = 60, 150.0, 20.0
"""Posts, the seconds within which they are due, and how long all is well."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def published(crashing: Crashing) -> list[datetime]:
    lines = crashing.book.read_text().splitlines() if crashing.book.exists() else []
    return [datetime.fromisoformat(json.loads(line)["at"]) for line in lines]


def run(crashing: Crashing, trouble: Callable[[], None]) -> Told:
    """Works, has the trouble, and brings everything to its end."""
    began = time.monotonic()
    crashing.plan(POSTS, within=WITHIN)
    try:
        for name in crashing.names:
            crashing.start(name, share=0.0)
        time.sleep(BEFORE)
        before = len(published(crashing))
        start = time.time()
        trouble()
        end = time.time()
        during = sum(start <= at.timestamp() < end for at in published(crashing))
        while not (after := [at.timestamp() for at in published(crashing) if at.timestamp() >= end]):
            assert time.time() < end + 120, "nothing went out after it"
            time.sleep(0.2)
        say(
            f"  {before} posts out before it, {during} during its {end - start:.0f} s, the next {after[0] - end:.1f} s after it"
        )
        while time.monotonic() - began < BEFORE + WITHIN:
            time.sleep(1)
        crashing.until_done(POSTS, again=False)
        told = crashing.told(0, POSTS, time.monotonic() - began)
    finally:
        crashing.close()
    for name in crashing.names:
        words = [json.loads(line) for line in (crashing.books / f"{name}.log").read_text().splitlines() if line.startswith("{")]
        failed = sorted({f"{word['event']}: {word.get('problem', '')}" for word in words if word["event"].endswith("failed")})
        seen = [word["event"] for word in words if word["event"] in {"took over", "declared gone by another node", "ended"}]
        say(f"  {name} said: {'; '.join(failed[:4]) or 'nothing'}{'; ' + ', '.join(dict.fromkeys(seen)) if seen else ''}")
    say(
        f"  {told.posts} posts: {told.lost} lost, {told.twice_folder} + {told.twice_platform} twice, "
        f"{told.repeated} finished paid calls again, {told.seconds:.0f} s"
    )
    return told


def is_well(told: Told) -> bool:
    return (told.lost, told.twice_folder, told.twice_platform, told.repeated, told.posts) == (0, 0, 0, 0, POSTS)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trial-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def postgresql_stopped() -> bool:
    """PostgreSQL, two nodes: the server is stopped for 60 seconds under work."""
    with PostgresServer(durable=True) as server, folder() as home:
        url = server.new_database()

        def trouble() -> None:
            server.kill()
            time.sleep(60)
            server.start()

        return is_well(run(Crashing(home, url, ("one", "two")), trouble))


def disk_full() -> bool:
    """SQLite: the disk with the database, the pictures and the outbox is full for 30 seconds."""
    with folder() as books, folder() as home:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(home)], check=True)
        try:

            def trouble() -> None:
                ballast = home / "ballast"
                with ballast.open("wb", buffering=0) as file:
                    while True:
                        try:
                            file.write(b"\0" * 65536)
                        except OSError:
                            break
                until = time.monotonic() + 30
                while time.monotonic() < until:  # and whatever becomes free is taken again
                    with ballast.open("ab", buffering=0) as file:
                        try:
                            file.write(b"\0" * 4096)
                        except OSError:
                            time.sleep(0.05)
                ballast.unlink()

            return is_well(run(Crashing(home, str(home / "zirelia.db"), ("one",), books=books), trouble))
        finally:
            subprocess.run(["umount", "-l", str(home)], check=False)


def clock_back() -> bool:
    """SQLite: the clock is set back one hour, and right again after 40 seconds."""
    with folder() as home:

        def trouble() -> None:
            (home / "clock").write_text("-3600")
            time.sleep(40)
            (home / "clock").write_text("0")

        return is_well(run(Crashing(home, str(home / "zirelia.db"), ("one",)), trouble))


def stopped_one() -> bool:
    """SQLite, one node: the process is stopped (SIGSTOP) for two minutes."""
    with folder() as home:
        crashing = Crashing(home, str(home / "zirelia.db"), ("one",))
        return is_well(run(crashing, lambda: _stopped(crashing, 120)))


def stopped_two() -> bool:
    """PostgreSQL, two nodes: one of them is stopped (SIGSTOP) for two minutes."""
    with PostgresServer(durable=True) as server, folder() as home:
        crashing = Crashing(home, server.new_database(), ("one", "two"))
        return is_well(run(crashing, lambda: _stopped(crashing, 120)))


def _stopped(crashing: Crashing, seconds: float) -> None:
    os.kill(crashing.pids["one"], signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(crashing.pids["one"], signal.SIGCONT)


TRIALS = {one.__name__.replace("_", "-"): one for one in (postgresql_stopped, disk_full, clock_back, stopped_one, stopped_two)}


def main(names: list[str]) -> int:
    well = True
    for name in names or TRIALS:
        say(f"{name}: {TRIALS[name].__doc__}")
        well = TRIALS[name]() and well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
