"""What a run shows while it goes, and the ways to end it early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from safetensors.torch import load_file

from zirelia.domain.dataset import Dataset
from zirelia.errors import MissingExtra, NotFound, TrainingError
from zirelia.pictures import load_picture
from zirelia.training.lora_file import read_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.progress import Heartbeat
from zirelia.training.session import Interrupted
from zirelia.training.snapshots import checkpoints
from zirelia.training.status import RunStatus, StatusFile, mark_done, read_status
from zirelia.training.stopping import Stops, request_stop
from zirelia.training.trainer import train_lora
from zirelia.training.validation import enough

SAMPLES = ("mirelo woman, smiling", "a man in a gym")


def at(step: int, act: Callable[[], object]) -> Callable[[Heartbeat], None]:
    return lambda beat: act() and None if beat.stage == "train" and beat.step == step else None


def test_a_run_shows_itself_and_samples_and_validations_do_not_change_it(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX")
    plan = plan.model_copy(update={"validate_every": 5, "steps": 6, "ema": 0.8})
    plain = train_lora(base, dataset, pictures, plan, tmp_path / "plain.safetensors")
    shown = plan.model_copy(update={"sample_every": 3, "sample_steps": 1})
    out, run = tmp_path / "shown.safetensors", tmp_path / "shown.run"
    seen: list[RunStatus] = []

    def look(beat: Heartbeat) -> None:
        if beat.stage in {"encode", "sample"}:
            seen.append(read_status(run))

    lora = train_lora(base, dataset, pictures, shown, out, (), look, samples=SAMPLES, tensorboard=True)
    wanted = load_file(plain.path)
    assert all((tensor == wanted[key]).all() for key, tensor in load_file(lora.path).items())

    assert [status.state for status in seen] == ["encoding"] * (len(seen) - 2) + ["sampling"] * 2
    assert all(status.running and status.pid == os.getpid() for status in seen)
    assert seen[-1].memory_peak > 1 << 20
    ended = read_status(run)
    assert (ended.state, ended.step, ended.steps, ended.running) == ("done", 6, 6, False)
    drawn = sorted((run / "samples").rglob("*.png"))
    assert [str(path.relative_to(run / "samples")) for path in drawn] == [
        f"step-00000{step}/0{number}.png" for step in (3, 6) for number in (0, 1)
    ]
    assert {load_picture(path).size for path in drawn} == {(32, 32)}
    assert len({path.read_bytes() for path in drawn}) == 4
    logged = _scalars(run / "tensorboard")
    assert [step for step, _ in logged["loss/train"]] == list(range(1, 7))
    assert [step for step, _ in logged["loss/validation"]] == [5]

    short = plan.model_copy(update={"steps": 1})
    train_lora(base, dataset, pictures, short, out, resume=False)
    assert not (run / "samples").exists(), "the samples of a discarded run go with it"


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, list[tuple[int, float]]] = {}
    for path in folder.iterdir():
        data, place = path.read_bytes(), 0
        while place < len(data):  # length, its checksum, the event, its checksum
            length = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += length + 16
            for told in event.summary.value:
                found.setdefault(told.tag, []).append((event.step, told.simple_value))
    return found


def test_a_log_without_its_package_is_said(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtra, match=r"zirelia\[tensorboard\]"):
        train_lora(base, dataset, pictures, plan, tmp_path / "a.safetensors", tensorboard=True)


def test_a_request_ends_it_with_a_file(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    out, run = tmp_path / "a.safetensors", tmp_path / "a.run"
    with pytest.raises(NotFound, match="no training was ever started"):
        request_stop(run)
    beats: list[Heartbeat] = []

    def listen(beat: Heartbeat) -> None:
        beats.append(beat)
        at(5, lambda: request_stop(run))(beat)

    lora = train_lora(base, dataset, pictures, plan, out, progress=listen)
    assert [beat.step for beat in beats if beat.stage == "train"] == [1, 2, 3, 4, 5, 6]
    said = read_lora(out)[1]
    assert (said["ss_steps"], said["zirelia.ended"]) == ("6", "on request")
    kept = checkpoints(run)
    assert [checkpoint.step for checkpoint in kept] == [4, 6]
    last = load_file(kept[-1].lora.path)
    assert all((tensor == last[key]).all() for key, tensor in load_file(out).items())
    assert read_status(run).message == "ended on request"
    assert not (run / "stop").exists()
    assert train_lora(base, dataset, pictures, plan, out) == lora, "a stopped training is a finished one"
    with pytest.raises(TrainingError, match="nothing to stop"):
        request_stop(run)


@pytest.mark.skipif(os.name != "posix", reason="signals to oneself are posix")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_resumable(
    number: signal.Signals, base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    plan = plan.model_copy(update={"steps": 6})
    out, run = tmp_path / "a.safetensors", tmp_path / "a.run"
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"{number.name} ended the training after step 3 of 6") as caught:
        train_lora(base, dataset, pictures, plan, out, progress=at(2, lambda: os.kill(os.getpid(), number)))
    assert "goes on" in str(caught.value)
    assert signal.getsignal(number) == before
    status = read_status(run)
    assert (status.state, status.resumable, status.message) == ("stopped", True, caught.value.message)
    assert not out.exists()
    beats: list[Heartbeat] = []
    train_lora(base, dataset, pictures, plan, out, progress=beats.append)
    assert [beat.step for beat in beats if beat.stage == "train"] == [4, 5, 6]


def test_a_signal_while_encoding_and_a_request_from_before(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    plan = plan.model_copy(update={"steps": 2})
    out, run = tmp_path / "a.safetensors", tmp_path / "a.run"

    def interrupt(beat: Heartbeat) -> None:
        if beat.stage == "encode":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="after step 0 of 2"):
        train_lora(base, dataset, pictures, plan, out, progress=interrupt)
    (run / "stop").touch()  # asked too late, of a training that is gone
    train_lora(base, dataset, pictures, plan, out)
    assert read_lora(out)[1]["ss_steps"] == "2"


def test_it_stops_when_nothing_improves(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    plan = plan.model_copy(update={"learning_rate": 1e-9, "validate_every": 1, "patience": 2, "held_out": 1})
    out, run = tmp_path / "a.safetensors", tmp_path / "a.run"
    beats: list[Heartbeat] = []
    train_lora(base, dataset, pictures, plan, out, progress=beats.append)
    measured = [beat.validation for beat in beats if beat.stage == "train"]
    assert len(measured) == 3
    assert measured == pytest.approx([measured[0]] * 3, rel=1e-5), "the same weights give the same number"
    assert "early after step 3" in read_lora(out)[1]["zirelia.ended"]
    assert [checkpoint.step for checkpoint in checkpoints(run)] == [3]

    out.unlink()  # as when it was killed between the snapshot and the file
    beats.clear()
    train_lora(base, dataset, pictures, plan, out, progress=beats.append)
    assert not [beat for beat in beats if beat.stage == "train"]
    assert read_lora(out)[1]["ss_steps"] == "3"


@pytest.mark.parametrize(
    ("losses", "patience", "stop"),
    [
        ([], 1, False),
        ([0.5], 1, False),
        ([0.5, 0.5], 1, True),
        ([0.5, 0.4, 0.3, 0.2], 1, False),
        ([0.5, 0.4, 0.46, 0.3, 0.2], 1, False),  # one bad one is smoothed away
        ([0.5, 0.4, 0.4, 0.4, 0.4, 0.4], 2, True),
        ([0.5, 0.4, 0.4, 0.4, 0.4, 0.4], 3, False),
        ([0.5, 0.4999, 0.4998, 0.4997], 3, True),  # less than a thousandth is none
        ([0.5, 0.6, 0.7], 2, True),
    ],
)
def test_when_it_is_enough(losses: list[float], patience: int, stop: bool) -> None:
    assert enough(losses, patience) is stop


def test_more_held_out_than_there_is(base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path) -> None:
    greedy = plan.model_copy(update={"validate_every": 1, "held_out": 5})
    with pytest.raises(TrainingError, match="holds out 5"):
        train_lora(base, dataset, pictures, greedy, tmp_path / "a.safetensors")


# ---- the status without a training


def written(run: Path, **update: object) -> None:
    file = StatusFile(run, 10)
    file.begin()
    said = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps(said | update))


def test_a_run_whose_process_is_gone_is_told_as_stopped(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    written(tmp_path, pid=done.pid, state="training", step=7)
    status = read_status(tmp_path)
    assert (status.state, status.step, status.resumable) == ("stopped", 7, True)
    assert str(done.pid) in status.message
    written(tmp_path, state="training")
    assert read_status(tmp_path).running
    written(tmp_path, state="training", process_started=1.0)
    assert read_status(tmp_path).state == "stopped", "the number belongs to another process now"


def test_a_run_on_another_machine_is_judged_by_its_heartbeat(tmp_path: Path) -> None:
    written(tmp_path, pid=1, machine="elsewhere", state="sampling")
    now = datetime.now(UTC)
    assert read_status(tmp_path, now=now).running
    assert read_status(tmp_path, now=now + timedelta(minutes=11)).state == "stopped"


def test_a_damaged_status_is_named_and_a_finished_run_marked(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    with pytest.raises(TrainingError, match=r"status\.json cannot be read"):
        read_status(tmp_path)
    mark_done(tmp_path, 10)
    assert (read_status(tmp_path).state, read_status(tmp_path).step) == ("done", 10)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Python's own handler, which a process that was started in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_a_second_signal_is_not_held_back(tmp_path: Path) -> None:
    with Stops(tmp_path) as stops:
        os.kill(os.getpid(), signal.SIGINT)
        assert stops.asked() == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_failure_is_shown(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zirelia.training import loop

    monkeypatch.setattr(loop, "mse_loss", lambda *given: given[0].sum() * float("nan"))
    with pytest.raises(TrainingError, match="step 1"):
        train_lora(base, dataset, pictures, plan, tmp_path / "a.safetensors")
    status = read_status(tmp_path / "a.run")
    assert (status.state, status.resumable) == ("failed", True)
    assert "not a finite number" in status.message
