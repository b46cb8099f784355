"""Plans on cards: what a profile changes, and what a plan asks of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from zirelia.domain.dataset import Dataset
from zirelia.errors import ConfigurationError, MissingExtra, TrainingError
from zirelia.training import preflight, profiles
from zirelia.training.bases import loading
from zirelia.training.plan import POCKET, TrainingPlan, fluxgym, person, style
from zirelia.training.profiles import PROFILES, for_card, profile
from zirelia.training.trainer import train_lora

GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "quantisation", "resolution", "encode_on_cpu"),
    [
        ("40gb", "none", 1024, False),
        ("24gb", "int8", 1024, False),
        ("16gb", "nf4", 1024, False),
        ("12gb", "nf4", 768, True),
        ("8gb", "nf4", 512, True),
    ],
)
def test_a_person_on_each_card(name: str, quantisation: str, resolution: int, encode_on_cpu: bool) -> None:
    plan = profile(name).fit(person(20))
    assert (plan.quantisation, plan.resolution, plan.encode_on_cpu) == (quantisation, resolution, encode_on_cpu)
    assert plan.gradient_checkpointing
    assert plan.dtype == "bfloat16"
    changed = {"quantisation", "resolution", "encode_on_cpu", "optimiser", "dtype", "gradient_checkpointing"}
    assert plan.model_dump(exclude=changed) == person(20).model_dump(exclude=changed)


@pytest.mark.parametrize(
    ("gib", "name"),
    [(141.0, "40gb"), (39.4, "40gb"), (23.5, "24gb"), (15.7, "16gb"), (11.6, "12gb"), (7.8, "8gb"), (None, "cpu")],
)
def test_auto_takes_the_largest_that_fits(gib: float | None, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_card_bytes", lambda: None if gib is None else int(gib * GIB))
    assert profile("auto").name == name


def test_what_no_profile_is_for() -> None:
    with pytest.raises(ConfigurationError, match=r"6\.0 GiB"):
        for_card(6 * GIB)
    with pytest.raises(ConfigurationError, match="no training profile '4gb'") as caught:
        profile("4gb")
    assert "auto, 40gb, 24gb" in str(caught.value)


def test_the_pocket_plan_stays_what_it_is_on_the_processor() -> None:
    assert profile("cpu").fit(POCKET) == POCKET
    assert profile("cpu").fit(fluxgym(20)).quantisation == "none"
    assert profile("40gb").fit(fluxgym(20)).quantisation == "fp8"


def test_eight_bit_moments_only_where_they_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    for installed, optimiser in ((True, "adamw8bit"), (False, "adamw")):
        monkeypatch.setattr(profiles, "eight_bit_optimiser", lambda installed=installed: installed)
        assert PROFILES["16gb"].fit(person(20)).optimiser == optimiser


def test_the_presets() -> None:
    plan = fluxgym(images=12)
    assert (plan.rank, plan.learning_rate, plan.steps, plan.snapshot_every) == (4, 3e-4, 16 * 120, 4 * 120)
    assert (plan.time_shift, plan.guidance, plan.seed, plan.sample_every) == (3.1582, 1.0, 42, 100)
    assert (plan.quantisation, plan.disk_cache, plan.gradient_checkpointing, plan.preserving) == ("fp8", True, True, 0)
    assert (style(40).steps, style(40).buckets, style(40).preserving) == (2400, True, 0)
    assert person(40).preserving == 1
    for each in (plan, style(1), person(1), POCKET):
        assert TrainingPlan.model_validate_json(each.model_dump_json()) == each


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"patience": 3}, "validate_every"),
        ({"quantisation": "nf4"}, "bfloat16"),
        ({"background_weight": 0.0}, "greater than 0"),
    ],
)
def test_plans_that_make_no_sense(update: dict[str, object], said: str, plan: TrainingPlan) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainingPlan.model_validate(plan.model_dump() | update)


@pytest.mark.parametrize(
    ("update", "what"), [({"quantisation": "nf4"}, "a base in nf4"), ({"optimiser": "adamw8bit"}, "the eight-bit optimiser")]
)
def test_packages_that_are_missing_are_named(
    update: dict[str, object], what: str, base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: None)
    asked = plan.model_copy(update={"dtype": "bfloat16", **update})
    with pytest.raises(MissingExtra, match=what):
        train_lora(base, dataset, pictures, asked, tmp_path / "a.safetensors")


def test_four_bits_want_a_card(plan: TrainingPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: object())
    asked = plan.model_copy(update={"dtype": "bfloat16", "quantisation": "nf4", "optimiser": "adamw8bit"})
    loading.need_packages(asked, on_gpu=True)
    with pytest.raises(TrainingError, match="a base in nf4 needs a GPU"):
        loading.need_packages(asked, on_gpu=False)
    loading.need_packages(asked.model_copy(update={"quantisation": "fp8"}), on_gpu=False)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.50.2")  # diffusers asks before it makes a configuration
    config = loading.quantisation_of(asked)
    assert (config.load_in_4bit, config.bnb_4bit_quant_type) == (True, "nf4")
    assert loading.quantisation_of(asked.model_copy(update={"quantisation": "int8"})).load_in_8bit


def test_a_base_held_smaller_needs_less(
    base: Path, plan: TrainingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, int] = {}
    monkeypatch.setattr(preflight, "_enough", lambda what, free, needed, hint: told.__setitem__(what.split()[0], needed))
    monkeypatch.setattr(preflight, "_free_memory", lambda *, on_gpu: 1)
    monkeypatch.setattr(preflight, "_SPARE_MEMORY", 0)
    needed = {}
    for quantisation in ("none", "int8", "nf4"):
        held = plan.model_copy(update={"dtype": "bfloat16", "quantisation": quantisation, "encode_on_cpu": True})
        preflight.check_machine(base, tmp_path / "a.safetensors", held, on_gpu=True)
        needed[quantisation] = told["memory"]
    assert needed["none"] > needed["int8"] > needed["nf4"]


@pytest.mark.parametrize("update", [{"quantisation": "fp8"}, {"encode_on_cpu": True, "optimiser": "adamw"}])
def test_a_small_base_runs(
    update: dict[str, object], base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    small = {"dtype": "bfloat16", "gradient_checkpointing": True, "steps": 3, "sample_every": 3, "sample_steps": 1}
    asked = plan.model_copy(update=small | update)
    lora = train_lora(base, dataset, pictures, asked, tmp_path / "a.safetensors", samples=["mirelo"])
    assert lora.rank == 2
    assert (tmp_path / "a.run/samples/step-000003/00.png").is_file()


def test_class_images_want_a_caption_each(
    base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path
) -> None:
    asked = plan.model_copy(update={"preservation": "class images", "steps": 3})
    others, captions = [pictures / "3.png", pictures / "4.png"], ["a man, in a gym", "a woman, on the beach"]
    kept = dataset.model_copy(update={"references": dataset.references[:2]})
    for given in (captions[:1], []):
        with pytest.raises(TrainingError, match=f"2 pictures of others and {len(given)} captions"):
            train_lora(base, kept, pictures, asked, tmp_path / "a.safetensors", given, other_pictures=others)
    beats = []
    train_lora(base, kept, pictures, asked, tmp_path / "a.safetensors", captions, beats.append, other_pictures=others)
    losses = [beat.preserved for beat in beats if beat.stage == "train"]
    assert losses[0] > 0.1, "their true noise is learnt, not what the base says"
    beats.clear()
    none = plan.model_copy(update={"preservation": "none", "steps": 1})
    train_lora(base, kept, pictures, none, tmp_path / "b.safetensors", captions, beats.append)
    assert [beat.preserved for beat in beats if beat.stage == "train"] == [None]
