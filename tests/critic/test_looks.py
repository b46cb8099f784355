from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from zirelia.critic.calibration import calibrate
from zirelia.critic.looks import LooksEncoder, LooksInstrument
from zirelia.critic.words import known_word, wanted_traits
from zirelia.domain.persona import Look, Persona, Trait
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.verdict import Criterion, Finding, Outcome, RepairKind
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot, random_shot
from zirelia.ports import Exhibit

MIRA = HELD_OUT["mira"]
HEADS = {
    "people": ("0", "1", "2"),
    "glasses": ("no", "yes"),
    "hair": ("teal", "blonde"),
    "style": ("long wavy", "short"),
    "scene": ("beach", "cafe"),
    "light": ("daylight", "night"),
    "framing": ("close-up", "half body"),
    "garment": ("hoodie", "t-shirt"),
    "cloth": ("red", "blue"),
    "expression": ("smiling", "serious"),
}
ALL_RIGHT = {
    "people": "1",
    "glasses": "no",
    "hair": "teal",
    "style": "long wavy",
    "scene": "beach",
    "light": "daylight",
    "framing": "half body",
    "garment": "hoodie",
    "cloth": "red",
    "expression": "smiling",
}


@dataclass
class ToldLooks:
    """An encoder that reads what the test wrote into a picture's `info`: values by head, and how sure each is."""

    threshold: float = 0.5
    looks_at: int = 0

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        self.looks_at += len(images)
        angles = np.array([float(image.info.get("angle", 0.0)) for image in images])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def attributes(self, images: Sequence[Image.Image]) -> list[dict[str, tuple[str, float]]]:
        sure = [float(image.info.get("sure", 0.99)) for image in images]
        return [
            {head: (str(image.info.get(head, value)), how) for head, value in ALL_RIGHT.items()}
            for image, how in zip(images, sure, strict=True)
        ]


def picture(**said: object) -> Image.Image:
    image = Image.new("RGB", (4, 4), tuple(abs(hash(str(said))) >> shift & 255 for shift in (0, 8, 16)))
    image.info.update(said)
    return image


def instrument(encoder: LooksEncoder | None = None) -> LooksInstrument:
    return LooksInstrument(encoder or ToldLooks(), heads=HEADS, impostors=np.zeros((0, 2), dtype=np.float32))


def of(criterion: Criterion, found: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.criterion is criterion]


OWN = tuple(picture(angle=angle) for angle in (0.0, 0.1, -0.1, 0.05))

WRONG = [
    ("people", "2", Criterion.SUBJECTS, RepairKind.ONE_PERSON, ""),
    ("people", "0", Criterion.SUBJECTS, RepairKind.ONE_PERSON, ""),
    ("framing", "close-up", Criterion.FRAMING, RepairKind.NAME_FRAMING, "half body"),
    ("scene", "cafe", Criterion.BRIEF, RepairKind.EMPHASISE, "beach"),
    ("light", "night", Criterion.BRIEF, RepairKind.EMPHASISE, "daylight"),
    ("garment", "t-shirt", Criterion.BRIEF, RepairKind.EMPHASISE, "red hoodie"),
    ("cloth", "blue", Criterion.BRIEF, RepairKind.EMPHASISE, "red hoodie"),
    ("expression", "serious", Criterion.BRIEF, RepairKind.EMPHASISE, "smiling"),
    ("hair", "blonde", Criterion.LOOK, RepairKind.EMPHASISE, "long wavy teal hair"),
    ("style", "short", Criterion.LOOK, RepairKind.EMPHASISE, "long wavy teal hair"),
    ("glasses", "yes", Criterion.LOOK, RepairKind.EMPHASISE, "no glasses"),
]


