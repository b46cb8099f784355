"""What the daemon costs: a slot beside 100, 1,000 and 10,000 personas; an idle process; a start.

    python bench/engine.py slots            # on a PostgreSQL of its own, about ten minutes
    python bench/engine.py idle             # CPU of `zirelia up` with all roles on SQLite and nothing to do
    python bench/engine.py start            # from the command to the line "up"

`slots` plans everybody's slots, then opens as many of them beside each number of personas, in turns, while all the others wait
in the tables, and lets the whole of their lives run: written, shot, approved by the policy, published, with models that cost
nothing. Seconds are of the processor, this process and the server together, and of the wall. Exits 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import create_engine, text

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.engine_side import LATE, SLOTS_A_DAY, WORKERS, Side, quiet
from bench.startup import imports
from zirelia.domain.cadence import slots_between
from zirelia.engine import durable, work
from zirelia.engine.nodes import Node
from zirelia.settings import Settings
from zirelia.settings.tree import ChannelSettings, EngineSettings
from zirelia.studio import SilentWatcher
from zirelia.testing.postgres_server import PostgresServer

SIZES = (100, 1_000, 10_000)
WITHIN = 0.10
IDLE_PERCENT = 2.0
START_SECONDS = 3.0
SETTLED_SECONDS = 65.0
"""DBOS looks for schedules more often in its first minute."""

SECONDS_A_SLOT = 3.0
"""Between two slots whose delay is taken: faster than that they would wait for each other's work."""

_QUICK_POLL = 0.05
_TICK_BYTES = os.sysconf("SC_CLK_TCK")


# ---- seconds --------------------------------------------------------------------------------------------------------------


@dataclass
class Spent:
    """Seconds of the wall and of the processors."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass
class Figures:
    """What was measured beside one number of personas; milliseconds a slot, one figure a round."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, spent: Spent, slots: int) -> None:
        self.found.setdefault(f"{name}, CPU", []).append(1000 * spent.cpu / slots)
        self.found.setdefault(f"{name}, wall", []).append(1000 * spent.wall / slots)


class Meter:
    """Measures what runs in a block, in this process and in the server's."""

    def __init__(self, server: PostgresServer) -> None:
        self._postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])

    @contextmanager
    def __call__(self) -> Iterator[Spent]:
        spent = Spent()
        wall, cpu = time.perf_counter(), self._cpu()
        yield spent
        spent.wall, spent.cpu = time.perf_counter() - wall, self._cpu() - cpu

    def _cpu(self) -> float:
        ours = time.process_time()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                numbers = _stat(int(folder.name))
                if int(folder.name) == self._postmaster:
                    ours += sum(map(int, numbers[11:15])) / _TICK_BYTES  # its ended children, too
                elif int(numbers[1]) == self._postmaster:
                    ours += sum(map(int, numbers[11:13])) / _TICK_BYTES
        return ours


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


# ---- slots ----------------------------------------------------------------------------------------------------------------


def slots(options: argparse.Namespace) -> int:
    durable.POLL_SECONDS, usual_poll = _QUICK_POLL, durable.POLL_SECONDS
    # the time stands still while slots are lived: what would come again in ten seconds comes again at once
    work.BUSY = timedelta(0)
    figures = {size: Figures() for size in options.sizes}
    with ExitStack() as stack:
        server = stack.enter_context(PostgresServer())
        meter = Meter(server)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # the small ones again between and after the large: a machine gets slower and faster over minutes
        sides: dict[int, Side] = {}
        for number, size in enumerate([size for most in options.sizes for size in options.sizes if size <= most]):
            side = stack.enter_context(Side(size, server.new_database(), folder / str(number)))
            figures[size].add("planning", *_planned(side, meter))
            sides[size] = side
        for side in sides.values():
            _analyse(side)
            _idle_round(side, figures[side.count], meter)
        for number in range(options.rounds + 1):
            for side in list(sides.values())[:: 1 if number % 2 else -1]:
                _round(side, figures[side.count] if number else Figures(), meter, options.sample)
                _say(f"round {number}: {side.count} personas")
        durable.POLL_SECONDS = usual_poll
        for side in sides.values():
            figures[side.count].found["slot to start"] = _delays(side, options.delays)
            _say(f"delays: {side.count} personas")
        waiting = {size: _count_planned(side) for size, side in sides.items()}
    return report(figures, waiting, options)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _planned(side: Side, meter: Meter) -> tuple[Spent, int]:
    with ExitStack() as stack:
        clock = side.engine(stack, listens=False)
        with meter() as spent:
            count = clock.plan()
    _say(f"planned: {side.count} personas, {count} slots")
    return spent, count


