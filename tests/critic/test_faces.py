"""Faces in two real photographs: found, told apart, and recognised again when the picture changes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from zirelia.critic import faces
from zirelia.critic.curation import SetCurator
from zirelia.critic.faces import FaceRecogniser
from zirelia.critic.safety import SafetyInstrument
from zirelia.domain.dataset import FaultKind
from zirelia.domain.persona import Kind
from zirelia.errors import MissingExtra
from zirelia.pictures import crop_box, load_picture
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot
from zirelia.ports import Submission

PHOTOGRAPHS = Path(__file__).parent / "photographs"
needs_dlib = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None, reason="the extra 'faces' is not installed"
)


@pytest.fixture(scope="module")
def collins() -> Image.Image:
    return load_picture(PHOTOGRAPHS / "collins.jpg")


@pytest.fixture(scope="module")
def hopper() -> Image.Image:
    return load_picture(PHOTOGRAPHS / "hopper.jpg")


@pytest.fixture(scope="module")
def recogniser() -> FaceRecogniser:
    return FaceRecogniser()


CHANGES = {
    "mirrored": ImageOps.mirror,
    "soft": lambda image: image.filter(ImageFilter.GaussianBlur(1.2)),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
    "grey": lambda image: image.convert("L"),
    "tilted": lambda image: image.rotate(10, resample=Image.Resampling.BICUBIC),
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "large": lambda image: image.resize((image.width * 8, image.height * 8)),
    "narrow": lambda image: image.resize((int(image.width * 0.88), image.height)),
}


def far(image: Image.Image) -> Image.Image:
    """The photograph small in a wide wall."""
    wall = Image.new("RGB", (1024, 1024), "#88807a")
    wall.paste(image.resize((260, 260)), (500, 200))
    return wall


@needs_dlib
@pytest.mark.parametrize("change", CHANGES)
def test_the_same_person_is_recognised_again(change, recogniser, collins, hopper):
    for image, other in ((collins, hopper), (hopper, collins)):
        one, again, another = recogniser.see([image, CHANGES[change](image), other])
        assert again.subjects == 1
        assert float(one.embedding @ again.embedding) >= recogniser.threshold
        assert float(again.embedding @ another.embedding) < recogniser.threshold - 0.01


@needs_dlib
def test_what_a_sighting_holds(recogniser, collins):
    (seen,) = recogniser.see([collins])
    assert seen.embedding.dtype == np.float32
    assert np.linalg.norm(seen.embedding) == pytest.approx(1, abs=1e-5)
    middle = (seen.face.left + seen.face.right) / 2, (seen.face.top + seen.face.bottom) / 2
    assert middle == (pytest.approx(0.475, abs=0.05), pytest.approx(0.33, abs=0.05))
    assert recogniser.facts().local


@needs_dlib
def test_the_largest_of_several_faces_counts(recogniser, collins, hopper):
    both = Image.new("RGB", (800, 450), "grey")
    both.paste(hopper, (0, 0))
    both.paste(collins, (400, 0))
    alone, seen = recogniser.see([hopper, both])
    assert seen.subjects == 2
    assert seen.face.right < 0.5
    assert float(alone.embedding @ seen.embedding) > 0.97


@needs_dlib
def test_a_small_face_is_found_at_the_second_look(recogniser, collins):
    near, distant = recogniser.see([collins, far(collins)])
    assert distant.subjects == 1
    assert float(near.embedding @ distant.embedding) >= recogniser.threshold
    assert distant.face.right - distant.face.left < 0.08


@needs_dlib
def test_a_face_at_the_edge_lies_within_the_picture(recogniser, hopper):
    cut = hopper.crop((130, 60, 290, 450))
    (seen,) = recogniser.see([cut])
    assert seen.subjects == 1
    left, top, right, bottom = crop_box(cut.size, 1.0, (seen.face.left, seen.face.top, seen.face.right, seen.face.bottom))
    assert 0 <= left < right <= cut.width
    assert 0 <= top < bottom <= cut.height


@needs_dlib
@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 300), "white"),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (20000, 10), "red"),
        Image.fromarray(np.random.default_rng(3).integers(0, 255, (400, 400, 3), dtype=np.uint8)),
        render(HELD_OUT["mira"], WorldShot("hoodie", "red", "smiling", "beach", "daylight", "close-up", seed=5), 256),
    ],
    ids=["blank", "one pixel", "thin", "noise", "a drawing"],
)
def test_where_there_is_no_face(picture, recogniser):
    (seen,) = recogniser.see([picture])
    assert (seen.subjects, seen.face, seen.embedding) == (0, None, None)


@needs_dlib
def test_photographs_are_curated_by_their_faces(recogniser, collins, hopper):
    curator = SetCurator(recogniser, safety=SafetyInstrument(), kind=Kind.PHOTOGRAPHIC)
    both = Image.new("RGB", (768, 450), "grey")
    both.paste(hopper, (0, 0))
    both.paste(collins, (384, 0))
    cases = {
        "stranger": (hopper, {FaultKind.ANOTHER_PERSON}),
        "the start itself": (ImageOps.mirror(collins), {FaultKind.COPY_OF_START}),
        "closer": (collins.crop((90, 30, 290, 230)), set()),
        "two": (both, {FaultKind.SEVERAL_SUBJECTS}),
        "nobody": (collins.crop((200, 200, 384, 384)), {FaultKind.NO_SUBJECT}),
        "tiny": (hopper.resize((130, 150)), {FaultKind.TOO_SMALL}),
    }
    submissions = [Submission(name, image) for name, (image, _) in cases.items()]
    opinions = curator.examine(submissions, anchors=[collins], side=160, progress=lambda fraction, note: None)
    found = {name: {fault.kind for fault in opinion.faults} for name, opinion in zip(cases, opinions, strict=True)}
    assert FaultKind.TOO_SMALL in found.pop("tiny")
    assert found == {name: kinds for name, (_, kinds) in cases.items() if name != "tiny"}


@needs_dlib
def test_a_face_is_blurred_as_the_training_would_see_it(recogniser, collins):
    """The same softness disappears when the picture is reduced for the training."""
    soft = collins.crop((40, 0, 340, 300)).filter(ImageFilter.GaussianBlur(3))
    curator = SetCurator(recogniser, safety=SafetyInstrument(), kind=Kind.PHOTOGRAPHIC)
    for side, expected in ((300, {FaultKind.BLURRED}), (140, set())):
        (opinion,) = curator.examine(
            [Submission("soft", soft)],
            anchors=[collins.crop((90, 30, 290, 230))],
            side=side,
            progress=lambda fraction, note: None,
        )
        assert {fault.kind for fault in opinion.faults} == expected, opinion.faults


@pytest.mark.parametrize("missing", ["dlib", "face_recognition_models"])
def test_without_the_extra_it_says_what_to_install(missing, monkeypatch):
    monkeypatch.setattr(faces, "find_spec", lambda name: None if name == missing else find_spec(name))
    with pytest.raises(MissingExtra, match=r"zirelia\[faces\]"):
        FaceRecogniser().see([Image.new("RGB", (64, 64))])
    assert FaceRecogniser().threshold > 0.9


@needs_dlib
def test_the_yaw_of_photographs_and_their_mirror_images(recogniser, collins, hopper):
    for picture in (collins, hopper):
        (face,), (mirrored,) = recogniser.faces(picture), recogniser.faces(ImageOps.mirror(picture))
        assert abs(face.yaw) < 15
        assert mirrored.yaw == pytest.approx(-face.yaw, abs=15), "two readings, each right to some ten degrees"


@needs_dlib
def test_everybody_is_read_the_largest_first(recogniser, collins, hopper):
    both = Image.new("RGB", (800, 450), "grey")
    both.paste(collins, (400, 0))
    both.paste(hopper, (0, 0))
    first, second = recogniser.faces(both)
    assert first.box.right < 0.5 < second.box.left
    assert float(second.embedding @ recogniser.faces(collins)[0].embedding) > 0.97
    assert first.certainty >= faces.DETECTED
    assert recogniser.faces(Image.new("RGB", (300, 300), "white")) == ()
