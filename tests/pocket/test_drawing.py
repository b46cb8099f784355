from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from zirelia.pocket.canvas import darken, lighten, mix
from zirelia.pocket.drawing import render
from zirelia.pocket.world import GARMENTS, HELD_OUT, SCENES, STYLES, WorldShot, random_character, random_shot

MIRA = HELD_OUT["mira"]
SHOT = WorldShot("hoodie", "blue", "laughing", "park", "night", "close-up", seed=4)


def pixels(**changes: object) -> np.ndarray:
    wanted = {"character": MIRA, "shot": SHOT, "size": 64, "people": 1} | changes
    return np.asarray(render(**wanted))  # type: ignore[arg-type]


def test_the_same_picture_is_drawn_twice() -> None:
    assert np.array_equal(pixels(), pixels())


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_a_picture_has_the_size_that_was_asked_for(size: int) -> None:
    assert pixels(size=size).shape == (size, size, 3)


def test_people_come_and_go() -> None:
    drawn = [pixels(people=count) for count in (0, 1, 2)]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(drawn, 2))
    assert np.array_equal(pixels(people=0), pixels(people=0, character=HELD_OUT["theo"]))


def test_a_crowd_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="0, 1 or 2"):
        render(MIRA, SHOT, 64, people=3)


def test_every_scene_garment_and_style_looks_different() -> None:
    rng = random.Random(1)
    woman = random_character(rng, gender="woman")
    from dataclasses import replace

    scenes = [pixels(character=woman, shot=replace(SHOT, scene=scene)) for scene in SCENES]
    garments = [pixels(character=woman, shot=replace(SHOT, garment=garment)) for garment in GARMENTS]
    styles = [pixels(character=replace(woman, style=style)) for style in STYLES]
    for drawn in (scenes, garments, styles):
        assert all(np.abs(a.astype(int) - b).max() > 40 for a, b in itertools.combinations(drawn, 2))


def test_two_shots_in_one_scene_differ_behind_the_person() -> None:
    rng = random.Random(2)
    first, second = (pixels(shot=random_shot(rng, scene="cafe"), people=0) for _ in range(2))
    assert not np.array_equal(first, second)


def test_colours_mix() -> None:
    assert mix("#000000", "#ffffff", 0.5) == "#808080"
    assert darken("#ffffff", 1) == "#1a1020"
    assert lighten("#123456", 0) == "#123456"
