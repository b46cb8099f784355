"""Planted sets: the stranger, the pair, the blur, the copy and the unsafe picture are found, and clean sets stay whole."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from zirelia.critic.copies import near_copies
from zirelia.critic.curation import SetCurator
from zirelia.critic.likeness import likeness
from zirelia.critic.safety import SafetyInstrument
from zirelia.critic.sightings import LooksRecogniser
from zirelia.domain.box import Box
from zirelia.domain.dataset import FaultKind
from zirelia.domain.persona import Kind
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.shotlist import Cell, Yaw
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot, random_character, random_shot
from zirelia.ports import BackendFacts, Sighting, Submission

MIRA = HELD_OUT["mira"]
RELIABLE = 0.97


def quiet(fraction, note):
    assert 0 <= fraction <= 1


def pictures(character, count, seed, **options):
    rng = random.Random(seed)
    return [render(character, random_shot(rng), 128, **options) for _ in range(count)]


def kinds(opinion):
    return {fault.kind for fault in opinion.faults}


# ---- the real recogniser on planted sets -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recogniser(encoder):
    accuracy = encoder.calibration.accuracy
    return LooksRecogniser(encoder, {head: words for head, words in encoder.heads.items() if accuracy[head] >= RELIABLE})


@pytest.fixture(scope="module")
def curator(recogniser):
    return SetCurator(recogniser, safety=SafetyInstrument(), kind=Kind.ILLUSTRATED)


def test_what_the_looks_recogniser_sees(recogniser, encoder):
    shot = WorldShot("hoodie", "red", "smiling", "beach", "daylight", "half body", seed=5)
    one, two, none = recogniser.see([render(MIRA, shot, 128, people=people) for people in (1, 2, 0)])
    assert (one.subjects, two.subjects, none.subjects) == (1, 2, 0)
    assert none.embedding is None
    assert one.attributes["scene"][0] == "beach"
    assert "expression" not in one.attributes  # the encoder reads it unreliably
    assert "people" not in one.attributes
    (uncounted,) = LooksRecogniser(encoder, {"scene": ("beach",)}).see([render(MIRA, shot, 128)])
    assert uncounted.subjects is None
    assert recogniser.see([]) == ()
    assert recogniser.facts().local


def test_every_planted_defect_is_found_and_nothing_else(curator, unsafe):
    good = pictures(MIRA, 20, seed=41)
    planted = {
        "stranger": (pictures(random_character(random.Random(2)), 1, seed=3)[0], FaultKind.ANOTHER_PERSON),
        "another stranger": (pictures(HELD_OUT["noor"], 1, seed=4)[0], FaultKind.ANOTHER_PERSON),
        "two people": (pictures(MIRA, 1, seed=5, people=2)[0], FaultKind.SEVERAL_SUBJECTS),
        "nobody": (pictures(MIRA, 1, seed=6, people=0)[0], FaultKind.NO_SUBJECT),
        "blurred": (pictures(MIRA, 1, seed=7)[0].filter(ImageFilter.GaussianBlur(2.5)), FaultKind.BLURRED),
        "tiny": (pictures(MIRA, 1, seed=8)[0].resize((100, 100)), FaultKind.TOO_SMALL),
        "one pixel": (Image.new("RGB", (1, 1)), FaultKind.TOO_SMALL),
        "thin": (Image.new("RGB", (4000, 10)), FaultKind.TOO_SMALL),
        "again": (good[2].copy(), FaultKind.NEAR_DUPLICATE),
        "mirrored": (ImageOps.mirror(good[3]), FaultKind.NEAR_DUPLICATE),
        "cropped": (good[4].crop((6, 6, 122, 122)).resize((128, 128)), FaultKind.NEAR_DUPLICATE),
        "the start": (ImageOps.mirror(pictures(MIRA, 1, seed=9)[0]), FaultKind.COPY_OF_START),
        "unsafe": (unsafe.resize((128, 128)), FaultKind.UNSAFE),
    }
    submissions = [Submission(f"good-{number}", image) for number, image in enumerate(good)]
    submissions += [Submission(name, image) for name, (image, _) in planted.items()]
    opinions = curator.examine(submissions, anchors=pictures(MIRA, 1, seed=9), side=128, progress=quiet)
    found = dict(zip([one.name for one in submissions], opinions, strict=True))
    for name, (_, kind) in planted.items():
        if kind is not FaultKind.NEAR_DUPLICATE:
            assert kind in kinds(found[name]), (name, found[name].faults)
    for name, twin in (("again", "good-2"), ("mirrored", "good-3"), ("cropped", "good-4")):
        (loser,) = [one for one in (name, twin) if found[one].faults]
        (fault,) = found[loser].faults
        assert fault.kind is FaultKind.NEAR_DUPLICATE
        assert (twin if loser == name else name) in fault.explanation
        assert ("mirrored" in fault.explanation) == (name == "mirrored")
    assert not [
        name for name in found if name.startswith("good") and name not in {"good-2", "good-3", "good-4"} if found[name].faults
    ]
    strange = found["stranger"].faults[0]
    assert strange.score < strange.threshold


def test_a_fifth_of_strangers_does_not_shift_the_middle(curator):
    """The same stranger four times: a second person, not noise."""
    for seed in range(3):
        rng = random.Random(seed)
        own, other = random_character(rng), random_character(rng)
        images = pictures(own, 16, seed=50 + seed) + pictures(other, 4, seed=60 + seed)
        opinions = curator.examine([Submission(str(n), image) for n, image in enumerate(images)], side=128, progress=quiet)
        strangers = [FaultKind.ANOTHER_PERSON in kinds(opinion) for opinion in opinions]
        assert strangers == [False] * 16 + [True] * 4


def test_clean_sets_stay_whole(curator):
    found = Counter()
    for seed in range(5):
        images = pictures(random_character(random.Random(100 + seed)), 20, seed=200 + seed)
        opinions = curator.examine([Submission(str(n), image) for n, image in enumerate(images)], side=128, progress=quiet)
        found.update(fault.kind for opinion in opinions for fault in opinion.faults)
    assert found.total() <= 1, found
    assert not found[FaultKind.ANOTHER_PERSON]


# ---- the rules, with a recogniser that is told what it sees -----------------------------------------------------------


class Told:
    """Reads a picture's red as the angle of its identity (100 is the person), its green as the number of subjects."""

    threshold = 0.8
    face: Box | None = None

    def __init__(self, fails_at=None):
        self.fails_at = fails_at

    def facts(self):
        return BackendFacts(backend="told", model="told", local=True, paid=False)

    def see(self, images):
        return [self._one(image) for image in images]

    def _one(self, image):
        angle, subjects, _ = (round(value) for value in np.asarray(image.convert("RGB"), dtype=float)[0, 0])
        if angle == self.fails_at:
            raise RuntimeError("the model is gone")
        radians = np.deg2rad(angle - 100)
        vector = np.array([np.cos(radians), np.sin(radians)], dtype=np.float32)
        if angle == 255:
            vector[:] = np.nan
        count = None if subjects == 9 else subjects
        return Sighting(subjects=count, face=self.face, embedding=vector if count != 0 else None)


