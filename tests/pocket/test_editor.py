"""The embedded editor: the person in a drawing is read back and drawn again, and nobody is made up."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.domain.shotlist import Cell, Yaw
from zirelia.errors import ConfigurationError, MediaError
from zirelia.pocket.drawing import render
from zirelia.pocket.editor import PocketEditor
from zirelia.pocket.looks import LooksEncoder
from zirelia.pocket.reading import read_person
from zirelia.pocket.weights import looks_path
from zirelia.pocket.world import HELD_OUT, Character, random_shot
from zirelia.ports import Edit

SHOT = Shot(scene="library", outfit="red blazer", expression="laughing", framing=Framing.CLOSE_UP, light="night")


class Unpaid:
    external_id = None

    def created(self, external_id: str) -> None:
        raise AssertionError("nothing is created at a provider")


def unheard(fraction: float, note: str) -> None: ...


@pytest.fixture(scope="module")
def encoder() -> LooksEncoder:
    return LooksEncoder.load(looks_path())


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def drawing(name: str, seed: int = 3, people: int = 1) -> bytes:
    return png(render(HELD_OUT[name], random_shot(random.Random(seed)), 256, people))


def edit(reference: bytes, **changes: object) -> Edit:
    prompt = ImagePrompt(text="the same person", seed=5, width=128, height=128)
    return Edit(prompt=prompt, cell=Cell(id="one", shot=SHOT).model_copy(update=changes), references=(reference,))


@pytest.mark.parametrize("name", HELD_OUT)
def test_one_picture_tells_who_it_is(name: str, encoder: LooksEncoder) -> None:
    true = HELD_OUT[name]
    read = read_person(encoder, (drawing(name),)).character
    named = [field for field in Character.__slots__ if field not in {"seed", "face_width", "eye_size"}]
    assert {field: getattr(read, field) for field in named} == {field: getattr(true, field) for field in named}
    assert abs(read.face_width - true.face_width) <= 1.0
    assert abs(read.eye_size - true.eye_size) <= 0.05


def test_the_edit_shows_the_person_in_the_wanted_shot(encoder: LooksEncoder) -> None:
    editor = PocketEditor(encoder)
    made = editor.edit(edit(drawing("luna")), call=Unpaid(), progress=unheard)
    picture = Image.open(io.BytesIO(made.data))
    told = encoder.attributes([picture])[0]
    assert {head: told[head][0] for head in ("scene", "garment", "cloth", "light", "framing", "hair", "style")} == {
        "scene": "library",
        "garment": "blazer",
        "cloth": "red",
        "light": "night",
        "framing": "close-up",
        "hair": "blue",
        "style": "pigtails",
    }
    real = encoder.embed([render(HELD_OUT["luna"], random_shot(random.Random(seed)), 128) for seed in range(8)])
    middle = real.mean(0) / np.linalg.norm(real.mean(0))
    assert float(encoder.embed([picture])[0] @ middle) >= encoder.threshold
    assert made.data == editor.edit(edit(drawing("luna")), call=Unpaid(), progress=unheard).data
    assert len(made.provenance.parents) == 1


def test_a_recompressed_small_jpeg_is_still_read(encoder: LooksEncoder) -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(drawing("mira"))).resize((140, 140)).save(out, "JPEG", quality=70)
    read = read_person(encoder, (out.getvalue(),)).character
    assert (read.hair, read.style, read.lipstick, read.earrings) == ("teal", "long wavy", True, True)


def noise() -> bytes:
    return png(Image.fromarray(np.random.default_rng(1).integers(0, 255, (128, 128, 3), dtype=np.uint8)))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (drawing("mira", people=2), "2 people"),
        (drawing("mira", people=0), "0 people"),
        (b"no picture", "no PNG"),
        (png(Image.new("RGB", (128, 128), "#c8a080")), "can draw looks like|people"),
        (noise(), "can draw looks like|people"),
    ],
)
def test_what_shows_nobody_of_this_world_is_refused(reference: bytes, said: str, encoder: LooksEncoder) -> None:
    with pytest.raises(MediaError, match=said):
        read_person(encoder, (reference,))


def test_no_reference_is_an_error(encoder: LooksEncoder) -> None:
    with pytest.raises(MediaError, match="no reference"):
        read_person(encoder, ())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"yaw": Yaw.PROFILE_LEFT}, "front only"),
        ({"garment": "coat.png"}, "garment"),
        ({"instruction": "remove the cup"}, "instruction"),
        ({"shot": SHOT.model_copy(update={"scene": "moon"})}, "no scene 'moon'"),
        ({"shot": SHOT.model_copy(update={"outfit": "red gown"})}, "no outfit 'gown'"),
        ({"shot": SHOT.model_copy(update={"framing": Framing.FULL_BODY})}, "no framing"),
    ],
)
def test_a_wish_that_the_world_has_no_word_for_is_refused(changes: dict[str, object], said: str, encoder: LooksEncoder) -> None:
    with pytest.raises(ConfigurationError, match=said):
        PocketEditor(encoder).edit(edit(drawing("mira"), **changes), call=Unpaid(), progress=unheard)


def test_only_square_pictures(encoder: LooksEncoder) -> None:
    wanted = edit(drawing("mira"))
    wide = replace(wanted, prompt=wanted.prompt.model_copy(update={"width": 192}))
    with pytest.raises(ConfigurationError, match="square"):
        PocketEditor(encoder).edit(wide, call=Unpaid(), progress=unheard)