@pytest.mark.parametrize(("head", "seen", "criterion", "repair", "phrase"), WRONG)
def test_a_sure_head_fails_and_an_unsure_one_is_not_checked(
    head: str, seen: str, criterion: Criterion, repair: RepairKind, phrase: str, exhibit: Callable[..., Exhibit]
) -> None:
    found = instrument().examine(exhibit(picture(**{head: seen}), against=OWN))
    (failing,) = [f for f in found if f.outcome is Outcome.FAILED]
    assert failing.criterion is criterion
    assert f"{head}: {seen} seen" in failing.explanation
    assert failing.repair is not None
    assert (failing.repair.kind, failing.repair.phrase) == (repair, phrase)
    unsure = instrument().examine(exhibit(picture(**{head: seen, "sure": 0.6}), against=OWN))
    assert not [f for f in unsure if f.outcome is Outcome.FAILED]
    assert any(head in f.explanation and f.outcome is Outcome.NOT_CHECKED for f in of(criterion, unsure))


def test_everything_right_passes(exhibit: Callable[..., Exhibit]) -> None:
    found = instrument().examine(exhibit(picture(), against=OWN))
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert {f.criterion for f in found} == instrument().criteria


def test_with_two_people_nobody_guesses_whose_hair_it_is(exhibit: Callable[..., Exhibit]) -> None:
    found = instrument().examine(exhibit(picture(people="2", hair="blonde", cloth="blue"), against=OWN))
    assert [f.criterion for f in found if f.outcome is Outcome.FAILED] == [Criterion.SUBJECTS]
    assert {f.outcome for f in of(Criterion.LOOK, found)} == {Outcome.NOT_CHECKED}


def test_words_that_no_head_knows_are_not_checked(exhibit: Callable[..., Exhibit]) -> None:
    shot = Shot(
        scene="on a rooftop",
        outfit="linen suit",
        expression="dreamy",
        framing=Framing.FULL_BODY,
        light="blue hour",
    )
    found = instrument().examine(exhibit(picture(), shot=shot, against=OWN))
    for criterion in (Criterion.BRIEF, Criterion.FRAMING):
        assert {f.outcome for f in of(criterion, found)} == {Outcome.NOT_CHECKED}
    assert any("'linen suit' is not among the words" in f.explanation for f in found)


@pytest.mark.parametrize(
    ("angle", "trigger", "scale", "repair"),
    [
        (1.5, "zqmira", 1.0, RepairKind.RAISE_LORA_SCALE),
        (1.5, "zqmira", 1.2, RepairKind.CLOSER_FRAMING),
        (1.5, None, 1.0, RepairKind.CLOSER_FRAMING),
        (1.06, "zqmira", 1.0, RepairKind.NEW_SEED),
    ],
)
def test_a_wrong_face_asks_for_what_can_still_change(
    angle: float, trigger: str | None, scale: float, repair: RepairKind, exhibit: Callable[..., Exhibit]
) -> None:
    case = exhibit(picture(angle=angle), trigger=trigger, scale=scale, against=OWN)
    (found,) = of(Criterion.IDENTITY, instrument().examine(case))
    assert found.outcome is Outcome.FAILED
    assert found.repair is not None
    assert found.repair.kind is repair


@pytest.mark.parametrize(
    ("text", "trigger", "scale", "kind", "phrase"),
    [
        ("portrait, Blonde hair", None, 1.0, RepairKind.REMOVE_WORDS, "blonde"),
        ("portrait", None, 1.0, RepairKind.EMPHASISE, "long wavy teal hair"),
        ("portrait", "zqmira", 1.0, RepairKind.RAISE_LORA_SCALE, "long wavy teal hair"),
        ("portrait", "zqmira", 1.4, RepairKind.NEW_SEED, "long wavy teal hair"),
    ],
)
def test_a_wrong_look_asks_for_what_can_still_change(
    text: str, trigger: str | None, scale: float, kind: RepairKind, phrase: str, exhibit: Callable[..., Exhibit]
) -> None:
    case = exhibit(picture(hair="blonde"), text=text, trigger=trigger, scale=scale, against=OWN)
    (found,) = [f for f in of(Criterion.LOOK, instrument().examine(case)) if f.outcome is Outcome.FAILED]
    assert found.repair is not None
    assert (found.repair.kind, found.repair.phrase) == (kind, phrase)