class Safe:
    threshold = 0.6

    def __init__(self, answer=0.9):
        self.answer = answer

    def safe(self, image):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def seen_as(angle=100, subjects=1, seed=500):
    """A picture unlike every other, whose corner tells the recogniser what to see."""
    coarse = np.random.default_rng(1000 * angle + seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((128, 128), Image.Resampling.NEAREST)
    image.putpixel((0, 0), (angle, subjects, 0))
    return image


def cell(framing=Framing.CLOSE_UP, yaw=Yaw.FRONT):
    shot = Shot(scene="cafe", outfit="hoodie", expression="smiling", framing=framing, light="daylight")
    return Cell(id="one", shot=shot, yaw=yaw)


def examined(images, *, cells=None, recogniser=None, safety=None, anchors=(), side=128):
    curator = SetCurator(recogniser or Told(), safety=safety or Safe(), kind=Kind.ILLUSTRATED)
    cells = cells or [None] * len(images)
    submissions = [Submission(f"{n}.png", image, one) for n, (image, one) in enumerate(zip(images, cells, strict=True))]
    return curator.examine(submissions, anchors=anchors, side=side, progress=quiet)


OTHERS = [seen_as(100 + turn, seed=turn) for turn in (-12, -6, 0, 6, 12)]
BACK, PROFILE, BODY = cell(yaw=Yaw.BACK), cell(yaw=Yaw.PROFILE_LEFT), cell(framing=Framing.FULL_BODY)


@pytest.mark.parametrize(
    ("angle", "subjects", "where", "expected"),
    [
        (100, 1, None, set()),
        (100, 0, None, {FaultKind.NO_SUBJECT}),
        (100, 2, None, {FaultKind.SEVERAL_SUBJECTS}),
        (100, 9, None, {FaultKind.NOT_CHECKED}),
        (200, 1, None, {FaultKind.ANOTHER_PERSON}),
        (255, 1, None, {FaultKind.NOT_CHECKED}),
        (100, 0, BODY, {FaultKind.NOT_CHECKED}),
        (100, 9, BODY, set()),
        (200, 9, BODY, {FaultKind.ANOTHER_PERSON}),
        (100, 2, BODY, {FaultKind.SEVERAL_SUBJECTS}),
        (100, 0, BACK, set()),
        (100, 9, BACK, set()),
        (200, 1, BACK, set()),
        (100, 2, BACK, {FaultKind.SEVERAL_SUBJECTS}),
        (139, 1, None, {FaultKind.ANOTHER_PERSON}),
        (139, 1, PROFILE, set()),  # cosine .777: laxer by a fifth of the distance
        (150, 1, PROFILE, {FaultKind.ANOTHER_PERSON}),
        (100, 0, PROFILE, {FaultKind.NO_SUBJECT}),
    ],
)
def test_subjects_and_identity_by_cell(angle, subjects, where, expected):
    *_, opinion = examined([*OTHERS, seen_as(angle, subjects)], cells=[None] * 5 + [where])
    assert kinds(opinion) == expected, opinion.faults
    assert (opinion.identity is None) == (subjects in (0, 2) or where is BACK or angle == 255)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pictures_have_no_identity(count):
    assert [kinds(opinion) for opinion in examined(OTHERS[:count])] == [{FaultKind.NOT_CHECKED}] * count
    assert [kinds(opinion) for opinion in examined(OTHERS[:count], anchors=[seen_as(101, seed=7)])] == [set()] * count


def test_no_pictures_no_opinions():
    assert examined([]) == ()


def test_a_crowd_without_one_person_is_not_checked():
    crowd = [seen_as(angle) for angle in (0, 60, 120, 180, 240)]
    assert [kinds(opinion) for opinion in examined(crowd)] == [{FaultKind.NOT_CHECKED}] * 5


@pytest.mark.parametrize("subjects", [0, 2])
def test_a_start_picture_that_shows_nobody_or_two_checks_nothing(subjects):
    opinions = examined(OTHERS, anchors=[seen_as(100, subjects, seed=8)])
    assert {kind for opinion in opinions for kind in kinds(opinion)} == {FaultKind.NOT_CHECKED}
    assert "no start picture" in opinions[0].faults[0].explanation


def test_a_set_of_somebody_else_than_the_start():
    opinions = examined(OTHERS, anchors=[seen_as(200, seed=3)])
    assert [kinds(opinion) for opinion in opinions] == [{FaultKind.ANOTHER_PERSON}] * 5


def test_a_picture_that_breaks_the_recogniser_costs_only_itself():
    opinions = examined([*OTHERS, seen_as(77)], recogniser=Told(fails_at=77))
    assert [kinds(opinion) for opinion in opinions] == [set()] * 5 + [{FaultKind.NOT_CHECKED}]
    assert "RuntimeError: the model is gone" in opinions[-1].faults[0].explanation


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (0.3, FaultKind.UNSAFE),
        (float("nan"), FaultKind.NOT_CHECKED),
        (OSError("the disk is gone"), FaultKind.NOT_CHECKED),
        (MemoryError(), FaultKind.NOT_CHECKED),
    ],
)
def test_safety_fails_closed(answer, kind):
    assert [kinds(opinion) for opinion in examined(OTHERS, safety=Safe(answer))] == [{kind}] * 5


