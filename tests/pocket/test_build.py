"""A whole build with a recipe of a few steps: what it leaves behind, and that an interruption changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

pytest.importorskip("diffusers")

import torch
from safetensors.torch import load_file

from zirelia.errors import ConfigurationError
from zirelia.pocket import weights
from zirelia.pocket.build import build
from zirelia.pocket.flux import load_pipeline, paint
from zirelia.pocket.looks import LooksEncoder
from zirelia.pocket.progress import Progress
from zirelia.pocket.recipe import Recipe

TRANSFORMER = "base/transformer/diffusion_pytorch_model.safetensors"
KILLED = """
import json, os, signal, sys
from pathlib import Path
from zirelia.pocket.build import build
from zirelia.pocket.recipe import Recipe, Schedule
said = json.loads(sys.argv[1])
for stage in ("vae", "base", "looks"):
    said[stage] = Schedule(**said[stage])
recipe = Recipe(**{name: tuple(v) if isinstance(v, list) else v for name, v in said.items()})
def die(progress):
    if progress.stage == "base" and progress.done == 5:
        os.kill(os.getpid(), signal.SIGKILL)
build(recipe, out=Path(sys.argv[2]) / "out", work=Path(sys.argv[2]) / "work", progress=die)
"""


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def whole(micro: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    return build(micro, out=folder / "out", work=folder / "work")


def test_a_build_leaves_a_sealed_pipeline_that_paints(whole: Path, micro: Recipe) -> None:
    weights.verify(whole)
    pipeline = load_pipeline(whole / "base")
    first, second = (paint(pipeline, ["a woman"], [3], size=micro.size, length=micro.t5_length) for _ in range(2))
    assert first[0].size == (micro.size, micro.size)
    assert first[0].tobytes() == second[0].tobytes()


def test_a_built_encoder_reads_whether_the_head_is_cut_off(whole: Path) -> None:
    encoder = LooksEncoder.load(whole / "looks.safetensors")
    assert encoder.heads["head"] == ("whole", "cut")


def test_the_shipped_weights_are_half_precision(whole: Path) -> None:
    assert {tensor.dtype for tensor in load_file(whole / TRANSFORMER).values()} == {torch.float16}


def test_sample_sheets_are_left_in_the_work_folder(whole: Path) -> None:
    names = {path.stem for path in (whole.parent / "work" / "sheets").glob("*.png")}
    assert names == {"vae-000003", "vae-000006", "base-000003", "base-000006"}


@pytest.mark.parametrize("stage", ["vae", "looks", "base"])
def test_an_interrupted_stage_goes_on_to_the_same_weights(stage: str, whole: Path, micro: Recipe, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.stage == stage and progress.done == 5:
            raise Interrupted

    with pytest.raises(Interrupted):
        build(micro, out=tmp_path / "out", work=tmp_path / "work", progress=interrupt)
    done: list[Progress] = []
    build(micro, out=tmp_path / "out", work=tmp_path / "work", progress=done.append)
    assert [progress.done for progress in done if progress.stage == stage] == [4, 5, 6]
    assert_same(tmp_path / "out", whole)


def test_a_killed_build_goes_on_to_the_same_weights(whole: Path, micro: Recipe, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, json.dumps(asdict(micro)), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(Path(weights.__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    assert not (tmp_path / "out" / "base").exists()
    build(micro, out=tmp_path / "out", work=tmp_path / "work")
    assert_same(tmp_path / "out", whole)


def test_a_finished_build_does_nothing(whole: Path, micro: Recipe) -> None:
    build(micro, out=whole, work=whole.parent / "work", progress=lambda progress: pytest.fail(str(progress)))


def test_a_build_can_start_from_other_weights(whole: Path, micro: Recipe, tmp_path: Path) -> None:
    still = replace(micro, base=replace(micro.base, steps=1, rate=0.0), vae=replace(micro.vae, steps=1, rate=0.0))
    build(still, out=tmp_path / "out", work=tmp_path / "work", init=whole / "base")
    assert_same(tmp_path / "out", whole, [TRANSFORMER])


def test_an_unknown_stage_is_refused(micro: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such stage: bake"):
        build(micro, out=tmp_path, work=tmp_path, stages=["bake"])


def assert_same(built: Path, whole: Path, names: list[str] | None = None) -> None:
    for name in names or ["looks.safetensors", TRANSFORMER, "base/vae/diffusion_pytorch_model.safetensors"]:
        expected, found = load_file(whole / name), load_file(built / name)
        assert expected.keys() == found.keys()
        for key, tensor in expected.items():
            assert torch.allclose(found[key], tensor, rtol=1e-3, atol=1e-4), f"{name} {key}"