def test_without_references_identity_is_not_checked(exhibit: Callable[..., Exhibit]) -> None:
    (found,) = of(Criterion.IDENTITY, instrument().examine(exhibit(picture(), against=())))
    assert found.outcome is Outcome.NOT_CHECKED


def test_references_that_look_like_everybody_leave_identity_unchecked(exhibit: Callable[..., Exhibit]) -> None:
    crowd = ToldLooks().embed([picture(angle=a / 100) for a in range(-20, 20)])
    looks = LooksInstrument(ToldLooks(), heads=HEADS, impostors=crowd)
    (found,) = of(Criterion.IDENTITY, looks.examine(exhibit(picture(), against=OWN)))
    assert found.outcome is Outcome.NOT_CHECKED
    assert "own references" in found.explanation


def test_a_head_that_misreads_the_references_does_not_judge(exhibit: Callable[..., Exhibit]) -> None:
    misread = tuple(picture(hair="blonde", angle=a) for a in (0.0, 0.1, 0.2))
    found = of(Criterion.LOOK, instrument().examine(exhibit(picture(hair="blonde"), against=misread)))
    assert Outcome.FAILED not in {f.outcome for f in found}
    assert any("does not see teal in the references either" in f.explanation for f in found)


def test_a_head_must_be_surer_than_where_it_was_wrong_before(exhibit: Callable[..., Exhibit]) -> None:
    mixed = (*OWN, picture(hair="blonde", sure=0.95))
    found = of(Criterion.LOOK, instrument().examine(exhibit(picture(hair="blonde", sure=0.9), against=mixed)))
    assert Outcome.FAILED not in {f.outcome for f in found}


def test_references_are_learned_once_and_again_when_they_change(exhibit: Callable[..., Exhibit]) -> None:
    encoder = ToldLooks()
    looks = instrument(encoder)
    looks.examine(exhibit(picture(), against=OWN))
    looks.examine(exhibit(picture(scene="cafe"), against=OWN))
    assert encoder.looks_at == len(OWN) + 2
    looks.examine(exhibit(picture(), against=OWN[:3]))
    assert encoder.looks_at == len(OWN) + 2 + 3 + 1
    assert looks.calibration(exhibit(picture(), against=OWN[:3])).n == 3


def rows(*angles: float) -> NDArray[np.float32]:
    return np.array([[np.cos(a), np.sin(a)] for a in angles], dtype=np.float32).reshape(-1, 2)


@pytest.mark.parametrize(
    ("own", "impostors", "floor", "expected"),
    [
        (rows(0.0), rows(), 0.4, (0.4, None, None, 1)),
        (rows(0.0, 0.0), rows(np.pi, np.pi), 0.4, (pytest.approx(0.6), 0.0, 0.0, 2)),
    ],
)
def test_calibration_by_table(
    own: NDArray[np.float32], impostors: NDArray[np.float32], floor: float, expected: tuple[object, ...]
) -> None:
    line = calibrate(own, impostors, floor=floor, embedder="told")
    assert (line.threshold, line.false_accept, line.false_reject, line.n) == expected


def test_a_near_impostor_raises_the_threshold_above_itself() -> None:
    line = calibrate(rows(0.0, 0.1, -0.1), rows(1.0, 0.6), floor=0.3, embedder="told")
    least_like = np.cos(0.15)
    assert line.threshold == pytest.approx(np.cos(0.6) + (least_like - np.cos(0.6)) / 3, abs=1e-3)
    assert (line.false_accept, line.false_reject) == (0.0, 0.0)


@pytest.mark.parametrize("own", [rows(), rows(0.0, np.pi), np.full((2, 2), np.nan, dtype=np.float32)])
def test_embeddings_without_a_middle_are_refused(own: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="no middle"):
        calibrate(own, rows(), embedder="told")


