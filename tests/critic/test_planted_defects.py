"""The whole panel on planted defects: each is rejected with the right finding, and good pictures pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from PIL import Image, ImageFilter, ImageOps

from zirelia.critic.duplicates import DuplicatesInstrument
from zirelia.critic.looks import LooksInstrument
from zirelia.critic.panel import CriticPanel
from zirelia.critic.safety import SafetyInstrument
from zirelia.critic.technical import TechnicalInstrument
from zirelia.domain.verdict import Criterion, Finding, Rubric, fold, repairs_for
from zirelia.pocket.drawing import render
from zirelia.pocket.world import EXPRESSIONS, HELD_OUT, SCENES, WorldShot, random_shot
from zirelia.ports import Exhibit

MIRA = HELD_OUT["mira"]
OTHER = WorldShot("blazer", "blue", "serious", "library", "night", "close-up", seed=77)
RUBRIC = Rubric(
    must_check=frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.NOVELTY, Criterion.SUBJECTS})
)


@pytest.fixture(scope="module")
def safety() -> SafetyInstrument:
    return SafetyInstrument()


@pytest.fixture
def panel(looks: LooksInstrument, safety: SafetyInstrument) -> CriticPanel:
    return CriticPanel([TechnicalInstrument(), looks, DuplicatesInstrument(), safety])


Plant = Callable[[Image.Image, WorldShot, Image.Image], Image.Image]
PLANTED: dict[str, tuple[Plant, Criterion]] = {
    "blank": (lambda good, shot, unsafe: Image.new("RGB", good.size, "#8090a0"), Criterion.TECHNICAL),
    "blur": (lambda good, shot, unsafe: good.filter(ImageFilter.GaussianBlur(2.5)), Criterion.TECHNICAL),
    "wrong character": (lambda good, shot, unsafe: render(HELD_OUT["luna"], shot, 128), Criterion.IDENTITY),
    "wrong character with her hair": (lambda good, shot, unsafe: render(HELD_OUT["noor"], shot, 128), Criterion.IDENTITY),
    "two characters": (lambda good, shot, unsafe: render(MIRA, shot, 128, people=2), Criterion.SUBJECTS),
    "nobody": (lambda good, shot, unsafe: render(MIRA, shot, 128, people=0), Criterion.SUBJECTS),
    "duplicate": (lambda good, shot, unsafe: render(MIRA, OTHER, 128), Criterion.NOVELTY),
    "mirrored duplicate": (lambda good, shot, unsafe: ImageOps.mirror(render(MIRA, OTHER, 128)), Criterion.NOVELTY),
    "cropped duplicate": (
        lambda good, shot, unsafe: render(MIRA, OTHER, 128).resize((128, 128), box=(6, 6, 122, 122)),
        Criterion.NOVELTY,
    ),
    "unsafe": (lambda good, shot, unsafe: unsafe.resize(good.size), Criterion.SAFETY),
    "another place": (lambda good, shot, unsafe: render(MIRA, replace(shot, scene="gym"), 128), Criterion.BRIEF),
}


@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_rejected_with_the_right_finding(
    defect: str,
    panel: CriticPanel,
    exhibit: Callable[..., Exhibit],
    good: Image.Image,
    wanted: WorldShot,
    unsafe: Image.Image,
) -> None:
    plant, criterion = PLANTED[defect]
    case = exhibit(plant(good, wanted, unsafe), recent=((4, render(MIRA, OTHER, 128)),))
    verdict = fold(panel.examine(case), RUBRIC)
    assert not verdict.passed
    assert criterion in {finding.criterion for finding in verdict.failed}, verdict.explanation
    assert repairs_for(verdict)
    assert all(finding.repair for finding in verdict.failed)


def test_good_pictures_pass(panel: CriticPanel, exhibit: Callable[..., Exhibit]) -> None:
    rng = random.Random(11)
    recent: list[tuple[int, Image.Image]] = []
    for number, scene in enumerate(SCENES, 1):
        shot = replace(random_shot(rng, scene=scene), expression=EXPRESSIONS[number % 3], light="daylight")
        picture = render(MIRA, shot, 128)
        verdict = fold(panel.examine(exhibit(picture, world=shot, recent=tuple(recent))), RUBRIC)
        hard = [f for f in verdict.failed if f.criterion not in (Criterion.BRIEF, Criterion.LOOK)]
        assert not hard, (scene, verdict.explanation, hard)
        recent.append((number, picture))


def test_the_wanted_picture_passes(panel: CriticPanel, exhibit: Callable[..., Exhibit], good: Image.Image) -> None:
    verdict = fold(panel.examine(exhibit(good, recent=((4, render(MIRA, OTHER, 128)),))), RUBRIC)
    assert verdict.passed, [f.explanation for f in verdict.failed]
    assert sum(finding.seconds for finding in verdict.findings) > 0


@pytest.mark.parametrize("broken", [TechnicalInstrument, LooksInstrument, SafetyInstrument])
def test_a_broken_instrument_never_lets_a_good_picture_pass(
    broken: type, panel: CriticPanel, exhibit: Callable[..., Exhibit], good: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, case: Exhibit) -> Sequence[Finding]:
        raise OSError("the disk is gone")

    monkeypatch.setattr(broken, "examine", fails)
    verdict = fold(panel.examine(exhibit(good)), RUBRIC)
    assert not verdict.passed
    assert "not checked though required" in verdict.explanation
