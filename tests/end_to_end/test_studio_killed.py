"""Dataset and training of one face, killed with -9 again and again: the files of an uninterrupted one, and nothing paid twice.

Two homes, one left in peace. Both are worked in by the real command line with the real curator and trainer; Replicate is on
loopback and draws luna for money.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest

import zirelia
from zirelia.cli.training_choice import Chosen
from zirelia.definitions.scaffold import new_persona
from zirelia.domain.ledger import LedgerState
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot, random_shot
from zirelia.store.datasets import DatasetFiles
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.replicate_schemas import KONTEXT_SCHEMA
from zirelia.testing.replicate_server import ReplicateServer
from zirelia.training.plan import POCKET
from zirelia.training.status import read_status

COMMANDS = Path(__file__).with_name("killed_commands.py")
BUILD = "dataset build luna --from luna.png --shots 15 --factor 1.4 --unseen 0 --backend replicate --yes"
TRAIN = "train resume luna"
PRICE = 0.04
SIDE = 128
STEPS, EVERY, DRAWN = 24, 4, 12
PLAN = POCKET.model_copy(
    update={
        "steps": STEPS, "batch": 2, "preservation_batch": 2, "snapshot_every": EVERY, "disk_cache": True, "ema": 0.7,
        "sample_every": DRAWN, "sample_steps": 1,
    }
)  # fmt: skip
LONGEST = 120.0
"""Seconds after which a command that does not end fails the test."""


class Provider(ReplicateServer):
    """Kontext that draws luna, in a shot of its own for every prompt and seed, and now and then somebody else."""

    def __init__(self) -> None:
        super().__init__(b"", schema=KONTEXT_SCHEMA, model="black-forest-labs/flux-kontext-pro", official=True)
        self._moment: tuple[str, int, bool, Callable[[], None]] | None = None

    def kill_at(self, place: str, count: int, kill: Callable[[], None], *, after: bool) -> None:
        """Kills who asks when the `count`-th request for that place comes: before, or after it has its effect."""
        self._moment = (place, count, after, kill)

    def plant(self, inputs: Any) -> dict[str, Any]:
        body = super().plant(inputs)
        if self.paid % 4:  # most are over at once, as when the caller waits; the others are looked at once more
            self._end(self._predictions[body["id"]])
        return body

    def answer(self, request: Request) -> Reply:
        place, _ = self.route(request)
        if self._moment is None or self._moment[0] != place:
            return self._answered(request, place)
        _, count, after, kill = self._moment
        if count > 1:
            self._moment = (place, count - 1, after, kill)
            return self._answered(request, place)
        self._moment = None
        if after:
            self._answered(request, place)
        kill()
        return Reply(silent=True)

    def _answered(self, request: Request, place: str) -> Reply:
        if place == "file":
            inputs = self._predictions[Path(request.path).stem].body["input"]
            shot = random_shot(random.Random(f"{inputs['prompt']} {inputs['seed']}"))
            self.picture = drawn(shot, "luna" if int(inputs["seed"]) % 5 else "mira")
        return super().answer(request)


def drawn(shot: WorldShot, whom: str = "luna") -> bytes:
    buffer = io.BytesIO()
    render(HELD_OUT[whom], shot, SIDE).save(buffer, "PNG")
    return buffer.getvalue()


class Home:
    """A folder with a pack, settings, a photo and a plan of a training."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder, self.provider = folder, provider
        self.pack, self.dataset = folder / "persona/luna", folder / "persona/luna/dataset"
        self.lora, self.run = folder / "home/training/luna/luna.safetensors", folder / "home/training/luna/luna.run"
        folder.mkdir()
        new_persona("luna", self.pack)
        (folder / "luna.png").write_bytes(drawn(random_shot(random.Random(1))))
        (folder / ".env").write_text(
            f"REPLICATE_API_TOKEN={provider.token}\nREPLICATE_BASE_URL={provider.url}\nZIRELIA_OFFLINE=1\n"
            f"ZIRELIA_PRICES_EDIT_USD={PRICE}\nZIRELIA_IMAGE_WIDTH={SIDE}\nZIRELIA_IMAGE_HEIGHT={SIDE}\n"
        )
        Chosen(plan=PLAN).write(self.lora.parent)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.is_file() else ""

    def snapshot(self) -> int:
        """The step that a resumed training goes on from."""
        return max((int(path.parent.name[5:]) for path in self.run.glob("step-*/state.json")), default=0)