angles = arrays.arrays(np.float64, st.integers(2, 30), elements=st.floats(-1.0, 1.0))


@given(own=angles, strangers=arrays.arrays(np.float64, st.integers(0, 250), elements=st.floats(-3.1, 3.1)))
def test_at_most_one_impostor_in_a_hundred_passes(own: NDArray[np.float64], strangers: NDArray[np.float64]) -> None:
    line = calibrate(rows(*own), rows(*strangers), floor=0.2, embedder="told")
    assert line.threshold >= 0.2
    assert (line.false_accept or 0.0) <= 0.01
    assert line.false_reject is not None
    assert 0 <= line.false_reject <= 1


@pytest.mark.parametrize(
    ("text", "vocabulary", "word"),
    [
        ("a green hoodie", ("hoodie", "t-shirt"), "hoodie"),
        ("in a Café", ("cafe", "beach"), "cafe"),
        ("long wavy teal hair", ("wavy", "long wavy", "short"), "long wavy"),
        ("red and blue scarf", ("red", "blue"), None),
        ("shortbread", ("short",), None),
        ("an off-white shirt", ("white", "black"), None),
        ("", ("white",), None),
    ],
)
def test_known_words(text: str, vocabulary: tuple[str, ...], word: str | None) -> None:
    assert known_word(text, vocabulary) == word


@pytest.mark.parametrize(
    ("trait", "expected"),
    [
        (("hair colour", "teal", "long wavy teal hair"), {"hair": "teal", "style": "long wavy"}),
        (("hairstyle", "short", "short hair"), {"style": "short"}),
        (("glasses", "round", "round glasses"), {"glasses": "yes"}),
        (("glasses", "none", "without glasses"), {"glasses": "no"}),
        (("jewellery", "gold earrings", "gold earrings"), {"earrings": "yes"}),
        (("jewellery", "nose ring", "a nose ring"), {}),
        (("height", "tall", "tall"), {}),
        (("eyes", "amber", "amber eyes"), {}),
    ],
)
def test_traits_that_the_heads_know(trait: tuple[str, str, str], expected: dict[str, str]) -> None:
    heads = {**HEADS, "eyes": ("brown", "blue"), "earrings": ("no", "yes")}
    feature, value, phrase = trait
    look = Look(noun="woman", traits=(Trait(feature=feature, value=value, phrase=phrase),))
    assert {head: value for head, (value, _) in wanted_traits(look, heads).items()} == expected


def test_every_other_character_is_refused_and_she_is_not(
    exhibit: Callable[..., Exhibit], looks: LooksInstrument, persona: Persona
) -> None:
    rng = random.Random(8)
    for name, character in HELD_OUT.items():
        for _ in range(3):
            shot = random_shot(rng)
            (found,) = of(Criterion.IDENTITY, looks.examine(exhibit(render(character, shot, 128), world=shot)))
            assert found.outcome is (Outcome.PASSED if name == "mira" else Outcome.FAILED), (name, found.explanation)


def test_two_people_are_refused(exhibit: Callable[..., Exhibit], looks: LooksInstrument, wanted: WorldShot) -> None:
    outcomes = []
    for seed in range(6):
        shot = replace(wanted, seed=seed)
        found = looks.examine(exhibit(render(MIRA, shot, 128, people=2), world=shot))
        outcomes += [f.outcome for f in of(Criterion.SUBJECTS, found)]
    assert Outcome.PASSED not in outcomes
    assert outcomes.count(Outcome.FAILED) >= 5


def test_another_scene_than_the_brief_is_refused(
    exhibit: Callable[..., Exhibit], looks: LooksInstrument, wanted: WorldShot
) -> None:
    elsewhere = render(MIRA, replace(wanted, scene="library"), 128)
    failing = [f for f in looks.examine(exhibit(elsewhere)) if f.outcome is Outcome.FAILED]
    assert any(f.repair and (f.repair.kind, f.repair.phrase) == (RepairKind.EMPHASISE, "beach") for f in failing)
