"""What the doctor says of the making of a face: which editor, which recogniser, where trainings run, and which extras."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zirelia import resources
from zirelia.studio import doctor, face_roles, open_studio

Looked = Callable[..., dict[str, doctor.Report]]


@pytest.fixture
def looked(home: Path) -> Looked:
    """The reports without calls, by role."""

    def look(**names: object) -> dict[str, doctor.Report]:
        (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))
        with open_studio() as studio:
            return {report.role: report for report in doctor.examine(studio, call=False)}

    return look


@pytest.mark.parametrize(
    ("env", "backend", "model", "why"),
    [
        ({}, "pocket", "pocket", "the embedded pocket world"),
        ({"ZIRELIA_EDIT_BACKEND": "klein"}, "klein", "black-forest-labs/FLUX.2-klein-4B", "ZIRELIA_EDIT_BACKEND=klein"),
        (
            {"REPLICATE_API_TOKEN": "r8_x", "ZIRELIA_EDIT_MODEL": "ada/kontext"},
            "replicate",
            "ada/kontext",
            "REPLICATE_API_TOKEN and ZIRELIA_EDIT_MODEL are set",
        ),
    ],
)
def test_the_editor(looked, env, backend, model, why):
    said = looked(**env)["edit"]
    assert (said.backend, said.model, said.health) == (backend, model, "not called")
    assert why in said.why


def test_a_paid_edit_is_not_made_unasked(home):
    (home / ".env").write_text("REPLICATE_API_TOKEN=r8_x\nZIRELIA_EDIT_MODEL=ada/kontext\nZIRELIA_CHAT_BACKEND=embedded\n")
    with open_studio() as studio:
        reports = doctor.examine(studio, call=True)
        edit = next(report for report in reports if report.role == "edit")
    assert (edit.health, edit.note) == ("not called", "it may cost money; --spend calls it")


@pytest.mark.parametrize(("kind", "said"), [("illustrated", ("looks", "pocket looks")), ("photographic", ("faces", "dlib"))])
def test_the_recogniser_is_the_one_for_her_kind(home, looked, kind, said):
    pack = home / "persona" / "mira"
    shutil.copytree(resources.folder("persona") / "mira", pack)
    text = (pack / "persona.yaml").read_text().replace("kind: illustrated", f"kind: {kind}")
    (pack / "persona.yaml").write_text(text)
    report = looked()["recogniser"]
    assert (report.backend, report.model) == said
    assert kind in report.why


def test_a_persona_that_is_not_there_is_said_by_the_roles_that_need_her(looked):
    said = looked(ZIRELIA_PERSONA="nobody")
    assert said["recogniser"].backend == "none"
    assert "nobody" in said["recogniser"].why
    assert said["training"].health == "works"


class TestTraining:
    def test_here_with_the_pocket_base(self, looked):
        said = looked()["training"]
        assert (said.backend, said.model, said.health) == ("here", "pocket", "works")
        assert said.note == "family pocket, memory profile auto"

    def test_at_replicate(self, looked):
        said = looked(ZIRELIA_TRAINING_WHERE="replicate", REPLICATE_API_TOKEN="r8_x", ZIRELIA_TRAINING_DESTINATION="ada/mira")[
            "training"
        ]
        assert (said.backend, said.model, said.health) == ("replicate", "ostris/flux-dev-lora-trainer", "works")
        assert said.note == "its LoRAs go to ada/mira"

    def test_a_base_that_is_elsewhere_is_no_fault_and_is_said(self, looked):
        said = looked(ZIRELIA_IMAGE_BACKEND="flux", ZIRELIA_IMAGE_MODEL="black-forest-labs/FLUX.1-dev")["training"]
        assert (said.model, said.health) == ("black-forest-labs/FLUX.1-dev", "none")
        assert "set ZIRELIA_TRAINING_BASE" in said.note

    def test_a_folder_that_is_no_base_fails(self, looked, tmp_path):
        said = looked(ZIRELIA_TRAINING_BASE=tmp_path)["training"]
        assert said.health == "fails"
        assert str(tmp_path) in said.note

    @pytest.mark.parametrize(
        ("env", "missing", "extra"),
        [
            ({}, "peft", "embedded"),
            ({"ZIRELIA_IMAGE_BACKEND": "flux"}, "diffusers", "local"),
            (
                {
                    "ZIRELIA_TRAINING_WHERE": "replicate",
                    "REPLICATE_API_TOKEN": "r8_x",
                    "ZIRELIA_TRAINING_DESTINATION": "a/b",
                },
                "replicate",
                "replicate",
            ),
        ],
    )
    def test_packages_that_are_missing_are_said_with_the_command(self, looked, monkeypatch, env, missing, extra):
        monkeypatch.setattr(face_roles, "is_installed", lambda module: module != missing)
        said = looked(**env)["training"]
        assert said.health == "none"
        assert f"pip install 'zirelia[{extra}]'" in said.note


@pytest.mark.parametrize(
    ("extra", "module"),
    [("faces", "dlib"), ("faces", "face_recognition_models"), ("tensorboard", "tensorboardX"), ("quantised", "bitsandbytes")],
)
def test_extras_are_installed_or_told_how_to_be(home, monkeypatch, extra, module):
    monkeypatch.setattr(doctor, "is_installed", lambda _: True)
    assert doctor.machine(home)[extra] == "installed"
    monkeypatch.setattr(doctor, "is_installed", lambda name: name != module)
    assert doctor.machine(home)[extra] == f"not installed: pip install 'zirelia[{extra}]'"


def test_what_works_is_tried_on_her_references(home):
    with open_studio() as studio:
        edited = face_roles.edit(studio, doctor._NoCall())
        seen = face_roles.see(studio)
    assert edited.startswith("128x128 from up to 16 references in ")
    assert edited.endswith("pictures under Apache-2.0")
    assert seen.startswith("sees the subject in 12 of 12 references; one person from ")