def _analyse(side: Side) -> None:
    """What autovacuum does a minute later."""
    engine = create_engine(side.store.engine_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _idle_round(side: Side, figures: Figures, meter: Meter, *, ticks: int = 20) -> None:
    """What a minute's plan and a second's tick cost when nothing is to do, beside asking each persona's cadence."""
    side.time -= timedelta(hours=1)  # before anything is due
    with ExitStack() as stack:
        clock = side.engine(stack, listens=False)
        with meter() as spent:
            clock.plan()
        figures.found["plan with nothing to do"] = [1000 * spent.wall]
        with meter() as spent:
            for _ in range(ticks):
                clock.tick()
        figures.found["tick with nothing due"] = [1000 * spent.wall / ticks]
        before = time.perf_counter()
        for name in side.roster.names():
            list(slots_between(side.roster.persona(name).cadence, name, side.time - timedelta(seconds=1), side.time))
        figures.found["asking every cadence instead"] = [1000 * (time.perf_counter() - before)]
    side.time += timedelta(hours=1)


def _round(side: Side, figures: Figures, meter: Meter, sample: int) -> None:
    side.next_opening(sample)
    with ExitStack() as stack:
        clock = side.engine(stack, listens=False)
        before = sum(side.store.count_posts().values())
        with meter() as spent:
            clock.tick()
        opened = sum(side.store.count_posts().values()) - before
        figures.add("opening and enqueueing", spent, opened)
    with ExitStack() as stack:
        clock = side.engine(stack, listens=True)
        with meter() as spent:
            side.finish(clock)
        figures.add("the whole of its life", spent, opened)


def _delays(side: Side, count: int) -> list[float]:
    """Milliseconds from when a slot opens to when its first step begins, in a node as `zirelia up` runs it."""
    began: dict[int, float] = {}

    def watcher(post_id: int, persona: str) -> SilentWatcher:  # noqa: ARG001 - a factory of watchers
        began.setdefault(post_id, time.time())
        return SilentWatcher()

    draw = random.Random(7)  # noqa: S311 - moments, no secrets
    engine = EngineSettings(node="bench", lead_hours=0, late_minutes=round(LATE.total_seconds() / 60), undecided="auto_approve")
    settings = Settings(home=side.folder, engine=engine, channels=ChannelSettings(daily_limit=1000, min_gap_minutes=0))
    node = Node(
        side.store,
        side.roster,
        settings,
        roles=("clock", "work"),
        workers=WORKERS,
        tell=quiet,
        log=quiet,
        watcher=watcher,
    )
    with node:
        opens = _opened_soon(side, [5.0 + draw.uniform(0, SECONDS_A_SLOT * count) for _ in range(count)])
        end = time.monotonic() + SECONDS_A_SLOT * count + 60
        while len(began) < count and time.monotonic() < end:
            side.time = datetime.now(UTC)
            time.sleep(_QUICK_POLL)
    posts = [side.store.get_post(post_id) for post_id in began]
    return [1000 * (began[post.id] - opens[post.slot_id]) for post in posts if post.slot_id in opens]


def _opened_soon(side: Side, seconds: Sequence[float]) -> dict[str, float]:
    """Moves planned slots to so many seconds from now; slot id → when it opens."""
    chosen = side.store.planned(limit=len(seconds))
    now = time.time()
    engine = create_engine(side.store.engine_url)
    with engine.begin() as connection:
        for slot, after in zip(chosen, seconds, strict=True):
            at = datetime.fromtimestamp(now + after, UTC)
            connection.execute(text("UPDATE slots SET opens = :at, due = :at WHERE id = :id"), {"at": at, "id": slot.id})
    engine.dispose()
    return {slot.id: now + after for slot, after in zip(chosen, seconds, strict=True)}


def _count_planned(side: Side) -> int:
    return len(side.store.planned(limit=10_000_000))


def report(figures: dict[int, Figures], waiting: dict[int, int], options: argparse.Namespace) -> int:
    sizes = list(figures)
    print(_machine())
    print(f"{options.rounds} rounds of {options.sample} slots in turn, medians; slots that wait at the end: {waiting}")
    print(f"{'milliseconds a slot':34}" + "".join(f"{f'{size:,} x {SLOTS_A_DAY}':>14}" for size in sizes) + "   ratio")
    kept = True
    for name in figures[sizes[0]].found:
        if name == "slot to start":
            continue
        found = [statistics.median(figures[size].found[name]) for size in sizes]
        ratio = found[-1] / found[0]
        if name.endswith("CPU"):
            kept &= ratio < 1 + WITHIN
        print(f"{name:34}" + "".join(f"{one:14.2f}" for one in found) + f"{ratio:8.2f}")
    for share in (0.5, 0.95):
        quantiles = [_quantile(figures[size].found["slot to start"], share) for size in sizes]
        print(f"{f'slot to start, {share:.0%} (ms)':34}" + "".join(f"{one:14.0f}" for one in quantiles))
    print(f"goal: CPU a slot constant within {WITHIN:.0%}: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


def _quantile(found: Sequence[float], share: float) -> float:
    ordered = sorted(found)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("zirelia", "dbos", "SQLAlchemy"))
    load = os.getloadavg()[0]
    return f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}, {packages}"


