"""Training material for held-out characters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from zirelia.domain.dataset import Dataset
from zirelia.errors import NotFound
from zirelia.pocket.characters import (
    TRAINING_SCENES,
    TRIGGERS,
    UNSEEN_SCENES,
    character_dataset,
    other_captions,
    other_pictures,
    varied_shots,
)
from zirelia.pocket.world import HELD_OUT, SCENES


def test_every_held_out_character_has_a_trigger_with_a_beginning_of_its_own() -> None:
    assert set(TRIGGERS) == set(HELD_OUT)
    assert len({trigger[:2] for trigger in TRIGGERS.values()}) == len(TRIGGERS)
    assert TRIGGERS["mira"] == "mirelo"


def test_the_dataset_is_drawn_once_and_for_all(tmp_path: Path) -> None:
    dataset = character_dataset("mira", tmp_path / "a", count=5, seed=3, size=64)
    assert character_dataset("mira", tmp_path / "b", count=5, seed=3, size=64) == dataset
    assert Dataset.model_validate_json((tmp_path / "a/dataset.json").read_text()) == dataset
    assert dataset.consent.fictional
    assert [reference.caption.count("mirelo") for reference in dataset.references] == [1] * 5
    for reference in dataset.references:
        assert "teal" not in reference.caption
        assert (tmp_path / "a" / reference.path).stat().st_size > 1000


def test_shots_vary_and_leave_scenes_for_the_proof() -> None:
    shots = varied_shots(18, seed=0)
    assert set(UNSEEN_SCENES) | set(TRAINING_SCENES) == set(SCENES)
    assert {shot.scene for shot in shots} == set(TRAINING_SCENES)
    for field, most in {"scene": 4, "cloth": 3, "garment": 4, "expression": 6, "light": 6, "framing": 9}.items():
        assert max(Counter(getattr(shot, field) for shot in shots).values()) <= most, field


def test_others_are_many_and_nobody_of_the_held_out() -> None:
    captions = other_captions(seed=1, count=40)
    assert captions == other_captions(seed=1, count=40)
    assert len(set(captions)) > 35
    assert not [caption for caption in captions if "teal" in caption or any(word in caption for word in TRIGGERS.values())]


def test_others_are_drawn_as_they_are_described(tmp_path: Path) -> None:
    paths = other_pictures(tmp_path, seed=1, count=3, size=64)
    assert [path.name for path in paths] == ["other-000.png", "other-001.png", "other-002.png"]
    assert len({path.read_bytes() for path in paths}) == 3
    assert other_captions(seed=1, count=3) == other_captions(seed=1, count=40)[:3]


def test_a_stranger_has_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no character named 'ada'"):
        character_dataset("ada", tmp_path)
