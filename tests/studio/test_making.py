"""The making of a face, wired: whose trigger, which base, which editor, what is kept aside, and posts from references alone."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zirelia import resources
from zirelia.definitions.personas import load_persona
from zirelia.definitions.scaffold import new_persona, trigger_for
from zirelia.definitions.shotlists import load_shot_list
from zirelia.domain.dataset import Candidate, Fault, FaultKind
from zirelia.domain.persona import Identity
from zirelia.domain.post import PostState
from zirelia.domain.shotlist import Coverage
from zirelia.domain.verdict import Criterion, Outcome
from zirelia.errors import ConfigurationError, MissingExtra, NotFound
from zirelia.images.references import ReferenceImageMaker
from zirelia.pictures import encode_png
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot
from zirelia.settings import Choice, load_settings
from zirelia.studio import Studio, face_adapters, making, open_studio
from zirelia.testing.chat_server import ChatServer, Question, Reply, fills_schema
from zirelia.training.plan import POCKET
from zirelia.workflow.dataset import Built, build_dataset
from zirelia.workflow.kit import Subject
from zirelia.workflow.produce import produce
from zirelia.workflow.rounds import Effort
from zirelia.workflow.starts import Photos


@pytest.fixture
def studio(home: Path) -> Callable[..., contextmanager[Studio]]:
    """Opens a studio with these names in its .env."""

    @contextmanager
    def opened(**names: object) -> Iterator[Studio]:
        (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))
        with open_studio() as opened:
            yield opened

    return opened


@pytest.fixture
def noor(home: Path) -> Path:
    """A pack without a face: no trigger word, no pictures."""
    pack = home / "persona" / "noor"
    new_persona("noor", pack)
    return pack


@pytest.fixture
def mira(home: Path) -> Path:
    pack = home / "persona" / "mira"
    shutil.copytree(resources.folder("persona") / "mira", pack)
    return pack


def photographic(pack: Path) -> None:
    file = pack / "persona.yaml"
    file.write_text(file.read_text().replace("kind: illustrated", "kind: photographic"))


class TestTrigger:
    def test_a_pack_without_one_gets_it_from_its_name(self, studio, noor):
        with studio() as opened:
            assert opened.persona("noor").lora is None
            who = making.trainee(opened, "noor")
        assert who.lora.trigger == trigger_for("noor")
        assert who.lora.weights is None

    def test_a_packs_own_stays(self, studio):
        with studio() as opened:
            assert making.trainee(opened, "mira") == opened.persona("mira")

    def test_other_personas_words_are_taken(self, studio, noor):
        with studio() as opened:
            assert "mirelo" in making.other_triggers(opened, "noor")
            assert "mirelo" not in making.other_triggers(opened, "mira")

    def test_a_pack_that_does_not_load_takes_no_word(self, studio, noor):
        with studio() as opened:  # a checkout may hold other packs, such as the one of `make face`
            before = making.other_triggers(opened, "mira")
        (noor / "persona.yaml").write_text("name: [")
        with studio() as opened:
            assert making.other_triggers(opened, "mira") == before


class TestBase:
    def test_the_pocket_one_when_nothing_is_said(self, studio):
        with studio() as opened:
            assert opened.training_base() == ("pocket", None)

    def test_the_image_models(self, studio):
        with studio(ZIRELIA_IMAGE_BACKEND="flux", ZIRELIA_IMAGE_MODEL="black-forest-labs/FLUX.1-dev") as opened:
            assert opened.training_base() == ("flux", "black-forest-labs/FLUX.1-dev")

    @pytest.mark.parametrize(
        ("pipeline", "family"),
        [("FluxPipeline", "flux"), ("StableDiffusionXLPipeline", "sdxl"), ("StableDiffusionPipeline", "sd15")],
    )
    def test_a_folder_tells_its_family(self, studio, tmp_path, pipeline, family):
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
        with studio(ZIRELIA_TRAINING_BASE=tmp_path) as opened:
            assert opened.training_base() == (family, str(tmp_path))

    def test_a_base_elsewhere_is_refused_before_anything_runs(self, studio):
        with (
            studio(ZIRELIA_TRAINING_BASE="black-forest-labs/FLUX.1-dev") as opened,
            pytest.raises(ConfigurationError, match="not a folder on this machine"),
        ):
            opened.train_kit("mira", POCKET)


@pytest.mark.parametrize(
    ("backend", "env", "model"),
    [
        (None, {}, "pocket"),
        ("pocket", {"ZIRELIA_EDIT_BACKEND": "klein"}, "pocket"),
        ("klein", {}, "black-forest-labs/FLUX.2-klein-4B"),
        ("kontext", {}, "black-forest-labs/FLUX.1-Kontext-dev"),
        ("qwen-edit", {}, "Qwen/Qwen-Image-Edit-2511"),
        ("replicate", {"REPLICATE_API_TOKEN": "r8_x"}, "black-forest-labs/flux-kontext-pro"),
        ("openai", {"OPENAI_API_KEY": "sk-x"}, "gpt-image-2"),
        # a model belongs to the backend that it was named for
        ("klein", {"ZIRELIA_EDIT_BACKEND": "klein", "ZIRELIA_EDIT_MODEL": "my/klein"}, "my/klein"),
        (
            "kontext",
            {"ZIRELIA_EDIT_BACKEND": "klein", "ZIRELIA_EDIT_MODEL": "my/klein"},
            "black-forest-labs/FLUX.1-Kontext-dev",
        ),
    ],
)
def test_the_editor_that_was_asked_for(home, backend, env, model):
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    choice = face_adapters.editor_choice(load_settings(home), backend)
    assert (choice.backend, choice.model) == (backend or "pocket", model)


@pytest.mark.parametrize(
    ("backend", "env", "names"),
    [
        ("replicate", {}, "REPLICATE_API_TOKEN"),
        ("openai", {}, "OPENAI_API_KEY"),
        ("replicate", {"REPLICATE_API_TOKEN": "r8_x", "ZIRELIA_OFFLINE": "1"}, "ZIRELIA_OFFLINE"),
    ],
)
def test_an_editor_that_cannot_work_is_refused_with_the_setting(home, backend, env, names):
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    with pytest.raises(ConfigurationError, match=f"'{backend}' cannot be used") as refused:
        face_adapters.editor_choice(load_settings(home), backend)
    assert names in refused.value.hint


def test_an_editor_whose_packages_are_missing_is_said(studio, monkeypatch):
    with studio() as opened:
        choice = Choice("pocket", "pocket", "as the test wants", missing_extra="embedded")
        with pytest.raises(MissingExtra, match="the edit backend 'pocket'"):
            face_adapters.editor(opened.settings, choice)


def test_photographs_are_not_drawn_by_the_pocket_world(studio, noor):
    photographic(noor)
    with studio() as opened:
        with pytest.raises(ConfigurationError, match="draws illustrations only"):
            making.dataset_kit(opened, "noor", backend="pocket")
        with pytest.raises(ConfigurationError, match="draws illustrations only"):
            opened.reference_maker(Subject(persona=opened.persona("noor"), lora=None, references=()))


def test_photographs_that_exist_need_no_editor(studio, noor):
    photographic(noor)
    with studio() as opened:
        kit = making.dataset_kit(opened, "noor")
        assert (kit.editor, kit.shortest_side()) == (None, 128)
        photo = Photos((("me.png", encode_png(render(HELD_OUT["mira"], SHOT, 256))),))
        with pytest.raises(ConfigurationError, match="needs an edit backend"):
            build_dataset(kit, making.trainee(opened, "noor"), photo, load_shot_list("15"), effort=Effort())


class TestKeptAside:
    @pytest.fixture
    def built(self, studio, noor) -> Built:
        """Three pictures of two cells: a kept one, its spare, and a spare that is blurred as well."""
        spare, blurred = (Fault(kind=kind, explanation="looked at") for kind in (FaultKind.SPARE, FaultKind.BLURRED))
        made = []
        with studio() as opened:
            folder = opened.dataset_folder("noor")
            for number, faults in enumerate([(), (spare,), (spare, blurred)], start=1):
                data = encode_png(render(HELD_OUT["mira"], SHOT, 64 + number))
                one = candidate(number, data)
                with folder.writing():
                    folder.add(one, data)
                    folder.settle([one.model_copy(update={"examined": True, "faults": faults})])
            made = folder.candidates()
        return Built(
            dataset=None,
            coverage=Coverage(kept=(), missing=()),
            kept=made[:1],
            rejected=made[1:],
            spent_usd=0.0,
            notes=(),
        )

    def test_good_ones_go_into_a_pack_that_has_none(self, studio, noor, built):
        with studio() as opened:
            names = making.keep_references(opened, "noor", built)
            assert opened.persona("noor").references == names
        assert names == ("references/face-2.png",)
        pack = load_persona("noor")
        assert pack.persona.references == names
        assert (noor / names[0]).read_bytes() == (noor / "dataset" / built.rejected[0].path).read_bytes()

    def test_a_pack_keeps_its_own(self, studio, noor, built):
        (noor / "references" / "me.png").write_bytes(encode_png(render(HELD_OUT["mira"], SHOT, 64)))
        text = (noor / "persona.yaml").read_text().replace("references: []", "references: [references/me.png]")
        (noor / "persona.yaml").write_text(text)
        with studio() as opened:
            assert making.keep_references(opened, "noor", built) == ()
        assert (noor / "persona.yaml").read_text() == text
        assert [path.name for path in (noor / "references").iterdir()] == ["me.png"]

    def test_a_picture_that_lies_there_unnamed_stays_as_it_is(self, studio, noor, built):
        (noor / "references" / "01.png").write_bytes(b"somebody's")
        with studio() as opened:
            making.keep_references(opened, "noor", built)
        assert (noor / "references" / "01.png").read_bytes() == b"somebody's"


SHOT = WorldShot(
    garment="t-shirt", cloth="red", expression="smiling", scene="park", light="daylight", framing="close-up", seed=5
)


def candidate(number: int, data: bytes) -> Candidate:
    import hashlib

    return Candidate(
        cell="face",
        number=number,
        path=f"candidates/face-{number}.png",
        sha256=hashlib.sha256(data).hexdigest(),
        origin="drawn",
        licence="Apache-2.0",
    )


class TestChoosing:
    def test_without_checkpoints(self, studio, mira):
        with studio() as opened, pytest.raises(NotFound, match="no checkpoints in") as said:
            opened.judge_checkpoints("mira")
        assert "zirelia train mira" in said.value.hint

    def test_an_empty_folder_has_none_either(self, studio, mira, tmp_path):
        with studio() as opened, pytest.raises(NotFound, match="no checkpoints in"):
            opened.judge_checkpoints("mira", tmp_path)

    def test_without_a_dataset(self, studio, noor):
        with studio() as opened, pytest.raises(NotFound, match="no finished dataset"):
            making.dataset_of(opened, "noor")


class Writer:
    """Plans, writes and directs in words of the pocket world."""

    def __init__(self) -> None:
        self._posts = itertools.count(1)

    def __call__(self, question: Question) -> Reply:
        number = next(self._posts)
        return fills_schema(
            angle="The tram driver hums a song that nobody knows.",
            caption=f"Sketch {number}: the man on the tram hums, and the whole carriage pretends not to listen.",
            hashtags=["tram", "sketching"],
            outfit="red hoodie",
            expression="smiling",
            framing="half body",
        )(question)


class TestIdentityByReferences:
    @pytest.fixture
    def by_references(self, mira: Path) -> Path:
        file = mira / "persona.yaml"
        file.write_text(file.read_text() + "\nidentity: references\n")
        return mira

    def test_an_edit_model_takes_the_image_models_place(self, studio, by_references):
        with studio(OPENAI_BASE_URL="http://127.0.0.1:9/v1") as opened:
            subject = opened.subject()
            assert subject.persona.identity is Identity.REFERENCES
            assert (subject.lora, subject.persona.lora) == (None, None)
            kit = opened.kit(subject)
            assert isinstance(kit.images, ReferenceImageMaker)
            assert kit.images.facts().details["identity"] == "12 references"
            assert kit.image_steps is None
            assert "images" not in opened.__dict__

    def test_a_post_from_references_alone_is_ready_for_review(self, studio, by_references):
        with ChatServer(Writer()) as chat, studio(OPENAI_BASE_URL=chat.base_url, ZIRELIA_EMBEDDINGS_BACKEND="none") as opened:
            subject = opened.subject()
            post = produce(opened.kit(subject), subject)
            picture = opened.media.path(post.chosen_attempt.image)
            assert picture.is_file()
        assert post.state is PostState.AWAITING_REVIEW, post.held_because
        attempt = post.chosen_attempt
        assert (attempt.provenance.backend, attempt.provenance.model) == ("pocket", "pocket world")
        assert len(attempt.provenance.parents) == 12
        assert attempt.provenance.lora_sha256 is None
        assert "mirelo" not in attempt.provenance.prompt.text
        outcomes = {finding.criterion: finding.outcome for finding in attempt.verdict.findings}
        assert outcomes[Criterion.IDENTITY] is Outcome.PASSED