class Turn:
    """One command at work."""

    def __init__(self, words: queue.Queue[list[str]]) -> None:
        self._words = words
        self.heard: list[tuple[float, str, int]] = []
        self.began = time.monotonic()
        self.pid = self.hear(LONGEST)[1]

    def hear(self, timeout: float) -> tuple[str, int] | tuple[()]:
        """What the command said next: () when nothing came in that many seconds."""
        try:
            word, number = self._words.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return ()
        self.heard.append((time.monotonic(), word, int(number)))
        return word, int(number)

    @property
    def over(self) -> bool:
        return bool(self.heard) and self.heard[-1][1] == "end"

    @property
    def steps(self) -> list[int]:
        return [number for _, word, number in self.heard if word == "step"]

    def said(self, word: str, number: int | None = None) -> float | None:
        """When it said so first."""
        return next((at for at, *words in self.heard if words[0] == word and number in {None, words[1]}), None)

    def until(self, come: Callable[[], object]) -> None:
        limit = time.monotonic() + LONGEST
        while not self.over and not come():
            assert time.monotonic() < limit
            self.hear(0.005)

    def wait(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= limit)

    def kill(self) -> None:
        if not self.over:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """The exit code, or the signal below zero."""
        self.until(lambda: False)
        return self.heard[-1][2]


class Commands:
    """The warm process that forks each command."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(COMMANDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        self._words: queue.Queue[list[str]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._words.put(line.split())

    def begin(self, home: Home, command: str) -> Turn:
        self._process.stdin.write(json.dumps([str(home.folder), *command.split()]) + "\n")
        self._process.stdin.flush()
        return Turn(self._words)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._reader.join()
        self._process.stdout.close()


def command_line(home: Home, command: str) -> subprocess.Popen[bytes]:
    """A process of its own, as a person begins it."""
    with (home.folder / "log").open("ab") as log:
        words = [sys.executable, "-m", "zirelia.cli", *command.split()]
        return subprocess.Popen(words, cwd=home.folder, env=environment(), stdout=log, stderr=log)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(zirelia.__file__).parents[1])}


@pytest.fixture
def commands() -> Iterator[Commands]:
    made = Commands()
    yield made
    made.close()


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Home, Home]]:
    with Provider() as calm, Provider() as torn:
        yield Home(tmp_path / "calm", calm), Home(tmp_path / "torn", torn)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_studio_killed_again_and_again_ends_the_same(homes: tuple[Home, Home], commands: Commands):
    calm, torn = homes
    chance = random.Random(20)
    kills: Counter[str] = Counter()

    examining = undisturbed_build(commands, calm)
    killed_builds(commands, torn, chance, examining, kills)
    assert command_line(torn, BUILD).wait(LONGEST) == 0, torn.log()
    assert files(torn.pack) == files(calm.pack)
    assert_paid_once(torn, calm)

    whole = commands.begin(calm, TRAIN)
    assert whole.end() == 0, calm.log()
    assert whole.steps == list(range(1, STEPS + 1))
    taken = killed_trainings(commands, torn, chance, whole, kills)
    last, covered = commands.begin(torn, TRAIN), torn.snapshot()
    assert last.end() == 0, torn.log()
    assert last.steps == list(range(covered + 1, STEPS + 1))
    assert {*taken, *last.steps} == {*range(1, STEPS + 1)}
    assert_same_training(torn, calm)
    assert_paid_once(torn, calm)
    for folder in (torn.dataset, torn.run):
        assert [path for path in folder.rglob("*") if ".part" in path.name] == [], "what was half written is swept"
    assert list(torn.lora.parent.glob(".*.part*")) == []

    before = files(torn.lora.parent)
    assert command_line(torn, TRAIN).wait(LONGEST) == 0, torn.log()
    assert files(torn.lora.parent) == before, "a finished training is answered from its folder"
    sys.stdout.write(f"kills {dict(kills)}; {len(taken) + len(last.steps)} steps for {STEPS}, {torn.provider.paid} paid\n")
    assert kills.total() >= 10
    assert {"create", "file", "examining", "encoding", "training", "saving"} <= (+kills).keys()


# ---- building


def undisturbed_build(commands: Commands, home: Home) -> float:
    """Seconds from the first look at pictures to the end."""
    turn = commands.begin(home, BUILD)
    turn.until(lambda: curated(home))
    began = time.monotonic()
    assert turn.end() == 0, home.log()
    return time.monotonic() - began


def killed_builds(commands: Commands, home: Home, chance: random.Random, examining: float, kills: Counter[str]) -> None:
    """Kills while pictures are ordered, made and fetched, then while they are examined and the dataset is written."""
    places = [("list", False), ("create", False), ("create", True), ("get", True), ("file", False), ("file", True)]
    chance.shuffle(places)
    process = command_line(home, BUILD)
    home.provider.kill_at("create", chance.randint(1, 3), process.kill, after=True)
    assert process.wait(LONGEST) == -signal.SIGKILL, home.log()
    kills["create"] += 1
    for place, after in places:
        turn = commands.begin(home, BUILD)
        home.provider.kill_at(place, 1 if place == "get" else chance.randint(1, 3), turn.kill, after=after)
        assert turn.end() == -signal.SIGKILL, home.log()
        kills[place] += 1
        DatasetFiles(home.dataset).candidates()  # readable at any moment
    written = home.dataset / "metadata.jsonl"
    for stage, within in (("examining", 0.5 * examining), ("examining", examining), ("finishing", 0.2)):
        turn, looks = commands.begin(home, BUILD), curated(home)
        turn.until(lambda seen=looks, last=stage == "finishing": written.is_file() or (not last and curated(home) > seen))
        turn.wait(chance.uniform(0, within))
        turn.kill()
        code = turn.end()
        assert code in {0, -signal.SIGKILL}, home.log()
        kills[stage] += code != 0
        DatasetFiles(home.dataset).candidates()


def curated(home: Home) -> int:
    """How often the curator was called."""
    return home.log().count("· curate")


def files(folder: Path) -> dict[str, str]:
    """Every whole file but locks, and the status of a training, which tells the time → its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".part" not in path.name and path.name not in {".lock", "lock", "status.json"}
    }


