"""Technical faults that a person sees at once: a blank, blurred, badly exposed, barred or wrongly sized picture.

    TechnicalInstrument().examine(exhibit)

Sharpness is the variance of the Laplacian over the variance of the luma in the middle of the picture, where the subject
stands, so that neither contrast nor size changes it; its threshold comes from the persona's references where there are
enough of them, else from the persona's kind. numpy and Pillow only. It does not know what the picture shows.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zirelia.domain.persona import Kind
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.ports import Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

# The short side at which sharpness is measured: what the small illustrated model resolves, and what a phone shows.
WORKING_SIDE = {Kind.ILLUSTRATED: 128, Kind.PHOTOGRAPHIC: 512}
# Soft generated illustrations measure .125 and more, the same pictures blurred by two pixels .03 and less.
DEFAULT_SHARPNESS = {Kind.ILLUSTRATED: 0.07, Kind.PHOTOGRAPHIC: 0.004}
# References are crisper than generated pictures, so only a part of their sharpness is asked, within these bounds.
REFERENCE_SHARE = 0.07
REFERENCE_BOUNDS = (0.5, 1.5)
ENOUGH_REFERENCES = 3

BLANK_SPREAD = 6.0
DARKEST_BRIGHT_PART = 40.0
BRIGHTEST_DARK_PART = 215.0
CLIPPED = 0.6
BAR_SHARE = 0.04
MIN_TONES = 16
SIZE_TOLERANCE = 0.02


@dataclass(frozen=True)
class _Check:
    """One measured remark in words: higher scores are better; `repair` and `phrase` say what a retry changes."""

    what: str
    score: float
    threshold: float
    repair: RepairKind
    phrase: str = ""

    @property
    def passed(self) -> bool:
        return self.score >= self.threshold


class TechnicalInstrument:
    """Implements `ports.Instrument`; one TECHNICAL finding per check, so that each names its own repair.

    Args:
        sharpness: a threshold that replaces the calibrated one, in the unit of `sharpness_of`.
    """

    name = "technical"
    criteria = frozenset({Criterion.TECHNICAL})

    def __init__(self, *, sharpness: float | None = None) -> None:
        self._sharpness = sharpness

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """Findings for size, blank, exposure, bars, banding and sharpness; a blank picture is not looked at any further."""
        luma = _luma(exhibit.image)
        checks = [_size(exhibit), _blank(luma)]
        if checks[-1].passed:
            checks += [_exposure(luma), _bars(exhibit.image), _tones(luma), self._sharp(exhibit)]
        return tuple(self._finding(check) for check in checks)

    def _sharp(self, exhibit: Exhibit) -> _Check:
        sides = [min(picture.size) for picture in (exhibit.image, *exhibit.references)]
        enough = len(exhibit.references) >= ENOUGH_REFERENCES
        kind = exhibit.persona.kind
        # references tell how sharp this persona is at any size up to the largest at which all of them can be compared
        side = min(*sides, WORKING_SIDE[Kind.PHOTOGRAPHIC]) if enough else min(sides[0], WORKING_SIDE[kind])
        threshold = self._sharpness or DEFAULT_SHARPNESS[kind]
        if enough and self._sharpness is None:
            usual = statistics.median(sharpness_of(reference, side) for reference in exhibit.references)
            low, high = (bound * threshold for bound in REFERENCE_BOUNDS)
            threshold = min(high, max(low, REFERENCE_SHARE * usual))
        return _Check("sharpness of the subject", sharpness_of(exhibit.image, side), threshold, RepairKind.MORE_STEPS)

    def _finding(self, check: _Check) -> Finding:
        because = f"{check.what}: {check.score:.3g}, at least {check.threshold:.3g} asked"
        return Finding(
            criterion=Criterion.TECHNICAL,
            outcome=Outcome.PASSED if check.passed else Outcome.FAILED,
            instrument=self.name,
            explanation=because,
            score=check.score,
            threshold=check.threshold,
            repair=None if check.passed else Repair(kind=check.repair, because=because, phrase=check.phrase),
        )


def sharpness_of(image: Image, side: int) -> float:
    """Variance of the Laplacian over the variance of the luma in the middle, at `side` pixels on the short side; 0 when flat.

    A picture whose short side is smaller is measured as it is: enlarging would only blur it.
    """
    from PIL import Image as Pillow

    scale = side / min(image.size)
    if scale < 1:
        image = image.resize(
            (max(3, round(image.width * scale)), max(3, round(image.height * scale))), Pillow.Resampling.LANCZOS
        )
    luma = _luma(image)
    height, width = luma.shape
    middle = luma[int(height * 0.15) : int(height * 0.85), int(width * 0.2) : int(width * 0.8)]
    if min(middle.shape) < 3:
        return 0.0
    centre = middle[1:-1, 1:-1]
    laplacian = middle[1:-1, :-2] + middle[1:-1, 2:] + middle[:-2, 1:-1] + middle[2:, 1:-1] - 4 * centre
    return float(laplacian.var() / max(float(middle.var()), 1.0))


def _luma(image: Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("L"), dtype=np.float64)


def _size(exhibit: Exhibit) -> _Check:
    """How near the picture is to the wanted size: 1 when equal, the smaller ratio of the two sides otherwise."""
    wanted = (exhibit.prompt.width, exhibit.prompt.height)
    ratios = [min(got / want, want / got) for got, want in zip(exhibit.image.size, wanted, strict=True)]
    named = f"{wanted[0]}x{wanted[1]}"
    width, height = exhibit.image.size
    what = f"size {width}x{height} beside the wanted {named}"
    return _Check(what, min(ratios), 1 - SIZE_TOLERANCE, RepairKind.NOTE, f"make it {named} pixels")


def _blank(luma: NDArray[np.float64]) -> _Check:
    """Spread of the tones in levels of 255, the outer hundredths left away, so that a speck does not save a blank."""
    low, high = np.percentile(luma, (1, 99))
    return _Check("spread of tones (a blank picture has none)", float(high - low), BLANK_SPREAD, RepairKind.NEW_SEED)


def _exposure(luma: NDArray[np.float64]) -> _Check:
    """1 when well exposed, falling to 0: the brightest parts too dark, the darkest too bright, or most of it clipped."""
    low, high = np.percentile(luma, (5, 95))
    clipped = float(max((luma <= 2).mean(), (luma >= 253).mean()))
    bright_enough = min(1.0, float(high) / DARKEST_BRIGHT_PART)
    dark_enough = min(1.0, (255.0 - float(low)) / (255.0 - BRIGHTEST_DARK_PART))
    unclipped = min(1.0, (1.0 - clipped) / (1.0 - CLIPPED))
    fault = "too dark" if bright_enough < 1 else "too bright" if dark_enough < 1 else "clipped" if unclipped < 1 else "fine"
    return _Check(f"exposure ({fault})", min(bright_enough, dark_enough, unclipped), 1.0, RepairKind.NEW_SEED)


def _bars(image: Image) -> _Check:
    """Share of the height or width left between letterbox bars: uniform black or white rows on two opposite edges."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    left = min(1.0 - _barred(pixels), 1.0 - _barred(pixels.swapaxes(0, 1)))
    return _Check("share of the picture between bars", left, 1.0 - BAR_SHARE, RepairKind.NEW_SEED)


def _barred(pixels: NDArray[np.float64]) -> float:
    """Share of rows that belong to a pair of bars at the top and the bottom; 0 unless both edges have one."""
    tone = pixels.mean(axis=(1, 2))
    uniform = (pixels.std(axis=(1, 2)) < 4.0) & ((tone < 12.0) | (tone > 243.0))
    if uniform.all():
        return 0.0  # a blank picture is another fault
    top, bottom = int(np.argmin(uniform)), int(np.argmin(uniform[::-1]))
    return (top + bottom) / len(uniform) if top and bottom else 0.0


def _tones(luma: NDArray[np.float64]) -> _Check:
    """How many grey levels hold at least a thousandth of the pixels; few of them show as bands."""
    shares = np.bincount(luma.astype(np.int64).ravel(), minlength=256) / luma.size
    tones = float((shares >= 0.001).sum())
    return _Check("distinct tones (few of them show as bands)", tones, float(MIN_TONES), RepairKind.MORE_STEPS)