def test_a_recogniser_that_forgets_a_picture_checks_none():
    class Forgets(Told):
        def see(self, images):
            return []

    opinions = examined(OTHERS, recogniser=Forgets())
    assert [kinds(opinion) for opinion in opinions] == [{FaultKind.NOT_CHECKED}] * 5


def test_the_face_is_what_must_be_sharp():
    sharp = seen_as().resize((256, 256), Image.Resampling.NEAREST)
    soft = sharp.copy()
    soft.paste(sharp.crop((64, 64, 192, 192)).filter(ImageFilter.GaussianBlur(8)), (64, 64))
    told = Told()
    told.face = Box(left=0.3, top=0.3, right=0.7, bottom=0.7)
    for image in (sharp, soft):
        image.putpixel((0, 0), (100, 1, 0))
    first, second = examined([sharp, soft], recogniser=told, anchors=[seen_as(seed=6)], side=256)
    assert FaultKind.BLURRED not in kinds(first)
    assert FaultKind.BLURRED in kinds(second)
    assert "the face is blurred" in str(second.faults)


def test_of_two_copies_the_one_without_other_faults_stays():
    twin = OTHERS[0].copy()
    twin.putpixel((0, 0), (200, 1, 0))
    opinions = examined([*OTHERS, twin])
    assert not opinions[0].faults
    assert kinds(opinions[5]) == {FaultKind.ANOTHER_PERSON, FaultKind.NEAR_DUPLICATE}


