"""`zirelia train` with a studio whose trainer costs nothing and whose folders are real."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from zirelia.cli import COMMANDS
from zirelia.cli import train as module
from zirelia.cli.train import train as group
from zirelia.cli.training_choice import Chosen, plan_of
from zirelia.definitions.personas import load_persona
from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.ledger import LedgerState
from zirelia.domain.lora import Checkpoint, Lora
from zirelia.domain.persona import Consent
from zirelia.errors import ConfigurationError, ProviderError
from zirelia.ports import BackendFacts, PaidCall, Progress, TrainingOrder
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.training.plan import TrainingPlan
from zirelia.training.replicate_record import Record
from zirelia.training.status import RunStatus
from zirelia.workflow.train import TrainKit

TRIGGER = "mirelo"
DATASET = Dataset(
    persona="mira",
    trigger=TRIGGER,
    consent=Consent(fictional=True),
    references=tuple(
        Reference(path=f"{n}.png", sha256=f"{n:064x}", origin="noise", licence="CC0-1.0", caption=f"{TRIGGER} woman, pose {n}")
        for n in range(20)
    ),
)


@dataclass
class Quick:
    """A trainer that leaves two files at once."""

    plan: TrainingPlan
    where: str
    paid: bool
    fails: BaseException | None
    stopped: list[Path]

    def facts(self) -> BackendFacts:
        details = {"memory": "12 GB", "expected": "35 min"}
        return BackendFacts(backend=self.where, model="base", local=not self.paid, paid=self.paid, details=details)

    def estimate_usd(self, order: TrainingOrder) -> float:
        return 2.5 if self.paid else 0.0

    def cost_usd(self, order: TrainingOrder) -> float | None:
        return 1.25

    def train(self, order: TrainingOrder, *, call: PaidCall, progress: Progress) -> tuple[Checkpoint, ...]:
        progress(0.5, "step 1, loss 0.3000")
        if self.paid and call.external_id is None:
            call.created("t1")
        if self.fails is not None:
            raise self.fails
        made = []
        for step in (self.plan.steps // 2, self.plan.steps):
            path = order.out / f"step-{step:06d}" / "lora.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"weights")
            lora = Lora(path=str(path), sha256="0" * 64, trigger=TRIGGER, base_model="base", rank=self.plan.rank)
            made.append(Checkpoint(step=step, lora=lora))
        return tuple(made)

    def stop(self, out: Path) -> str | None:
        self.stopped.append(out)
        return "t1"


@dataclass
class Folder:
    path: Path
    held: Dataset | None

    def dataset(self) -> Dataset | None:
        return self.held


@dataclass
class FakeStudio:
    home: Path
    store: SqlStore
    watcher: Any = None
    kind: str = "flux"
    base: str | None = None
    held: Dataset | None = DATASET
    paid: bool = False
    fails: BaseException | None = None
    kits: list[tuple[str, TrainingPlan, str | None, str | None]] = field(default_factory=list)
    stopped: list[Path] = field(default_factory=list)

    def persona(self, name: str) -> Any:
        return load_persona(name).persona

    def dataset_folder(self, name: str) -> Folder:
        return Folder(self.home / "dataset", self.held)

    def training_folder(self, name: str) -> Path:
        return self.home / "training" / name

    def training_base(self) -> tuple[str, str | None]:
        return self.kind, self.base

    def train_kit(self, name: str, plan: TrainingPlan, *, where: str | None, profile: str | None) -> TrainKit:
        self.kits.append((name, plan, where, profile))
        trainer = Quick(plan, where or "here", self.paid or where == "replicate", self.fails, self.stopped)
        return TrainKit(
            store=self.store,
            trainer=trainer,
            now=lambda: datetime(2026, 11, 21, 9, tzinfo=UTC),
            watcher=self.watcher,
            recipe=plan.model_dump_json(),
        )


class Quiet:
    def step(self, *_: str) -> None: ...
    def progress(self, *_: object) -> None: ...
    def note(self, _: str) -> None: ...
    def done(self, *_: str) -> None: ...
    def failed(self, _: str) -> None: ...


@pytest.fixture
def studio(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStudio]:
    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:
        made = FakeStudio(home, store)

        @contextmanager
        def opened(watcher: Any = None) -> Iterator[FakeStudio]:
            made.watcher = watcher or Quiet()
            yield made

        monkeypatch.setattr(module, "open_studio", opened)
        # they take seconds to import, and the trainer here needs none of them
        monkeypatch.setattr(module.training_views, "quiet_libraries", lambda: None)
        monkeypatch.setitem(COMMANDS, "train", ("train:train", group.help or ""))
        yield made


def status(folder: Path, **changes: Any) -> Path:
    now = datetime.now(UTC)
    made: dict[str, Any] = {
        "state": "training", "step": 30, "steps": 300, "loss": 0.4, "smoothed": 0.31, "seconds_per_step": 0.5,
        "seconds_left": 135.0, "pid": os.getpid(), "machine": os.uname().nodename, "started_at": now, "heartbeat_at": now,
    }  # fmt: skip
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    (run / "status.json").write_text(RunStatus(**made | changes).model_dump_json())
    return run


def answer(monkeypatch: pytest.MonkeyPatch, text: str, *, tty: bool = True) -> None:
    """What the keyboard says."""
    keyboard = io.StringIO(text)
    keyboard.isatty = lambda: tty  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", keyboard)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """What happens while a command sleeps; the clock does not move otherwise."""

    def script(*events: Callable[[], object]) -> list[float]:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            assert len(slept) <= len(events), "waits longer than the story goes"
            events[len(slept) - 1]()

        monkeypatch.setattr(time, "sleep", sleep)
        return slept

    return script


def test_a_training_from_table_to_files(zirelia, studio):
    said = zirelia("train", "mira", "--steps", 400, "--rank", 8, "--rate", 0.0002, "--seed", 7, "--resolution", 512)
    assert said.code == 0, said
    lines = said.out.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["step 200, rank 8", "step 400, rank 8"]
    assert all(Path(line.split("  ")[0]).is_file() for line in lines)
    for words in ("20, trigger mirelo", "400 steps, rank 8, 512 px, rate 0.0002", "12 GB", "35 min", "nothing"):
        assert words in said.err
    assert "next: zirelia lora choose mira" in said.err
    ((name, plan, where, profile),) = studio.kits
    assert (name, where, profile, plan.name, plan.seed) == ("mira", None, None, "person", 7)
    assert Chosen.read(studio.training_folder("mira")) == Chosen(plan=plan)


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("pocket", [], "pocket"),
        ("flux", [], "person"),
        ("sdxl", ["--preset", "style"], "style"),
        ("flux", ["--preset", "fluxgym"], "fluxgym"),
    ],
)
def test_presets(zirelia, studio, kind, options, name):
    studio.kind = kind
    assert zirelia("train", *options, "mira").code == 0
    assert studio.kits[0][1].name == name


def test_where_and_profile_reach_the_studio(zirelia, studio):
    assert zirelia("train", "mira", "--where", "replicate", "--profile", "16gb", "--yes").code == 0
    assert studio.kits[0][2:] == ("replicate", "16gb")


def test_money_is_asked_for(zirelia, studio, monkeypatch):
    studio.paid = True
    answer(monkeypatch, "", tty=False)
    said = zirelia("train", "mira")
    assert said.code == 2
    assert "This may cost $2.50" in said.err
    assert "--yes" in said.err
    answer(monkeypatch, "n\n")
    said = zirelia("train", "mira")
    assert said.code == 130
    assert studio.store.ledger(persona="mira") == ()
    answer(monkeypatch, "y\n")
    assert zirelia("train", "mira").code == 0
    (row,) = studio.store.ledger(persona="mira")
    assert (row.state, row.cost_usd) == (LedgerState.DONE, 1.25)


def test_json(zirelia, studio):
    said = zirelia("train", "mira", "--json")
    assert said.err == ""
    assert [each["step"] for each in said.json["checkpoints"]] == [1000, 2000]


def test_a_persona_may_be_called_like_a_command(zirelia, studio):
    said = zirelia("train", "start", "mira")
    assert said.code == 0
    assert zirelia("train", "start", "list").code == 3


def test_resume_takes_the_plan_that_was_begun(zirelia, studio):
    studio.fails = ProviderError("the line broke", provider="replicate", retryable=True)
    assert zirelia("train", "mira", "--where", "replicate", "--steps", 77, "--yes").code == 8
    studio.fails = None
    said = zirelia("train", "resume", "mira", "--yes")
    assert said.code == 0
    assert studio.kits[0] == studio.kits[1]
    (row,) = studio.store.ledger(persona="mira")
    assert (row.state, row.external_id) == (LedgerState.DONE, "t1")


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--where", "replicate", "--yes"], "goes on at the provider"), ([], "zirelia train resume mira")],
)
def test_ctrl_c_says_how_to_go_on(zirelia, studio, options, words):
    studio.fails = KeyboardInterrupt()
    said = zirelia("train", "mira", *options)
    assert said.code == 130
    assert words in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("tool", ["kohya", "ai-toolkit", "diffusers"])
def test_show_script_prints_and_trains_nothing(zirelia, studio, tool):
    said = zirelia("train", "mira", "--show-script", tool, "--profile", "16gb", "--steps", 123)
    assert said.code == 0
    assert said.err == ""
    assert "123" in said.out
    assert studio.kits == []
    if tool == "ai-toolkit":
        process = yaml.safe_load(said.out)["config"]["process"][0]
        assert process["model"]["low_vram"] is True
        assert process["train"]["diff_output_preservation_class"] == load_persona("mira").persona.look.noun


WRONG = [
    ("train nobody", 3, "there is no persona 'nobody'"),
    ("train mira --preset portrait", 2, "portrait"),
    ("train mira --where there", 2, "there"),
    ("train mira --rate 0", 2, "0"),
    ("train mira --rank 999", 2, "999"),
    ("train mira --resolution 100", 2, "multiple of 16"),
    ("train mira leo", 2, "leo"),
    ("train resume mira", 3, "no training of 'mira' was begun"),
    ("train watch mira", 3, "no training of 'mira' was begun"),
    ("train stop mira", 3, "no training of 'mira' was begun"),
    ("train", 2, "Usage"),
]


@pytest.mark.usefixtures("studio")
@pytest.mark.parametrize(("call", "code", "words"), WRONG, ids=[call for call, _, _ in WRONG])
def test_a_wrong_call(zirelia, call, code, words):
    said = zirelia(*call.split())
    assert said.code == code, said
    assert words in said.err + said.out
    assert "defect" not in said.err


def test_without_a_dataset(zirelia, studio):
    studio.held = None
    said = zirelia("train", "mira")
    assert said.code == 3
    assert "zirelia dataset build mira" in said.err


def test_a_bad_dataset_is_told_before_the_table(zirelia, studio):
    studio.held = DATASET.model_copy(update={"references": ()})
    said = zirelia("train", "mira")
    assert said.code == 11
    assert "no pictures" in said.err
    assert "training of mira" not in said.err


def test_help_explains_both_ways(zirelia, studio):
    said = zirelia("train", "--help")
    assert said.code == 0
    assert said.out.startswith("Usage: zirelia train PERSONA [OPTIONS]")
    for words in ("COMMAND [ARGS]", "--show-script", "resume", "watch", "stop", "list", "zirelia train mira --where replicate"):
        assert words in said.out
    assert zirelia("train", "mira", "--help").out.startswith("Usage: zirelia train start")


# ---- another process ----------------------------------------------------------------------------------------------------


def test_watch_follows_to_the_end(zirelia, studio, naps):
    folder = studio.training_folder("mira")
    status(folder)
    slept = naps(
        lambda: status(folder, step=150), lambda: status(folder, step=300, state="done", seconds_left=None, message="written")
    )
    said = zirelia("train", "watch", "mira")
    assert said.code == 0, said
    assert len(slept) == 2
    assert "training 30/300, loss 0.3100, 0.50 s/step, 2 min left" in said.err
    assert "done 300/300" in said.err


def test_watch_tells_a_dead_one(zirelia, studio, naps):
    naps()
    status(studio.training_folder("mira"), pid=2**22 + 1)
    said = zirelia("train", "watch", "mira")
    assert said.code == 11
    assert "is gone" in said.err
    assert "zirelia train resume mira" in said.err


def test_watch_tells_a_failure_without_its_escape_codes(zirelia, studio, naps):
    naps()
    status(studio.training_folder("mira"), state="failed", message="no memory \x1b[2Jleft")
    said = zirelia("train", "watch", "mira")
    assert said.code == 11
    assert "failed: no memory" in said.err
    assert "\x1b[2J" not in said.err


def test_watch_once_as_json(zirelia, studio, naps):
    naps()
    status(studio.training_folder("mira"))
    assert zirelia("train", "watch", "mira", "--json").json["step"] == 30


def test_stop_writes_the_file_and_waits(zirelia, studio, naps):
    folder = studio.training_folder("mira")
    run = status(folder)
    asked = []

    def ended() -> None:
        asked.append((run / "stop").exists())
        status(folder, state="done", step=31, message="stopped on request")

    naps(lambda: None, ended)
    said = zirelia("train", "stop", "mira")
    assert said.code == 0, said
    assert asked == [True]
    assert "after step 31 of 300" in said.out


def test_stop_of_nothing(zirelia, studio):
    status(studio.training_folder("mira"), state="done")
    said = zirelia("train", "stop", "mira")
    assert said.code == 11
    assert "no training runs" in said.err


def test_stop_cancels_a_hosted_training(zirelia, studio, monkeypatch):
    folder = studio.training_folder("mira")
    Chosen(plan=plan_of("person", 20, {}), where="replicate").write(folder)
    record = Record(identity="0" * 64, upload="f", inputs={}, ordered_at=datetime(2026, 1, 1, tzinfo=UTC), training="t1")
    record.write(folder)
    answer(monkeypatch, "n\n")
    assert zirelia("train", "stop", "mira").code == 130
    assert studio.stopped == []
    said = zirelia("train", "stop", "mira", "--yes")
    assert said.code == 0
    assert studio.stopped == [folder]
    assert "training t1 is cancelled" in said.out


def test_list(zirelia, studio):
    assert "No trainings yet" in zirelia("train", "list").out
    zirelia("train", "mira")
    status(studio.training_folder("mira"), state="done", step=300)
    said = zirelia("train", "list")
    assert said.code == 0
    assert "mira" in said.out
    assert "done 300/300" in said.out
    (row,) = zirelia("train", "list", "--json").json
    assert (row["persona"], row["where"], row["state"], row["checkpoints"]) == ("mira", "here", "done", 2)


def test_list_tells_a_hosted_one(zirelia, studio):
    folder = studio.training_folder("mira")
    Record(identity="0" * 64, upload="f", inputs={}, ordered_at=datetime(2026, 1, 1, tzinfo=UTC), training="t1").write(folder)
    (row,) = zirelia("train", "list", "--json").json
    assert (row["where"], row["state"], row["note"]) == ("replicate", "ordered", "t1")
    said = zirelia("train", "watch", "mira")
    assert said.code == 3
    assert "zirelia train resume mira waits for it" in said.err


def test_a_damaged_choice_is_an_error(zirelia, studio):
    folder = studio.training_folder("mira")
    folder.mkdir(parents=True)
    (folder / "train.json").write_text("{}")
    assert zirelia("train", "resume", "mira").code == 11


def test_plans_are_checked():
    assert plan_of("person", 20, {"rate": 0.5}).learning_rate == 0.5
    with pytest.raises(ConfigurationError, match="resolution"):
        plan_of("person", 20, {"resolution": 100})


def test_the_records_are_plain_json(studio, zirelia):
    zirelia("train", "mira")
    said = json.loads((studio.training_folder("mira") / "train.json").read_text())
    assert said["plan"]["steps"] == 2000
