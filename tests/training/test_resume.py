"""Killed with -9 and called again, a training ends with the file of an uninterrupted one and takes no kept step twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from safetensors.torch import load_file

from zirelia.domain.dataset import Dataset
from zirelia.errors import TrainingError
from zirelia.files import alone
from zirelia.training.plan import TrainingPlan
from zirelia.training.status import read_status
from zirelia.training.trainer import train_lora

OTHERS = ("a man with short black hair, close-up portrait, serious, in a gym", "a woman with a bob, half body portrait")

# snapshots at 4, 8 and 10 of 10 steps: the moment, and the first step that the second process takes
MOMENTS = {
    "train:2": 1,
    "train:7": 5,
    "sample:8": 9,
    "move:step-000008": 5,
    "move:killed-4.safetensors": None,
}

# what could disturb a resumed run: an average, batches of several shapes, masks, samples, validations
EVERYTHING = {
    "ema": 0.7, "resolution": 64, "buckets": True, "background_weight": 0.2, "sample_every": 4, "sample_steps": 1,
    "validate_every": 3, "held_out": 1,
}  # fmt: skip
SAMPLES = ("mirelo woman, smiling", "a man in a gym")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_killed_training_goes_on_where_it_was(
    base: Path, shaped_dataset: Dataset, shaped_pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    plan = plan.model_copy(update=EVERYTHING)
    answers = _forked_trainings(base, shaped_dataset, shaped_pictures, plan, tmp_path)

    whole = load_file(tmp_path / "whole.safetensors")
    state = load_file(tmp_path / "whole.run/step-000010/state.safetensors")
    kept = json.loads((tmp_path / "whole.run/step-000010/state.json").read_text())
    drawn = _samples(tmp_path / "whole.run")
    assert sorted(drawn) == [f"step-00000{step}/0{number}.png" for step in (4, 8) for number in (0, 1)]
    assert answers.pop("whole")["steps"] == list(range(1, 11))
    for number, (moment, first) in enumerate(MOMENTS.items()):
        said = answers[moment]
        assert said["killed"] == signal.SIGKILL, moment
        assert said["steps"] == ([] if first is None else list(range(first, 11))), moment
        run = tmp_path / f"killed-{number}.run"
        _assert_same(load_file(tmp_path / f"killed-{number}.safetensors"), whole)
        _assert_same(load_file(run / "step-000010/state.safetensors"), state)
        found = json.loads((run / "step-000010/state.json").read_text())
        for measured in ("curve", "validations"):
            assert [*chain(*found[measured])] == pytest.approx([*chain(*kept[measured])], rel=1e-4), (moment, measured)
        assert _samples(run) == drawn, moment
        assert read_status(run).state == "done", moment
        assert not [path for path in run.rglob("*") if ".part" in path.name], "what was half written is swept"


def _samples(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run / "samples")): path.read_bytes() for path in (run / "samples").rglob("*.png")}


def _forked_trainings(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, folder: Path
) -> dict[str, dict[str, object]]:
    job = {
        "base": str(base),
        "dataset": dataset.model_dump_json(),
        "pictures": str(pictures),
        "plan": plan.model_dump_json(),
        "others": json.dumps(OTHERS),
        "samples": json.dumps(SAMPLES),
        "moments": json.dumps(list(MOMENTS)),
        "folder": str(folder),
    }
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed.py")), str(folder / "job.json")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answers


def _assert_same(found: dict[str, object], wanted: dict[str, object]) -> None:
    import torch

    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(found[key], tensor, rtol=1e-4, atol=1e-6)


def test_a_finished_training_is_answered_at_once(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    plan = plan.model_copy(update={"steps": 2})
    out = tmp_path / "mira.safetensors"
    first = train_lora(base, dataset, pictures, plan, out)
    beats: list[object] = []
    assert train_lora(base, dataset, pictures, plan, out, progress=beats.append) == first
    assert beats == []

    other = plan.model_copy(update={"seed": 5})
    with pytest.raises(TrainingError, match="another plan"):
        train_lora(base, dataset, pictures, other, out)
    replaced = train_lora(base, dataset, pictures, other, out, resume=False)
    assert replaced.sha256 != first.sha256


def test_a_snapshot_of_another_plan_is_refused_and_a_damaged_one_named(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    plan = plan.model_copy(update={"steps": 4, "snapshot_every": 2})
    out = tmp_path / "mira.safetensors"
    train_lora(base, dataset, pictures, plan, out)
    out.unlink()
    with pytest.raises(TrainingError, match="another plan"):
        train_lora(base, dataset, pictures, plan.model_copy(update={"learning_rate": 2e-2}), out)
    (out.with_suffix(".run") / "step-000004/state.safetensors").write_bytes(b"half")
    with pytest.raises(TrainingError, match="cannot be read") as caught:
        train_lora(base, dataset, pictures, plan, out)
    assert "resume=False" in str(caught.value)
    assert train_lora(base, dataset, pictures, plan, out, resume=False).rank == 2
    kept = sorted(path.parent.name for path in out.with_suffix(".run").glob("step-*/lora.safetensors"))
    assert kept == ["step-000002", "step-000004"], "every checkpoint stays, to choose from"


@pytest.mark.skipif(os.name != "posix", reason="advisory locks are posix")
def test_two_trainings_do_not_share_a_folder(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    out = tmp_path / "mira.safetensors"
    out.with_suffix(".run").mkdir()
    with alone(out.with_suffix(".run") / "lock", busy=RuntimeError), pytest.raises(TrainingError, match="another training"):
        train_lora(base, dataset, pictures, plan, out)
