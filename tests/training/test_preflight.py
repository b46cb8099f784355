"""What is found before a model is loaded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from zirelia.domain.dataset import Dataset, Reference
from zirelia.errors import TrainingError
from zirelia.training import preflight
from zirelia.training.plan import TrainingPlan
from zirelia.training.preflight import check_dataset, check_machine, parameters_in

DAY = date(2026, 11, 21)


def changed(dataset: Dataset, **update: object) -> Dataset:
    first = dataset.references[0].model_copy(update=update)
    return dataset.model_copy(update={"references": (first, *dataset.references[1:])})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.model_copy(update={"references": ()}), "no pictures"),
        (lambda d: changed(d, caption="a woman, smiling"), "'mirelo' 0 times"),
        (lambda d: changed(d, caption="mirelo woman beside mirelo"), "'mirelo' 2 times"),
        (lambda d: changed(d, caption="mirelos woman"), "0 times"),
        (lambda d: changed(d, path="missing.png"), "is missing"),
        (lambda d: changed(d, path="../0.png"), "outside"),
        (lambda d: changed(d, sha256="0" * 64), "hash differs"),
    ],
)
def test_a_dataset_that_cannot_be_trained_on(
    change: Callable[[Dataset], Dataset], said: str, dataset: Dataset, pictures: Path, plan: TrainingPlan
) -> None:
    with pytest.raises(TrainingError, match=said):
        check_dataset(change(dataset), pictures, plan, today=DAY)


def test_pictures_are_read_and_never_enlarged(dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path) -> None:
    check_dataset(dataset, pictures, plan, today=DAY)
    with pytest.raises(TrainingError, match="32 pixels on its shorter side, the plan wants 64"):
        check_dataset(dataset, pictures, plan.model_copy(update={"resolution": 64}), today=DAY)
    cut = tmp_path / "cut.png"
    cut.write_bytes((pictures / "0.png").read_bytes()[:200])
    broken = Reference(
        path="cut.png", sha256=preflight.sha256_of(cut), origin="noise", licence="CC0-1.0", caption="mirelo woman"
    )
    with pytest.raises(TrainingError, match="cannot be read"):
        check_dataset(dataset.model_copy(update={"references": (broken,)}), tmp_path, plan, today=DAY)


def test_a_machine_with_too_little(base: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_machine(base, tmp_path / "a.safetensors", plan, on_gpu=False)
    with monkeypatch.context() as poor:
        poor.setattr(preflight, "_free_memory", lambda *, on_gpu: 1 << 20)
        with pytest.raises(TrainingError, match="too little memory"):
            check_machine(base, tmp_path / "a.safetensors", plan, on_gpu=False)
    full = preflight.shutil._ntuple_diskusage(100, 99, 1)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: full)
    with pytest.raises(TrainingError, match="too little disk"):
        check_machine(base, tmp_path / "a.safetensors", plan, on_gpu=False)


def test_the_cache_needs_disk(base: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(preflight, "_enough", lambda what, free, needed, hint: told.append(needed))
    for cache in (False, True):
        kept = plan.model_copy(update={"disk_cache": cache, "max_sequence_length": 512, "dtype": "bfloat16"})
        check_machine(base, tmp_path / "a.safetensors", kept, on_gpu=False, texts=100, pictures=0)
    assert told[3] - told[1] == 100 * 512 * 4096 * 2


def test_a_base_that_is_not_one(copied_base: Path, plan: TrainingPlan, tmp_path: Path) -> None:
    assert parameters_in(copied_base / "vae") > 1000
    weights = copied_base / "vae/diffusion_pytorch_model.safetensors"
    weights.write_bytes(b"<html>not found</html>")
    with pytest.raises(TrainingError, match="not a safetensors file"):
        check_machine(copied_base, tmp_path / "a.safetensors", plan, on_gpu=False)
    weights.unlink()
    with pytest.raises(TrainingError, match="no safetensors weights under vae"):
        check_machine(copied_base, tmp_path / "a.safetensors", plan, on_gpu=False)
