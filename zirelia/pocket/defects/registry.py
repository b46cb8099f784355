"""The table of faults: each with its three severities in numbers, and the findings that would name it.

    DEFECTS["blur"].plant(case, severity=2, seed=1)
    DEFECTS["blur"].levels[1]                  # 'Gaussian, 1.6 % of the side'

The definitions say what a person would see; they were written before any instrument was measured against them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from zirelia.domain.verdict import Criterion
from zirelia.pocket.defects import overlays, pixels, worlds
from zirelia.pocket.defects.cases import Case, as_jpeg
from zirelia.ports import Exhibit

SEVERITIES = (1, 2, 3)
Plant = Callable[[Case, int, random.Random], Image.Image]
Expected = frozenset[tuple[Criterion, str]]
"""Criterion and aspect of findings; an empty aspect stands for any."""


@dataclass(frozen=True)
class Defect:
    """One sort of fault.

    expected: findings of which one at least should fail. levels: what severity 1, 2 and 3 mean. offline: whether an
    instrument that needs no network is meant to find it. copies: the fault is that the picture repeats one that was posted.
    """

    name: str
    expected: Expected
    levels: tuple[str, str, str]
    planted: Plant
    offline: bool = True
    copies: bool = False

    def plant(self, case: Case, severity: int, seed: int) -> Image.Image:
        """The spoilt picture, of the good one's size. Raises ValueError for a severity that is not 1, 2 or 3."""
        if severity not in SEVERITIES:
            raise ValueError(f"a severity is 1, 2 or 3, not {severity}")
        return self.planted(case, severity, random.Random(f"{self.name} {severity} {seed}"))  # noqa: S311

    def exhibit(self, case: Case, severity: int, seed: int) -> Exhibit:
        """The spoilt picture with the good one's wish. For a copy, the good picture is among the recent ones."""
        posted = ((len(case.recent) + 1, case.image),) if self.copies else ()
        return case.exhibit(self.plant(case, severity, seed), recent=posted)

    def names(self, criterion: Criterion, aspect: str) -> bool:
        """Whether a failed finding of that criterion and aspect says what is wrong."""
        return (criterion, aspect) in self.expected or (criterion, "") in self.expected


def _pick(severity: int, *values: float) -> float:
    return values[severity - 1]


def _blur(case: Case, severity: int, rng: random.Random) -> Image.Image:  # noqa: ARG001 - one signature for all
    return pixels.blurred(case.image, _pick(severity, 0.006, 0.016, 0.04))


def _noise(case: Case, severity: int, rng: random.Random) -> Image.Image:
    return pixels.noisy(case.image, _pick(severity, 6, 20, 50), rng)


def _banding(case: Case, severity: int, rng: random.Random) -> Image.Image:  # noqa: ARG001
    return pixels.banded(case.image, round(_pick(severity, 20, 6, 3)))


def _over(case: Case, severity: int, rng: random.Random) -> Image.Image:  # noqa: ARG001
    return pixels.over_exposed(case.image, _pick(severity, 0.2, 0.6, 0.9))


def _under(case: Case, severity: int, rng: random.Random) -> Image.Image:  # noqa: ARG001
    return pixels.under_exposed(case.image, _pick(severity, 100, 50, 15))


def _blank(case: Case, severity: int, rng: random.Random) -> Image.Image:
    return pixels.faded(case.image, _pick(severity, 0.25, 0.03, 0.0), rng)


def _letterbox(case: Case, severity: int, rng: random.Random) -> Image.Image:
    return pixels.letterboxed(case.image, _pick(severity, 0.06, 0.2, 0.45), rng)


def _text(case: Case, severity: int, rng: random.Random) -> Image.Image:
    height, opacity, lines = ((0.05, 0.5, 1), (0.1, 1.0, 1), (0.16, 1.0, 3))[severity - 1]
    return overlays.written(case.image, height=height, opacity=opacity, lines=lines, rng=rng)


def _mirror(case: Case, severity: int, rng: random.Random) -> Image.Image:
    turned = pixels.mirrored(case.image)
    if severity == 3:
        return turned
    turned = pixels.cropped(turned, _pick(severity, 0.86, 0.95), rng)
    turned = pixels.recoloured(turned, _pick(severity, 0.25, 0.08), rng)
    return as_jpeg(turned, round(_pick(severity, 50, 75)))


def _crop(case: Case, severity: int, rng: random.Random) -> Image.Image:
    return as_jpeg(pixels.cropped(case.image, _pick(severity, 0.8, 0.88, 0.95), rng), round(_pick(severity, 60, 80, 90)))


def _unsafe(case: Case, severity: int, rng: random.Random) -> Image.Image:
    return pixels.unsafe_patch(case.image, _pick(severity, 0.45, 0.8, 1.0), rng)


