"""SDXL and Stable Diffusion go the same way as Flux: learnt, resumed exactly, and read by the stock pipelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from zirelia.domain.dataset import Dataset
from zirelia.errors import TrainingError
from zirelia.training.families import FLUX, SD15, SDXL, architecture, family_of, multiple_of
from zirelia.training.lora_file import read_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.progress import Heartbeat
from zirelia.training.trainer import train_lora

TRIGGER = "mirelo"

# diffusers' Euler scheduler makes arrays of tensors in the way of numpy 1
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


class _Broken(Exception):
    """A training cut off."""


@pytest.mark.parametrize(
    ("kind", "architecture_said", "predicts"),
    [("sdxl", "sdxl-8x16x32/lora", "epsilon"), ("sd15", "stable-diffusion-8x16x16/lora", "v_prediction")],
)
def test_a_unet_is_trained_resumed_and_read_by_diffusers(
    kind: str, architecture_said: str, predicts: str, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    base = request.getfixturevalue(f"{kind}_base")
    one = dataset.model_copy(update={"references": dataset.references[:1]})
    plan = plan.model_copy(update={"steps": 20, "batch": 4, "learning_rate": 4e-2, "sample_every": 20, "sample_steps": 2})
    beats: list[Heartbeat] = []
    lora = train_lora(base, one, pictures, plan, tmp_path / "whole.safetensors", progress=beats.append, samples=[TRIGGER])

    losses = [beat.loss for beat in beats if beat.stage == "train" and beat.loss is not None]
    assert sum(losses[-6:]) < 0.96 * sum(losses[:6]), "one picture is learnt"
    assert (tmp_path / "whole.run/samples/step-000020/00.png").is_file()
    with safe_open(lora.path, framework="pt") as opened:
        said = opened.metadata()
        assert all(key.startswith("unet.") for key in opened.keys())  # noqa: SIM118
    assert said["modelspec.architecture"] == architecture_said
    assert said["modelspec.trigger_phrase"] == TRIGGER
    assert json.loads((base / "scheduler/scheduler_config.json").read_text())["prediction_type"] == predicts

    def cut(beat: Heartbeat) -> None:
        if beat.stage == "train" and beat.step == 14:
            raise _Broken

    cut_plan = plan.model_copy(update={"sample_every": None})
    with pytest.raises(_Broken):
        train_lora(base, one, pictures, cut_plan, tmp_path / "cut.safetensors", progress=cut)
    resumed = train_lora(base, one, pictures, cut_plan, tmp_path / "cut.safetensors")
    wanted = load_file(lora.path)
    for key, tensor in load_file(resumed.path).items():
        assert (tensor == wanted[key]).all(), key

    _assert_diffusers_paints_otherwise(base, lora.path)


def _assert_diffusers_paints_otherwise(base: Path, lora: str) -> None:
    import numpy as np
    import torch
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(base, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    def paint() -> np.ndarray[Any, Any]:
        with torch.no_grad():
            return np.asarray(
                pipeline(
                    f"{TRIGGER} woman", width=32, height=32, num_inference_steps=2, output_type="latent",
                    generator=torch.Generator().manual_seed(1),
                ).images
            )  # fmt: skip

    plain = paint()
    path = Path(lora)
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name="mira", local_files_only=True)
    assert pipeline.get_active_adapters() == ["mira"]
    loaded = dict(pipeline.unet.named_parameters())
    for key, tensor in load_file(path).items():
        torch.testing.assert_close(loaded[key.removeprefix("unet.").replace(".weight", ".mira.weight")], tensor.float())
    assert np.abs(paint() - plain).max() > 1e-3


def test_folders_are_told_apart(base: Path, sdxl_base: Path, sd15_base: Path, tmp_path: Path) -> None:
    assert [family_of(folder) for folder in (base, sdxl_base, sd15_base)] == [FLUX, SDXL, SD15]
    assert [multiple_of(folder, family_of(folder)) for folder in (base, sdxl_base, sd15_base)] == [16, 4, 4]
    with pytest.raises(TrainingError, match=r"model_index\.json cannot be read"):
        family_of(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "PixArtAlphaPipeline"}')
    with pytest.raises(TrainingError, match="PixArtAlphaPipeline"):
        family_of(tmp_path)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048, "addition_embed_type": "text_time"},
         "stable-diffusion-xl-v1-base/lora"),
        ({"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768}, "stable-diffusion-v1/lora"),
        ({"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 1024}, "stable-diffusion-v2-512/lora"),
    ],
)  # fmt: skip
def test_the_known_unets_have_their_names(settings: dict[str, Any], name: str) -> None:
    assert architecture(settings) == name


def test_a_size_that_the_base_cannot_draw_is_refused(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zirelia.training import trainer

    monkeypatch.setattr(trainer, "multiple_of", lambda *_: 64)
    with pytest.raises(TrainingError, match="multiples of 64 pixels, the plan wants 32"):
        train_lora(base, dataset, pictures, plan, tmp_path / "a.safetensors")


def test_shapes_masks_and_preservation_work_for_a_unet(
    sd15_base: Path, shaped_dataset: Dataset, shaped_pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    beats: list[Heartbeat] = []
    update = {"steps": 4, "resolution": 48, "buckets": True, "background_weight": 0.3, "validate_every": 4, "held_out": 1}
    asked, out = plan.model_copy(update=update), tmp_path / "a.safetensors"
    lora = train_lora(sd15_base, shaped_dataset, shaped_pictures, asked, out, progress=beats.append)
    assert read_lora(out)[0] == lora
    trained = [beat for beat in beats if beat.stage == "train"]
    assert trained[0].preserved == pytest.approx(0, abs=1e-9)
    assert trained[-1].preserved
    assert trained[-1].validation