def assert_paid_once(home: Home, calm: Home) -> None:
    """One prediction a picture, each with one closed row; nothing else was charged."""
    there = DatasetFiles(home.dataset).candidates()
    assert home.provider.paid == len(there) == calm.provider.paid
    assert len({(one["input"]["prompt"], one["input"]["seed"]) for one in home.provider.predictions}) == home.provider.paid
    with SqlStore(home.folder / "home/zirelia.db", MediaStore(home.folder / "home/media")) as store:
        rows = store.ledger(persona="luna")
    assert {row.state for row in rows} == {LedgerState.DONE}
    pictures = [row for row in rows if row.role == "image"]
    assert sorted(row.external_id for row in pictures) == sorted(one["id"] for one in home.provider.predictions)
    assert sum(row.charged_usd for row in rows) == pytest.approx(PRICE * home.provider.paid)
    # a kill after the last step leaves a closed row; the start that then finds nothing to train has one of its own
    assert {(row.role, row.charged_usd) for row in rows if row not in pictures} <= {("train", 0.0)}


# ---- training


def killed_trainings(commands: Commands, home: Home, chance: random.Random, whole: Turn, kills: Counter[str]) -> list[int]:
    """Kills while the pictures are encoded, in steps, while a snapshot is written and while samples are drawn. Answers the
    steps that were taken.
    """
    encoding = 0.7 * (whole.said("step", 1) - whole.began)
    times = [at for at, word, _ in whole.heard if word == "step"]
    step = min(after - before for before, after in pairwise(times))
    saving = whole.said("saved", EVERY) - whole.said("saving", EVERY)
    drawing = whole.said("step", DRAWN + 1) - whole.said("saved", DRAWN)
    writing = whole.said("end") - whole.said("saved", STEPS)
    early, late = chance.randint(1, EVERY), chance.randint(1, EVERY)
    moments: list[tuple[str, Callable[[Turn], object], float]] = [
        ("encoding", lambda turn: True, encoding),
        ("training", lambda turn: len(turn.steps) >= early, step),
        ("saving", lambda turn: turn.said("saving"), saving),
        ("training", lambda turn: len(turn.steps) >= 2, step),
        ("drawing", lambda turn: turn.said("saved", DRAWN), drawing),
        ("saving", lambda turn: turn.said("saving"), saving),
        ("training", lambda turn: len(turn.steps) >= late, step),
        ("writing", lambda turn: turn.said("saved", STEPS), writing),
    ]
    taken: list[int] = []
    for stage, come, within in moments:
        covered, turn = home.snapshot(), commands.begin(home, TRAIN)
        turn.until(lambda come=come, turn=turn: come(turn))
        turn.wait(chance.uniform(0, within))
        turn.kill()
        code = turn.end()
        assert code == -signal.SIGKILL or (code, stage) == (0, "writing"), home.log()
        kills[stage] += code != 0
        assert turn.steps == list(range(covered + 1, covered + 1 + len(turn.steps))), "no step that a snapshot holds"
        taken += turn.steps
        if code and (home.run / "status.json").is_file():
            assert read_status(home.run).state == "stopped" or stage == "writing"
    return taken


def assert_same_training(torn: Home, calm: Home) -> None:
    names = [f"step-{done:06d}/lora.safetensors" for done in range(EVERY, STEPS + 1, EVERY)]
    state = f"step-{STEPS:06d}/state.safetensors"
    assert sorted(path.relative_to(torn.run).as_posix() for path in torn.run.glob("step-*/lora.safetensors")) == names
    for name in (*names, state):
        assert_close(torn.run / name, calm.run / name)
    assert_close(torn.lora, calm.lora)
    found, wanted = (json.loads((home.run / state).with_suffix(".json").read_text()) for home in (torn, calm))
    assert (found["step"], found["identity"]) == (wanted["step"], wanted["identity"])
    assert len(found["curve"]) == STEPS
    assert [*chain(*found["curve"])] == pytest.approx([*chain(*wanted["curve"])], rel=1e-4)
    assert files(torn.run / "samples") == files(calm.run / "samples")
    assert (read_status(torn.run).state, read_status(torn.run).step) == ("done", STEPS)


def assert_close(found: Path, wanted: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.testing.assert_close(load_file(found), load_file(wanted), rtol=1e-4, atol=1e-4)
