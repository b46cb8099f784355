from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.pocket.pictures import crowd_of, plates_of, strangers_of
from zirelia.pocket.recipe import Recipe
from zirelia.pocket.world import (
    HELD_OUT,
    SCENES,
    Character,
    WorldShot,
    caption,
    is_held_out,
    random_character,
    random_shot,
)

THEO, MIRA = HELD_OUT["theo"], HELD_OUT["mira"]
SHOT = WorldShot("tank top", "red", "smiling", "city street", "golden hour", "half body")


@pytest.mark.parametrize(
    ("character", "scene", "trigger", "said"),
    [
        (
            THEO,
            "city street",
            None,
            "a man with curly silver hair and blue eyes, half body portrait, brown skin, gold earrings, beard, "
            "smiling, wearing a red tank top, on a city street, golden hour",
        ),
        (
            MIRA,
            "beach",
            None,
            "a woman with long wavy teal hair and brown eyes, half body portrait, fair skin, gold earrings, "
            "red lipstick, smiling, wearing a red tank top, on the beach, golden hour",
        ),
        (
            MIRA,
            "mountains",
            "mirelo",
            "mirelo woman, half body portrait, smiling, wearing a red tank top, in the mountains, golden hour",
        ),
        (
            THEO,
            "library",
            "zatheo",
            "zatheo man, half body portrait, smiling, wearing a red tank top, in a library, golden hour",
        ),
    ],
)
def test_a_caption_reads_like_a_prompt(character: Character, scene: str, trigger: str | None, said: str) -> None:
    shot = WorldShot("tank top", "red", "smiling", scene, "golden hour", "half body")
    assert caption(character, shot, trigger=trigger) == said


def test_dropping_everything_leaves_who_and_how() -> None:
    rng = random.Random(1)
    said = {caption(THEO, SHOT, rng=rng, drop=1.0) for _ in range(20)}
    assert said == {"a man, half body portrait", "half body portrait of a man"}


@given(st.integers())
def test_the_pretraining_world_never_holds_a_held_out_look(seed: int) -> None:
    rng = random.Random(seed)
    assert not any(is_held_out(random_character(rng)) for _ in range(20))


@given(st.integers(), st.floats(0, 1))
def test_a_caption_says_nothing_that_is_not_so(seed: int, drop: float) -> None:
    rng = random.Random(seed)
    character, shot = random_character(rng), random_shot(rng)
    said = caption(character, shot, rng=rng, drop=drop).replace(f"{shot.framing} portrait of ", "").split(", ")
    assert set(said[1:]) <= set(caption(character, shot).split(", ")[1:])
    assert said[0].startswith(f"a {character.gender}")


def test_everybody_held_out_has_a_held_out_look() -> None:
    assert len(HELD_OUT) >= 6
    assert all(is_held_out(character) for character in HELD_OUT.values())
    assert {character.gender for character in HELD_OUT.values()} == {"man", "woman"}


def test_no_plate_of_the_base_shows_a_held_out_look(micro: Recipe) -> None:
    assert not any(is_held_out(plate.character) for plate in [*plates_of(micro), *crowd_of(micro)])


def test_strangers_are_nobody_with_a_name(micro: Recipe) -> None:
    strangers = [plate.character for plate in strangers_of(micro)]
    assert all(is_held_out(stranger) for stranger in strangers)
    assert not set(strangers) & set(HELD_OUT.values())


def test_men_and_beards_are_common_enough_to_be_learnt() -> None:
    rng = random.Random(3)
    people = [random_character(rng) for _ in range(2000)]
    men = [person for person in people if person.gender == "man"]
    assert 0.42 < len(men) / len(people) < 0.52
    assert 0.45 < sum(man.beard for man in men) / len(men) < 0.55


def test_a_shot_can_be_asked_for_by_scene() -> None:
    rng = random.Random(1)
    assert [random_shot(rng, scene=scene).scene for scene in SCENES] == list(SCENES)
