"""The shipped looks encoder on fresh drawings of people it never saw."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
from PIL import Image

from zirelia.pocket import weights
from zirelia.pocket.drawing import render
from zirelia.pocket.looks import HEADS, Calibration, LooksEncoder, LooksNet, labels_of
from zirelia.pocket.world import HELD_OUT, Character, random_character, random_shot

MIRA = HELD_OUT["mira"]


@pytest.fixture(scope="module")
def encoder() -> LooksEncoder:
    return LooksEncoder.load(weights.looks_path())


def drawings(characters: Sequence[Character], seed: int, people: int = 1) -> list[Image.Image]:
    rng = random.Random(seed)
    return [render(character, random_shot(rng), 128, people) for character in characters]


def test_vectors_are_of_unit_length(encoder: LooksEncoder) -> None:
    vectors = encoder.embed(drawings([MIRA] * 3, 1))
    assert vectors.shape == (3, 64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_mira_is_told_from_strangers(encoder: LooksEncoder) -> None:
    rng = random.Random(9)
    mira = encoder.embed(drawings([MIRA] * 24, 2))
    strangers = encoder.embed(drawings([random_character(rng) for _ in range(100)], 3))
    reference = mira[:12].mean(0) / np.linalg.norm(mira[:12].mean(0))
    assert (mira[12:] @ reference >= encoder.threshold).mean() >= 0.9
    assert (strangers @ reference >= encoder.threshold).mean() <= 0.02


def test_held_out_people_are_told_from_each_other(encoder: LooksEncoder) -> None:
    names = list(HELD_OUT)
    known = np.stack([encoder.embed(drawings([HELD_OUT[name]] * 8, i)).mean(0) for i, name in enumerate(names)])
    fresh = [encoder.embed(drawings([HELD_OUT[name]] * 4, 50 + i)) for i, name in enumerate(names)]
    right = [(vectors @ known.T).argmax(1) == i for i, vectors in enumerate(fresh)]
    assert np.mean(right) >= 0.9


def test_attributes_are_read_back(encoder: LooksEncoder) -> None:
    rng = random.Random(4)
    people, shots = [random_character(rng) for _ in range(60)], [random_shot(rng) for _ in range(60)]
    told = encoder.attributes([render(who, shot, 128) for who, shot in zip(people, shots, strict=True)])
    for name, least in (("hair", 0.9), ("gender", 0.9), ("beard", 0.9), ("scene", 0.95), ("light", 0.9), ("people", 0.95)):
        right = [said[name][0] == labels_of(who, shot)[name] for said, who, shot in zip(told, people, shots, strict=True)]
        assert np.mean(right) >= least, name
    assert all(0 < probability <= 1 for said in told for _, probability in said.values())


@pytest.mark.parametrize("people", [0, 1, 2])
def test_people_are_counted(encoder: LooksEncoder, people: int) -> None:
    rng = random.Random(6)
    told = encoder.attributes(drawings([random_character(rng) for _ in range(24)], 5, people))
    assert np.mean([said["people"][0] == str(people) for said in told]) >= 0.9


def test_a_picture_may_have_any_size(encoder: LooksEncoder) -> None:
    rng = random.Random(8)
    shot = random_shot(rng)
    small, large = encoder.embed([render(MIRA, shot, size) for size in (128, 512)])
    assert small @ large > 0.9


def test_no_pictures_no_vectors(encoder: LooksEncoder) -> None:
    assert encoder.embed([]).shape == (0, 64)
    assert encoder.attributes([]) == []


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    calibration = Calibration(0.4, 0.01, 0.02, 0.9, 10, {"hair": 0.9})
    LooksEncoder(LooksNet((8, 8)), 32, HEADS, calibration).save(tmp_path / "looks.safetensors", (8, 8))
    again = LooksEncoder.load(tmp_path / "looks.safetensors")
    assert again.calibration == calibration
    assert again.embed(drawings([MIRA], 1)).shape == (1, 64)


def test_labels_speak_of_a_person_only_where_there_is_one() -> None:
    rng = random.Random(1)
    shot = random_shot(rng)
    assert labels_of(MIRA, shot, 2) | {"people": "2"} == labels_of(HELD_OUT["theo"], shot, 2)
    assert labels_of(MIRA, shot)["hair"] == "teal"
    assert set(labels_of(MIRA, shot)) == set(HEADS)