_IDENTITY = frozenset({(Criterion.IDENTITY, "")})
_PEOPLE = frozenset({(Criterion.SUBJECTS, "")})
_NOVELTY = frozenset({(Criterion.NOVELTY, "")})


def _technical(*aspects: str) -> Expected:
    return frozenset((Criterion.TECHNICAL, aspect) for aspect in aspects)


def _brief(*aspects: str) -> Expected:
    return frozenset((Criterion.BRIEF, aspect) for aspect in aspects)


_ALL = (
    Defect(
        "wrong person",
        _IDENTITY,
        (
            "same gender and hair colour; other style, skin a tone away or more",
            "same gender; other hair colour and style, skin two tones away or more",
            "the other gender; other hair colour and style, skin two tones away or more",
        ),
        worlds.stranger,
    ),
    Defect(
        "look-alike",
        _IDENTITY,
        (
            "her twin but for the eyes' colour",
            "same hair; other eyes, skin two tones away or more, glasses where she has none or none where she has some",
            "as 2, and another hair style, face, earrings and beard; only gender and hair colour are hers",
        ),
        worlds.look_alike,
    ),
    Defect(
        "two people",
        _PEOPLE,
        ("a small figure at the edge, a fifth of it cut off", "two people side by side", "a third one in front of the two"),
        worlds.two_people,
    ),
    Defect(
        "missing subject",
        _PEOPLE,
        ("most of her is beyond the edge", "the place without her", "an empty studio"),
        worlds.nobody,
    ),
    Defect(
        "wrong hair",
        frozenset({(Criterion.LOOK, "hair"), (Criterion.LOOK, "style"), (Criterion.IDENTITY, "")}),
        ("the style most like hers", "another colour, told apart at a glance", "another colour and an unlike style"),
        worlds.wrong_hair,
    ),
    Defect(
        "wrong outfit",
        _brief("garment", "cloth"),
        ("another garment of the same colour", "another colour, told apart at a glance", "another garment and colour"),
        worlds.wrong_outfit,
    ),
    Defect(
        "wrong scene",
        _brief("scene"),
        (
            "the place most like it",
            "another place, indoors for indoors or outdoors for outdoors",
            "outdoors for indoors, or back",
        ),
        worlds.wrong_scene,
    ),
    Defect(
        "wrong framing",
        frozenset({(Criterion.FRAMING, "")}),
        ("the figure 1.2 times too large or too small", "1.45 times", "1.9 times"),
        worlds.wrong_framing,
    ),
    Defect(
        "wrong light",
        _brief("light"),
        ("a third of the way to the nearest other light", "the nearest other light", "day for night, or back"),
        worlds.wrong_light,
    ),
    Defect("blur", _technical("sharpness"), ("Gaussian, 0.6 % of the side", "1.6 %", "4 %"), _blur),
    Defect("noise", _technical("noise"), ("spread of 6 grey levels", "20", "50"), _noise),
    Defect("banding", _technical("banding"), ("20 levels a channel", "6 levels", "3 levels"), _banding),
    Defect("over-exposure", _technical("exposure", "blank"), ("20 % of the picture burnt out", "60 %", "90 %"), _over),
    Defect(
        "under-exposure",
        _technical("exposure", "blank"),
        ("95 % of the picture below grey level 100", "below 50", "below 15"),
        _under,
    ),
    Defect("blank", _technical("blank"), ("a quarter of the contrast left", "3 % left", "one colour"), _blank),
    Defect("letterbox", _technical("bars"), ("bars over 6 % of a side", "20 %", "45 %"), _letterbox),
    Defect(
        "text overlay",
        _technical("lettering"),
        ("letters of 5 % of the side, half transparent", "10 %, one line", "16 %, three lines"),
        _text,
    ),
    Defect(
        "cut-off head",
        frozenset({(Criterion.FRAMING, "head")}),
        ("the top seventh of the head", "down to the eyes", "the whole head"),
        worlds.cut_off_head,
    ),
    Defect(
        "mirrored duplicate",
        _NOVELTY,
        ("mirrored, 86 % of each side, recoloured by up to 25 %, JPEG 50", "95 %, 8 %, JPEG 75", "mirrored, else exact"),
        _mirror,
        copies=True,
    ),
    Defect(
        "crop duplicate",
        _NOVELTY,
        ("80 % of each side, JPEG 60", "88 %, JPEG 80", "95 %, JPEG 90"),
        _crop,
        copies=True,
    ),
    Defect(
        "unsafe",
        frozenset({(Criterion.SAFETY, "")}),
        ("bare shapes over 45 % of each side", "over 80 %", "the whole picture"),
        _unsafe,
    ),
)

DEFECTS: Mapping[str, Defect] = MappingProxyType({defect.name: defect for defect in _ALL})