def test_of_three_copies_one_stays():
    opinions = examined([*OTHERS, OTHERS[0].copy(), ImageOps.mirror(OTHERS[0]).convert("RGB")], recogniser=Told())
    copies = [opinions[0], opinions[5], opinions[6]]
    assert sum(FaultKind.NEAR_DUPLICATE not in kinds(opinion) for opinion in copies) == 1


def test_progress_counts_up_to_the_end():
    said = []
    curator = SetCurator(Told(), safety=Safe(), kind=Kind.ILLUSTRATED)
    many = [Submission(str(n), seen_as(seed=n)) for n in range(20)]
    curator.examine(many, side=128, progress=lambda fraction, note: said.append((fraction, note)))
    assert [fraction for fraction, _ in said] == sorted(fraction for fraction, _ in said)
    assert said[-1] == (1.0, "20 of 20 are fit")
    assert (pytest.approx(0.48), "who is in it: 16 of 20") in said


# ---- copies and likeness -----------------------------------------------------------------------------------------------

COPIES = {
    "the same": lambda image: image.copy(),
    "small": lambda image: image.resize((64, 64)),
    "another shape": lambda image: image.resize((300, 260)),
    "dark": lambda image: Image.eval(image, lambda value: int(value * 0.7)),
    "mirrored": ImageOps.mirror,
    "cropped": lambda image: image.crop((8, 6, 122, 120)),
    "cropped at a corner": lambda image: image.crop((0, 0, 110, 110)),
    "mirrored and cropped": lambda image: ImageOps.mirror(image).crop((6, 6, 122, 122)),
}


@pytest.mark.parametrize("change", COPIES)
def test_copies_are_found_either_way_round(change):
    for image in pictures(MIRA, 4, seed=21):
        copy = COPIES[change](image)
        for pair in ([image, copy], [copy, image]):
            (found,) = near_copies(pair)
            assert (found.first, found.second, found.mirrored) == (0, 1, "mirrored" in change)


def test_other_shots_and_blanks_are_no_copies():
    assert near_copies(pictures(MIRA, 30, seed=22)) == ()
    assert near_copies([Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "red")]) == ()
    assert near_copies([]) == ()


def rows(degrees):
    radians = np.deg2rad(np.array(degrees, dtype=np.float64))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@given(
    own=st.lists(st.floats(-15, 15), min_size=4, max_size=30),
    strangers=st.lists(st.floats(80, 280), max_size=30),
    order=st.randoms(use_true_random=False),
)
def test_strangers_below_half_never_pass_and_the_floor_holds(own, strangers, order):
    strangers = strangers[: max(0, len(own) - 1)]
    degrees = [*own, *strangers]
    order.shuffle(degrees)
    found = likeness(rows(degrees), floor=0.5)
    assert found.line >= 0.5 > found.laxer
    for turn, score in zip(degrees, found.scores, strict=True):
        if abs(turn) > 15:
            assert score < found.line


def test_the_line_rises_with_a_tight_set_and_only_so_far():
    tight = likeness(rows([0, 0.1, 0.2, 0.3, 0.4]), floor=0.5)
    assert tight.line == pytest.approx(0.75, abs=0.01)
    assert likeness(rows([0, 25, -25, 40, -40]), floor=0.5).line == 0.5
    assert likeness(rows([3.0]), floor=0.5, anchors=rows([0])).line == 0.5


@pytest.mark.parametrize(
    ("embeddings", "said"),
    [
        (rows([0, 1]), "fewer than 3"),
        (rows([0, 120, 240]), "no one person"),
        (rows([0, 1, 180, 181]), "no one person"),
        (np.full((4, 2), np.nan, dtype=np.float32), "not finite"),
    ],
)
def test_identity_that_cannot_be_told(embeddings, said):
    with pytest.raises(ValueError, match=said):
        likeness(embeddings, floor=0.8)
