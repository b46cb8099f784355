"""Photographic personas: who it is, how many, how near; told faces by table, real ones through dlib."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zirelia.critic.faces import FaceRecogniser
from zirelia.critic.impostors import Impostors
from zirelia.critic.photographs import PhotographsInstrument
from zirelia.domain.box import Box
from zirelia.domain.calibration import Calibration
from zirelia.domain.repairs import may_retry, next_repairs
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.verdict import Criterion, Outcome, RepairKind, Rubric, fold
from zirelia.errors import ConfigurationError
from zirelia.pictures import load_picture
from zirelia.ports import BackendFacts, Face

PHOTOGRAPHS = Path(__file__).parent / "photographs"
needs_dlib = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None, reason="the extra 'faces' is not installed"
)


@pytest.fixture(scope="module")
def recogniser() -> FaceRecogniser:
    return FaceRecogniser()


@pytest.fixture(scope="module")
def collins() -> Image.Image:
    return load_picture(PHOTOGRAPHS / "collins.jpg")


@pytest.fixture(scope="module")
def hopper() -> Image.Image:
    return load_picture(PHOTOGRAPHS / "hopper.jpg")


PASSED, FAILED, OPEN = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_CHECKED
MIDDLE = Box(left=0.3, top=0.2, right=0.6, bottom=0.5)


def face(angle: float = 0.0, *, box: Box = MIDDLE, yaw: float | None = 0.0) -> Face:
    return Face(box=box, embedding=np.array([np.cos(angle), np.sin(angle)], dtype=np.float32), yaw=yaw)


def shot(framing: Framing = Framing.CLOSE_UP, pose: str = "") -> Shot:
    return Shot(scene="park", outfit="coat", pose=pose, expression="smiling", framing=framing, light="daylight")


@dataclass
class Told:
    """A reader that finds in each picture the faces that were told for its colour."""

    known: dict[tuple[int, ...], tuple[Face, ...]] = field(default_factory=dict)
    reads: int = 0
    threshold: float = 0.9

    def picture(self, *faces: Face) -> Image.Image:
        colour = (len(self.known), 7, 7)
        self.known[colour] = faces
        return Image.new("RGB", (16, 16), colour)

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="told", model="1", local=True, paid=False)

    def faces(self, image: Image.Image) -> tuple[Face, ...]:
        self.reads += 1
        return self.known[image.convert("RGB").getpixel((0, 0))]


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, Calibration] = {}

    def calibration(self, key):
        return self.kept.get(key)

    def keep_calibration(self, key, persona, calibration):
        self.kept[key] = calibration

    def answer(self, key):
        return None

    def keep_answer(self, key, answer):
        raise AssertionError("nobody was asked")


def box(left, top, right, bottom):
    return Box(left=left, top=top, right=right, bottom=bottom)


CASES = {
    "she": ([face()], shot(), {"face": PASSED, "people": PASSED, "head": PASSED, "distance": PASSED}),
    "a stranger": ([face(1.5)], shot(), {"face": FAILED, "people": PASSED}),
    "she beside a larger stranger": (
        [face(1.5, box=box(0.5, 0.1, 0.9, 0.6)), face(box=box(0.1, 0.2, 0.4, 0.5))],
        shot(),
        {"face": PASSED, "people": FAILED},
    ),
    "two strangers": ([face(1.5), face(1.4)], shot(), {"face": FAILED, "people": FAILED}),
    "a passer-by": ([face(), face(1.5, box=box(0.9, 0.5, 0.93, 0.53))], shot(), {"face": PASSED, "people": PASSED}),
    "turned, between the two lines": ([face(0.47, yaw=-35.0)], shot(), {"face": PASSED}),
    "the same towards the camera": ([face(0.47)], shot(), {"face": FAILED}),
    "too far turned": ([face(yaw=70.0)], shot(), {"face": OPEN}),
    "not finite": ([face(float("nan"))], shot(), {"face": OPEN}),
    "cut off above": ([face(box=box(0.3, 0.0, 0.6, 0.3))], shot(), {"head": FAILED, "distance": PASSED}),
    "too far for a close-up": ([face(box=box(0.4, 0.2, 0.5, 0.3))], shot(), {"distance": FAILED}),
    "too near for a full body": ([face()], shot(Framing.FULL_BODY), {"distance": FAILED}),
    "nobody in a close-up": ([], shot(), {"face": OPEN, "people": FAILED, "head": OPEN}),
    "nobody in a half body": ([], shot(Framing.HALF_BODY), {"face": OPEN, "people": FAILED}),
    "too small in a full body": ([], shot(Framing.FULL_BODY), {"face": OPEN, "people": OPEN}),
    "from behind": ([], shot(pose="seen from behind, walking"), {"face": OPEN, "people": OPEN}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_it_says_by_table(case, exhibit) -> None:
    faces, asked, expected = CASES[case]
    told = Told()
    references = tuple(told.picture(face(angle)) for angle in (-0.02, 0.0, 0.02))
    found = PhotographsInstrument(told).examine(exhibit(told.picture(*faces), shot=asked, against=references))
    said = {finding.aspect: finding for finding in found}
    assert {aspect: said[aspect].outcome for aspect in expected} == expected
    assert {finding.criterion for finding in found} == PhotographsInstrument.criteria
    assert all(finding.repair is not None for finding in found if finding.outcome is FAILED)
    assert all(finding.repair is None for finding in found if finding.outcome is PASSED)


@pytest.mark.parametrize(
    ("case", "kind", "phrase"),
    [
        ("too far turned", RepairKind.NEW_SEED, ""),
        ("too small in a full body", RepairKind.CLOSER_FRAMING, ""),
        ("from behind", RepairKind.REMOVE_WORDS, "seen from behind, walking"),
    ],
)
def test_a_face_that_cannot_be_read_says_what_would_show_it(case, kind, phrase, exhibit) -> None:
    """Else three pictures of her back would be paid for, and then held."""
    faces, asked, _ = CASES[case]
    told = Told()
    found = PhotographsInstrument(told).examine(exhibit(told.picture(*faces), shot=asked, against=(told.picture(face()),)))
    rubric = Rubric()
    verdict = fold([one for one in found if one.criterion is Criterion.IDENTITY], rubric)
    assert may_retry(verdict, (), rubric)
    (repair,) = next_repairs(verdict, (), felt=lambda _: True)
    assert (repair.kind, repair.phrase, repair.aspect) == (kind, phrase, "face")


def test_where_the_others_stand_is_said(exhibit) -> None:
    told = Told()
    crowd = told.picture(face(), face(1.5, box=box(0.7, 0.0, 0.95, 0.25)))
    findings = PhotographsInstrument(told).examine(exhibit(crowd, shot=shot(), against=(told.picture(face()),)))
    (people,) = (finding for finding in findings if finding.criterion is Criterion.SUBJECTS)
    assert "a face in the upper right" in people.explanation
    assert people.region == box(0.7, 0.0, 0.95, 0.25)
    assert people.repair.kind is RepairKind.ONE_PERSON


@pytest.mark.parametrize(
    ("references", "said"),
    [((), "no references"), (((), ()), "in any of the 2 references"), (((face(0.0),), (face(1.5),)), "refuses 100%")],
    ids=["none", "without a face", "of two people"],
)
def test_references_that_say_nothing_are_never_a_pass(references, said, exhibit) -> None:
    told = Told()
    pictures = tuple(told.picture(*faces) for faces in references)
    findings = PhotographsInstrument(told).examine(exhibit(told.picture(face()), shot=shot(), against=pictures))
    (identity,) = (finding for finding in findings if finding.criterion is Criterion.IDENTITY)
    assert identity.outcome is OPEN
    assert said in identity.explanation


def test_the_line_is_measured_once_and_again_when_the_bank_changes(exhibit, tmp_path: Path) -> None:
    told, memory = Told(), Memory()
    references = (told.picture(face(0.0)), told.picture(face(0.05)), told.picture())
    shown = exhibit(told.picture(face()), shot=shot(), against=references)
    stranger, look_alike = told.picture(face(2.0)), told.picture(face(0.4))
    stranger.save(tmp_path / "a.png")
    bank = Impostors(told, strangers=[tmp_path], personas={shown.persona.name: [tmp_path / "a.png"]})
    first = PhotographsInstrument(told, impostors=bank, memory=memory)
    assert "1 more references show no face" in first.examine(shown)[0].explanation
    assert first.calibration(shown).impostors == 1
    reads = told.reads
    (tmp_path / "a.png").rename(tmp_path / "away.txt")
    first.examine(shown)
    assert told.reads == reads + 1, "nor are the strangers' files read for every picture"
    (tmp_path / "away.txt").rename(tmp_path / "a.png")
    again = PhotographsInstrument(told, impostors=Impostors(told, strangers=[tmp_path]), memory=memory)
    assert again.calibration(shown) == first.calibration(shown)
    assert told.reads == reads + 1 + len(references), "the bank was not read again"
    look_alike.save(tmp_path / "b.png")
    more = PhotographsInstrument(told, impostors=Impostors(told, strangers=[tmp_path]), memory=memory)
    assert more.calibration(shown).impostors == 2
    assert more.calibration(shown).threshold > first.calibration(shown).threshold
    assert len(memory.kept) == 2


def test_each_persona_is_a_stranger_to_the_others_only(tmp_path: Path) -> None:
    told = Told()
    for name, angle in (("ada", 0.0), ("mira", 1.0)):
        told.picture(face(angle)).save(tmp_path / f"{name}.png")
    bank = Impostors(told, personas={name: [tmp_path / f"{name}.png"] for name in ("ada", "mira")})
    assert bank.embeddings(but="ada") == pytest.approx(np.stack([face(1.0).embedding]))
    assert bank.embeddings(but="nobody").shape == (2, 2)
    assert bank.fingerprint(but="ada") != bank.fingerprint(but="mira")
    assert Impostors(told).embeddings(but="ada").shape == (0, 0)
    with pytest.raises(ConfigurationError, match="no such picture"):
        Impostors(told, strangers=[tmp_path / "gone"])


@needs_dlib
def test_real_photographs(exhibit, recogniser, collins, hopper) -> None:
    instrument = PhotographsInstrument(recogniser)
    near = collins.crop((60, 0, 320, 290))
    cases = {"herself": (near, PASSED, PASSED), "another": (hopper, FAILED, PASSED)}
    both = Image.new("RGB", (768, 450), "grey")
    both.paste(hopper, (0, 0))
    both.paste(collins, (384, 0))
    cases["both"] = (both, PASSED, FAILED)
    cases["nobody"] = (Image.new("RGB", (300, 300), "white"), OPEN, FAILED)
    for name, (picture, identity, people) in cases.items():
        found = instrument.examine(exhibit(picture, shot=shot(), against=(collins,)))
        said = {finding.aspect: finding.outcome for finding in found}
        assert (said["face"], said["people"]) == (identity, people), name
