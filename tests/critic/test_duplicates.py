from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image, ImageOps

from zirelia.critic.duplicates import DuplicatesInstrument
from zirelia.domain.verdict import Outcome, RepairKind
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, SCENES, WorldShot, random_shot
from zirelia.ports import Exhibit

MIRA = HELD_OUT["mira"]


def recompressed(image: Image.Image) -> Image.Image:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=40)
    return Image.open(target)


def cropped(left: float, top: float, right: float, bottom: float) -> Callable[[Image.Image], Image.Image]:
    def cut(image: Image.Image) -> Image.Image:
        width, height = image.size
        box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
        return image.resize(image.size, Image.Resampling.LANCZOS, box=box)

    return cut


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda image: image,
    "recompressed": recompressed,
    "mirrored": ImageOps.mirror,
    "larger": lambda image: image.resize((512, 512)),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.15))),
    "cropped": cropped(0.05, 0.05, 0.05, 0.05),
    "cropped at a corner": cropped(0, 0.1, 0.1, 0),
    "cropped at one side": cropped(0.1, 0, 0, 0),
    "mirrored, cropped and recompressed": lambda i: recompressed(ImageOps.mirror(cropped(0.05, 0.03, 0.04, 0.06)(i))),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found_and_named(copy: str, exhibit: Callable[..., Exhibit]) -> None:
    rng = random.Random(copy)
    recent = tuple((number, render(MIRA, random_shot(rng, scene=scene), 128)) for number, scene in enumerate(SCENES[1::2], 1))
    for number, picture in recent[:3]:
        (found,) = DuplicatesInstrument().examine(exhibit(COPIES[copy](picture), recent=recent))
        assert found.outcome is Outcome.FAILED, (number, found.explanation)
        assert f"post {number}:" in found.explanation
        assert ("mirror" in found.explanation) == ("mirrored" in copy)
        assert found.repair is not None
        assert found.repair.kind is RepairKind.OTHER_SETTING


def test_a_picture_of_which_the_recent_one_is_a_crop_is_found(exhibit: Callable[..., Exhibit], good: Image.Image) -> None:
    recent = ((3, cropped(0.1, 0.05, 0, 0.05)(good)),)
    assert DuplicatesInstrument().examine(exhibit(good, recent=recent))[0].outcome is Outcome.FAILED


@pytest.mark.parametrize("scene", SCENES)
def test_another_shot_in_the_same_scene_is_new(scene: str, exhibit: Callable[..., Exhibit]) -> None:
    rng = random.Random(scene)
    shot = replace(random_shot(rng, scene=scene), cloth="red", garment="hoodie", expression="serious")
    other = replace(shot, cloth="blue", garment="blazer", expression="laughing", seed=rng.randrange(1 << 30))
    picture = exhibit(render(MIRA, shot, 128), recent=((1, render(MIRA, other, 128)),))
    (found,) = DuplicatesInstrument().examine(picture)
    assert found.outcome is Outcome.PASSED, found.explanation


def test_the_same_place_and_light_in_another_shirt_is_new(exhibit: Callable[..., Exhibit], wanted: WorldShot) -> None:
    recent = ((1, render(MIRA, replace(wanted, cloth="yellow", seed=9), 128)),)
    (found,) = DuplicatesInstrument().examine(exhibit(render(MIRA, wanted, 128), recent=recent))
    assert found.outcome is Outcome.PASSED, found.explanation


def test_without_recent_pictures_it_is_new(exhibit: Callable[..., Exhibit], good: Image.Image) -> None:
    (found,) = DuplicatesInstrument().examine(exhibit(good))
    assert found.outcome is Outcome.PASSED
    assert found.score is None


def test_a_distance_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        DuplicatesInstrument(distance=0.0)
