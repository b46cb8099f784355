"""The whole way on a tiny Flux: what is refused, what is written, and that diffusers takes the file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from zirelia.domain.dataset import Dataset
from zirelia.domain.persona import Consent
from zirelia.errors import ConsentRequired, TrainingError
from zirelia.files import sha256_of
from zirelia.training.lora_file import architecture, read_lora
from zirelia.training.plan import Targets, TrainingPlan
from zirelia.training.progress import Heartbeat
from zirelia.training.trainer import train_lora

TRIGGER = "mirelo"
OTHERS = ("a man with short black hair, close-up portrait, serious, in a gym", "a woman with a bob, half body portrait")

EXPIRED = Consent(fictional=False, person="A. Person", scope="portraits", expires=date(2026, 1, 31), document_sha256="0" * 64)


def test_the_file_is_what_other_tools_read(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    out = tmp_path / "lora/mira.safetensors"
    beats: list[Heartbeat] = []
    lora = train_lora(base, dataset, pictures, plan, out, OTHERS, beats.append, base_model="micro flux", device="cpu")

    assert (lora.trigger, lora.base_model, lora.rank) == (TRIGGER, "micro flux", 2)
    assert lora.sha256 == sha256_of(out)
    with safe_open(out, framework="pt") as opened:
        said = opened.metadata()
        keys = list(opened.keys())
        assert {opened.get_tensor(key).dtype.__str__() for key in keys} == {"torch.bfloat16"}
    assert all(key.startswith("transformer.") and key.endswith((".lora_A.weight", ".lora_B.weight")) for key in keys)
    for wanted in ("attn.to_q", "ff_context.net.2", "norm1_context.linear", "proj_mlp", "context_embedder"):
        assert any(wanted in key for key in keys), wanted
    assert said["modelspec.architecture"] == "flux-1x1x32/lora"
    assert said["modelspec.trigger_phrase"] == TRIGGER
    assert said["modelspec.title"] == "mira"
    assert said["modelspec.license"] == "CC0-1.0"
    assert said["modelspec.resolution"] == "32x32"
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("2", "2")
    assert json.loads(said["ss_tag_frequency"])["mira"][f"{TRIGGER} woman"] == 5
    assert len(said["zirelia.dataset_sha256"]) == 64

    trained = [beat for beat in beats if beat.stage == "train"]
    assert [beat.step for beat in trained] == list(range(1, 11))
    assert trained[0].preserved == pytest.approx(0, abs=1e-9), "an adapter that does nothing yet preserves everything"
    assert trained[-1].preserved
    assert trained[-1].seconds_left == 0
    assert "train 10/10, loss" in str(trained[-1])


def test_diffusers_loads_the_file_and_paints_otherwise_with_it(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    import numpy as np
    import torch
    from diffusers import FluxPipeline

    lora = train_lora(base, dataset, pictures, plan.model_copy(update={"learning_rate": 0.1}), tmp_path / "a.safetensors")
    pipeline = FluxPipeline.from_pretrained(base, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    def paint() -> np.ndarray[Any, Any]:
        return np.asarray(
            pipeline(
                f"{TRIGGER} woman", width=32, height=32, num_inference_steps=2, max_sequence_length=16,
                generator=torch.Generator().manual_seed(1), output_type="latent",
            ).images.detach()
        )  # fmt: skip

    plain = paint()
    pipeline.load_lora_weights(str(tmp_path), weight_name="a.safetensors", adapter_name="mira", local_files_only=True)
    assert pipeline.get_active_adapters() == ["mira"]
    config = pipeline.transformer.peft_config["mira"]
    assert (config.r, config.lora_alpha) == (lora.rank, lora.rank)
    loaded = dict(pipeline.transformer.named_parameters())
    for key, tensor in load_file(lora.path).items():
        name = key.removeprefix("transformer.").replace(".weight", ".mira.weight")
        torch.testing.assert_close(loaded[name], tensor.float())
    assert np.abs(paint() - plain).max() > 1e-3
    pipeline.disable_lora()
    assert np.abs(paint() - plain).max() < 1e-6


def test_a_plan_for_flux_dev_runs_with_guidance_bf16_checkpointing_and_a_cache_on_disk(
    guided_base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = plan.model_copy(
        update={
            "dtype": "bfloat16", "gradient_checkpointing": True, "disk_cache": True, "ema": 0.9, "steps": 3, "batch": 1,
            "preservation_batch": 1, "time_shift": 3.1582, "caption_dropout": 0.3, "targets": Targets.BLOCKS,
        }
    )  # fmt: skip
    out = tmp_path / "dev.safetensors"
    first = train_lora(guided_base, dataset, pictures, dev, out, OTHERS)
    assert list((tmp_path / "dev.run/cache").glob("*.safetensors"))

    from diffusers import FluxPipeline

    def not_again(*_: object, **__: object) -> None:
        raise AssertionError("everything is in the cache; no encoder is loaded")

    monkeypatch.setattr(FluxPipeline, "from_pretrained", not_again)
    assert train_lora(guided_base, dataset, pictures, dev, out, OTHERS, resume=False) == first


def test_the_same_training_gives_the_same_bytes_and_snapshots_do_not_change_it(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    one = train_lora(base, dataset, pictures, plan, tmp_path / "one.safetensors")
    often = plan.model_copy(update={"snapshot_every": 1})
    two = train_lora(base, dataset, pictures, often, tmp_path / "two.safetensors")
    found, wanted = load_file(two.path), load_file(one.path)
    assert all((found[key] == wanted[key]).all() for key in wanted)


def test_without_preservation_there_is_one_loss(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    beats: list[Heartbeat] = []
    alone = plan.model_copy(update={"preservation_batch": 0, "steps": 2})
    train_lora(base, dataset, pictures, alone, tmp_path / "a.safetensors", progress=beats.append)
    assert beats[-2].preserved is None


def test_pictures_of_others_are_preserved_and_not_learnt(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    kept = dataset.model_copy(update={"references": dataset.references[:2]})
    others = [pictures / "3.png", pictures / "4.png"]
    always = plan.model_copy(update={"steps": 3, "preservation_elsewhere": 1.0})
    plain = train_lora(base, kept, pictures, always, tmp_path / "plain.safetensors", OTHERS)
    lora = train_lora(base, kept, pictures, always, tmp_path / "a.safetensors", OTHERS, other_pictures=others)
    assert lora.sha256 != plain.sha256
    assert json.loads(read_lora(tmp_path / "a.safetensors")[1]["ss_tag_frequency"])["mira"][f"{TRIGGER} woman"] == 2
    unread = always.model_copy(update={"preservation_weight": 0.0})
    first = train_lora(base, kept, pictures, unread, tmp_path / "b.safetensors", OTHERS)
    second = train_lora(base, kept, pictures, unread, tmp_path / "c.safetensors", OTHERS, other_pictures=others)
    tensors = load_file(second.path)
    for key, tensor in load_file(first.path).items():
        assert (tensor - tensors[key]).abs().max() < 1e-6, "with no weight on preservation, others leave no trace"


def test_no_consent_no_training(base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path) -> None:
    refused = dataset.model_copy(update={"consent": EXPIRED})
    with pytest.raises(ConsentRequired, match="2026-01-31"):
        train_lora(base, refused, pictures, plan, tmp_path / "a.safetensors", today=date(2026, 2, 1))
    assert list(tmp_path.iterdir()) == []
    train_lora(
        base, refused, pictures, plan.model_copy(update={"steps": 1}), tmp_path / "a.safetensors", today=date(2026, 1, 31)
    )


def test_a_loss_that_is_no_number_stops_the_training(
    copied_base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    weights = copied_base / "transformer/diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["proj_out.bias"][0] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    out = tmp_path / "a.safetensors"
    with pytest.raises(TrainingError, match="step 1: the loss is not a finite number"):
        train_lora(copied_base, dataset, pictures, plan, out)
    assert not out.exists()
    assert not list(out.with_suffix(".run").glob("step-*"))


def test_a_loss_that_becomes_no_number_leaves_the_snapshot_from_before(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zirelia.training import loop

    genuine, calls = loop.mse_loss, iter(range(100))

    def failing(*given: Any) -> Any:
        return genuine(*given) * (float("inf") if next(calls) >= 10 else 1)  # two losses a step: the sixth

    out = tmp_path / "a.safetensors"
    with monkeypatch.context() as broken:
        broken.setattr(loop, "mse_loss", failing)
        with pytest.raises(TrainingError, match="step 6"):
            train_lora(base, dataset, pictures, plan, out)
    assert [path.name for path in out.with_suffix(".run").glob("step-*")] == ["step-000004"]
    beats: list[Heartbeat] = []
    train_lora(base, dataset, pictures, plan, out, progress=beats.append)
    assert next(beat.step for beat in beats if beat.stage == "train") == 5


def test_an_end_without_a_file_is_an_error(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zirelia.training import trainer

    monkeypatch.setattr(trainer, "_train", lambda *_: "")
    with pytest.raises(TrainingError, match="without writing"):
        train_lora(base, dataset, pictures, plan, tmp_path / "a.safetensors")


def test_a_disk_that_fails_is_said_plainly(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zirelia import files

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "to_disk", full)
    with pytest.raises(TrainingError, match="No space left") as caught:
        train_lora(base, dataset, pictures, plan, tmp_path / "a.safetensors")
    assert "goes on from the newest snapshot" in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((19, 38, 24, 128, True), "flux-1-dev/lora"),
        ((19, 38, 24, 128, False), "flux-1-schnell/lora"),
        ((2, 4, 6, 32, False), "flux-2x4x192/lora"),
    ],
)
def test_the_architecture_is_told_by_the_shape(shape: tuple[int, int, int, int, bool], name: str) -> None:
    keys = ("num_layers", "num_single_layers", "num_attention_heads", "attention_head_dim", "guidance_embeds")
    assert architecture(dict(zip(keys, shape, strict=True))) == name


@pytest.mark.parametrize("kind", ["cut", "foreign", "ranks", "silent"])
def test_a_file_that_is_not_ours_is_refused(kind: str, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "a.safetensors"
    pair = {f"transformer.x.lora_{side}.weight": torch.zeros(2, 2) for side in "AB"}
    tensors = {
        "cut": pair,
        "foreign": {"lora_unet_x.lora_down.weight": torch.zeros(2, 2)},
        "ranks": pair | {"transformer.y.lora_A.weight": torch.zeros(3, 2), "transformer.y.lora_B.weight": torch.zeros(2, 3)},
        "silent": pair,
    }[kind]
    save_file(tensors, path)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(TrainingError):
        read_lora(path)
