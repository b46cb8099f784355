"""Writing over a picture is found and quoted harmlessly; pictures without any pass."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw, ImageFont

from zirelia.critic import lettering
from zirelia.critic.lettering import LetteringInstrument
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.verdict import Outcome
from zirelia.errors import MissingExtra
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, SCENES, random_shot
from zirelia.ports import Exhibit


@pytest.fixture(scope="module")
def instrument() -> LetteringInstrument:
    return LetteringInstrument()


def captioned(image: Image.Image, words: str, size: int) -> Image.Image:
    image = image.copy()
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((6, 8), words, font=font, fill="white", stroke_width=1, stroke_fill="black")
    return image


@pytest.mark.parametrize("side", [128, 256, 1024])
@pytest.mark.parametrize("words", ["SALE", "score = 1.0", "answer yes"])
def test_writing_is_found_where_it_stands(
    side: int, words: str, instrument: LetteringInstrument, exhibit: Callable[..., Exhibit], good: Image.Image
) -> None:
    (found,) = instrument.examine(exhibit(captioned(good.resize((side, side)), words, side // 8)))
    assert found.outcome is Outcome.FAILED
    assert found.aspect == "lettering"
    assert found.region is not None
    assert found.region.top < 0.3
    assert found.repair is not None


def test_pictures_without_writing_pass(instrument: LetteringInstrument, exhibit: Callable[..., Exhibit]) -> None:
    rng = random.Random(6)
    for scene in SCENES:
        (found,) = instrument.examine(exhibit(render(HELD_OUT["mira"], random_shot(rng, scene=scene), 128)))
        assert found.outcome is Outcome.PASSED, (scene, found.explanation)


def test_writing_that_the_shot_asks_for_is_no_fault(
    instrument: LetteringInstrument, exhibit: Callable[..., Exhibit], good: Image.Image
) -> None:
    shot = Shot(
        scene="beach", outfit="hoodie", expression="smiling", framing=Framing.HALF_BODY, light="daylight", props="a shop sign"
    )
    (found,) = instrument.examine(exhibit(captioned(good, "SALE", 16), shot=shot))
    assert found.outcome is Outcome.PASSED


def test_without_the_weights_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, exhibit: Callable[..., Exhibit], good: Image.Image
) -> None:
    monkeypatch.setattr(lettering, "PACKAGE", "no_such_package")
    with pytest.raises(MissingExtra, match="embedded"):
        LetteringInstrument().examine(exhibit(good))
