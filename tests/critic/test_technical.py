from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from zirelia.critic.technical import TechnicalInstrument, sharpness_of
from zirelia.domain.persona import Kind, Persona
from zirelia.domain.verdict import Finding, Outcome, RepairKind
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, SCENES, random_shot
from zirelia.ports import Exhibit

Change = Callable[[Image.Image], Image.Image]


def barred(image: Image.Image) -> Image.Image:
    image = image.copy()
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, image.width, 12), fill="black")
    pen.rectangle((0, image.height - 12, image.width, image.height), fill="black")
    return image


def noisy_blank(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(128, 1, (*image.size[::-1], 3))
    return Image.fromarray(noise.astype(np.uint8))


DEFECTS: dict[str, tuple[Change, str, RepairKind]] = {
    "black": (lambda i: Image.new("RGB", i.size), "spread of tones", RepairKind.NEW_SEED),
    "white": (lambda i: Image.new("RGB", i.size, "white"), "spread of tones", RepairKind.NEW_SEED),
    "grey noise": (noisy_blank, "spread of tones", RepairKind.NEW_SEED),
    "blurred": (lambda i: i.filter(ImageFilter.GaussianBlur(2.5)), "sharpness", RepairKind.MORE_STEPS),
    "dark": (lambda i: i.point(lambda v: v // 9), "too dark", RepairKind.NEW_SEED),
    "bright": (lambda i: i.point(lambda v: 225 + v // 9), "too bright", RepairKind.NEW_SEED),
    "burnt": (lambda i: i.point(lambda v: min(255, v * 6)), "exposure", RepairKind.NEW_SEED),
    "barred": (barred, "between bars", RepairKind.NEW_SEED),
    "barred sideways": (lambda i: barred(i.rotate(90)), "between bars", RepairKind.NEW_SEED),
    "posterised": (lambda i: i.quantize(6, dither=Image.Dither.NONE).convert("RGB"), "tones", RepairKind.MORE_STEPS),
    "small": (lambda i: i.resize((96, 96)), "size 96x96", RepairKind.NOTE),
    "wide": (lambda i: i.resize((160, 128)), "size 160x128", RepairKind.NOTE),
}


def failed(findings: tuple[Finding, ...] | list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.outcome is Outcome.FAILED]


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("scene", ["beach", "library"])
def test_a_defect_is_named_with_its_repair(defect: str, scene: str, exhibit: Callable[..., Exhibit]) -> None:
    change, named, repair = DEFECTS[defect]
    picture = change(render(HELD_OUT["mira"], random_shot(random.Random(scene), scene=scene), 128))
    found = failed(list(TechnicalInstrument().examine(exhibit(picture))))
    assert any(named in f.explanation and f.repair and f.repair.kind is repair for f in found), found


@pytest.mark.parametrize("against", ["references", "nothing"])
@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("softness", [0.0, 0.7])
def test_pictures_of_every_scene_pass_even_soft_ones(
    against: str, size: int, softness: float, exhibit: Callable[..., Exhibit], references: tuple[Image.Image, ...]
) -> None:
    rng = random.Random(4)
    for scene in SCENES:
        picture = render(HELD_OUT["theo"], random_shot(rng, scene=scene), size)
        picture = picture.filter(ImageFilter.GaussianBlur(softness))
        compared = references if against == "references" else ()
        found = failed(list(TechnicalInstrument().examine(exhibit(picture, size=(size, size), against=compared))))
        assert not found, (scene, found)


def test_blur_is_found_at_every_size_and_for_photographs(exhibit: Callable[..., Exhibit], persona: Persona) -> None:
    photographic = persona.model_copy(update={"kind": Kind.PHOTOGRAPHIC})
    shot = random_shot(random.Random(5))
    for size, blur, of in ((256, 5, persona), (512, 12, persona), (1024, 12, photographic)):
        sharp = render(HELD_OUT["mira"], shot, size)
        for picture, outcome in ((sharp, 0), (sharp.filter(ImageFilter.GaussianBlur(blur)), 1)):
            case = exhibit(picture, size=(size, size), of=of, against=())
            assert len(failed(list(TechnicalInstrument().examine(case)))) == outcome


def test_sharpness_does_not_depend_on_contrast_or_size(good: Image.Image) -> None:
    faint = good.point(lambda value: 100 + value // 3)
    assert sharpness_of(faint, 128) == pytest.approx(sharpness_of(good, 128), rel=0.1)
    assert sharpness_of(good.resize((512, 512)), 128) == pytest.approx(sharpness_of(good, 128), rel=0.5)
    assert sharpness_of(Image.new("RGB", (128, 128)), 128) == 0
    assert sharpness_of(Image.new("RGB", (2, 2)), 128) == 0