# ---- a process of its own -------------------------------------------------------------------------------------------------


@contextmanager
def daemon(home: Path) -> Iterator[tuple[int, float]]:
    """`zirelia up` with all roles on a SQLite home; its pid, and the seconds it took to say that it is up."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "ZIRELIA_HOME": str(home)}
    # without lead nothing is made before its slot, and so nothing now
    environment |= {"ZIRELIA_WEB_PORT": "0", "ZIRELIA_LOGS_FORMAT": "json", "ZIRELIA_ENGINE_LEAD_HOURS": "0"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("zirelia"), "up"], cwd=home, env=environment, stderr=subprocess.PIPE, text=True
    )
    said: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("{") and json.loads(line).get("event") == "up":
                break
        else:
            raise SystemExit("".join(said)[-2000:])
        yield process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        process.communicate(timeout=60)


def idle(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as home, daemon(Path(home)) as (pid, _):
        time.sleep(options.settle)
        found = []
        for _ in range(options.rounds):
            before, at = _cpu_of(pid), time.perf_counter()
            time.sleep(options.seconds)
            found.append(100 * (_cpu_of(pid) - before) / (time.perf_counter() - at))
    print(_machine())
    kept = statistics.median(found) < IDLE_PERCENT
    print(f"idle CPU {statistics.median(found):.2f} % of one core (" + ", ".join(f"{one:.2f}" for one in found) + ")")
    print(f"goal: below {IDLE_PERCENT:.0f} %: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


def _cpu_of(pid: int) -> float:
    return sum(map(int, _stat(pid)[11:13])) / _TICK_BYTES


def start(options: argparse.Namespace) -> int:
    def measured(home: Callable[[], Path]) -> list[float]:
        found = []
        for _ in range(options.rounds):
            with daemon(home()) as (_, seconds):
                found.append(seconds)
        return found

    with tempfile.TemporaryDirectory() as scratch:
        homes = (Path(scratch) / str(number) for number in range(10_000))

        def fresh() -> Path:
            home = next(homes)
            home.mkdir()
            return home

        known = fresh()
        with daemon(known):
            pass
        first, again = measured(fresh), measured(lambda: known)
    print(_machine())
    print(f"first start {min(first):.2f} s (fastest; median {statistics.median(first):.2f} s)")
    print(f"every other {min(again):.2f} s (fastest; median {statistics.median(again):.2f} s)")
    loaded = imports("import zirelia.cli, zirelia.studio.daemon, dbos")
    print(f"modules imported {len(loaded)}, {sum(entry.alone for entry in loaded):.2f} s")
    for entry in sorted(loaded, key=lambda entry: -entry.alone)[: options.top]:
        print(f"  {entry.module:40} {entry.alone * 1000:6.1f} ms alone, {entry.total * 1000:6.1f} ms with its own")
    torch = any(entry.module.partition(".")[0] == "torch" for entry in loaded)
    kept = statistics.median(first) < START_SECONDS and not torch
    print(f"goal: below {START_SECONDS:.0f} s, without torch: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked = parser.add_subparsers(required=True)
    one = asked.add_parser("slots", help="cost of a slot beside 100, 1,000 and 10,000 personas")
    one.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    one.add_argument("--rounds", type=int, default=4, help="rounds of each size; one more warms up")
    one.add_argument("--sample", type=int, default=100, help="slots a round")
    one.add_argument("--delays", type=int, default=20, help="slots of which the time to their start is taken")
    one.set_defaults(run=slots)
    one = asked.add_parser("idle", help="CPU of a process with nothing to do")
    one.add_argument("--seconds", type=float, default=30.0)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--settle", type=float, default=SETTLED_SECONDS, help="seconds before that")
    one.set_defaults(run=idle)
    one = asked.add_parser("start", help="time to the line that says up")
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--top", type=int, default=8, help="how many of the slowest imports to list")
    one.set_defaults(run=start)
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
