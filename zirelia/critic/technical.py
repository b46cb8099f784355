"""Technical faults that a person sees at once: a blank, blurred, noisy, banded, badly exposed, barred or wrongly sized picture.

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

from zirelia.critic.words import says
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

BLANK_SPREAD = 14.0
BAR_SHARE = 0.04
SIZE_TOLERANCE = 0.02
# Drawings and their softened copies measure up to 1.3, grain of 6 levels in 255 from 4.3; photographs may have a film's grain.
MOST_NOISE = {Kind.ILLUSTRATED: 3.0, Kind.PHOTOGRAPHIC: 8.0}
QUIET_PART, PATCH = 0.25, 8
# Levels that make up 95 per cent of a channel: from 59 in drawings, up to 24 after 32 steps a channel.
COMMON_PART = 0.95
FEWEST_LEVELS = {Kind.ILLUSTRATED: 32, Kind.PHOTOGRAPHIC: 24}
DARK_LIGHT = ("night", "evening", "dusk", "dark", "moonlight", "candlelight", "neon", "low light", "dim")


@dataclass(frozen=True)
class _Exposure:
    """What a well exposed picture keeps, in levels of 255: its brightest twentieth at least `bright` and at most `glare`, its
    darkest twentieth at most `dark`; and the share of clipped samples below `clipped`.
    """

    bright: float
    glare: float
    dark: float
    clipped: float


# Drawings: by day their brightest twentieth lies from 187, by night within 87-187; the darkest up to 121, clipped up to .06.
EXPOSURES = {
    (Kind.ILLUSTRATED, False): _Exposure(150.0, 256.0, 165.0, 0.2),
    (Kind.ILLUSTRATED, True): _Exposure(65.0, 222.0, 165.0, 0.2),
    (Kind.PHOTOGRAPHIC, False): _Exposure(70.0, 256.0, 215.0, 0.45),
    (Kind.PHOTOGRAPHIC, True): _Exposure(40.0, 256.0, 215.0, 0.45),
}


@dataclass(frozen=True)
class _Check:
    """One measured remark in words: higher scores are better; `repair` and `phrase` say what a retry changes."""

    aspect: str
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
        """Size, blank, exposure, bars, banding, noise and sharpness; a blank picture is not looked at any further."""
        luma = _luma(exhibit.image)
        checks = [_size(exhibit), _blank(luma)]
        if checks[-1].passed:
            kind = exhibit.persona.kind
            pixels = np.asarray(exhibit.image.convert("RGB"))
            checks += [
                _exposure(exhibit, luma, pixels),
                _bars(pixels),
                _banding(pixels, kind),
                _noise(exhibit.image, kind),
                self._sharp(exhibit),
            ]
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
        return _Check(
            "sharpness", "sharpness of the subject", sharpness_of(exhibit.image, side), threshold, RepairKind.MORE_STEPS
        )

    def _finding(self, check: _Check) -> Finding:
        because = f"{check.what}: {check.score:.3g}, at least {check.threshold:.3g} asked"
        return Finding(
            criterion=Criterion.TECHNICAL,
            aspect=check.aspect,
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
    return _Check("size", what, min(ratios), 1 - SIZE_TOLERANCE, RepairKind.NOTE, f"make it {named} pixels")


def _blank(luma: NDArray[np.float64]) -> _Check:
    """Spread of the tones in levels of 255, the outer hundredths left away, so that a speck does not save a blank."""
    low, high = np.percentile(luma, (1, 99))
    return _Check("blank", "spread of tones (a blank picture has none)", float(high - low), BLANK_SPREAD, RepairKind.NEW_SEED)


def _exposure(exhibit: Exhibit, luma: NDArray[np.float64], pixels: NDArray[np.uint8]) -> _Check:
    """1 when well exposed for the wanted light, falling to 0: the brightest part too dark or glaring, the darkest too bright,
    or too much of it clipped.
    """
    asked = EXPOSURES[exhibit.persona.kind, any(says(exhibit.shot.light, word) for word in DARK_LIGHT)]
    low, high = (float(level) for level in np.percentile(luma, (5, 95)))
    clipped = float(max((pixels <= 1).mean(), (pixels >= 253).mean()))
    scores = {
        "too dark": high / asked.bright,
        "too bright": (255.0 - low) / (255.0 - asked.dark),
        "glaring": (256.0 - high) / (256.0 - asked.glare) if asked.glare < 256 else 1.0,
        "clipped": (1.0 - clipped) / (1.0 - asked.clipped),
    }
    fault, score = min(scores.items(), key=lambda entry: entry[1])
    named = fault if score < 1 else "fine"
    return _Check("exposure", f"exposure ({named})", min(1.0, score), 1.0, RepairKind.NEW_SEED)


def _bars(pixels: NDArray[np.uint8]) -> _Check:
    """Share of the height or width left between letterbox bars: uniform black or white rows on two opposite edges."""
    left = min(1.0 - _barred(pixels), 1.0 - _barred(pixels.swapaxes(0, 1)))
    return _Check("bars", "share of the picture between bars", left, 1.0 - BAR_SHARE, RepairKind.NEW_SEED)


def _barred(pixels: NDArray[np.uint8]) -> float:
    """Share of rows that belong to a pair of bars at the top and the bottom; 0 unless both edges have one."""
    tone = pixels.mean(axis=(1, 2))
    # by whole numbers: a large picture in fine ones would take a gigabyte
    squares = np.einsum("ijk,ijk->i", pixels, pixels, dtype=np.int64) / (pixels.shape[1] * pixels.shape[2])
    uniform = (squares - tone**2 < 4.0**2) & ((tone < 12.0) | (tone > 243.0))
    if uniform.all():
        return 0.0  # a blank picture is another fault
    top, bottom = int(np.argmin(uniform)), int(np.argmin(uniform[::-1]))
    return (top + bottom) / len(uniform) if top and bottom else 0.0


def _banding(pixels: NDArray[np.uint8], kind: Kind) -> _Check:
    """How many levels make up most of the middle channel: few of them show as bands where tones should run on."""
    shares = np.stack([np.sort(np.bincount(pixels[..., channel].ravel(), minlength=256))[::-1] for channel in range(3)])
    common = (np.cumsum(shares, axis=1) < COMMON_PART * shares.sum(axis=1, keepdims=True)).sum(axis=1) + 1
    what = "distinct tones (few of them show as bands)"
    return _Check("banding", what, float(np.median(common)), float(FEWEST_LEVELS[kind]), RepairKind.MORE_STEPS)


def _noise(image: Image, kind: Kind) -> _Check:
    """How quiet the picture is where it should be flat, as minus the grain in levels of 255; see `noise_of`."""
    what = "quiet of the flat parts (minus the grain in levels)"
    return _Check("noise", what, -noise_of(image, WORKING_SIDE[kind]), -MOST_NOISE[kind], RepairKind.MORE_STEPS)


def noise_of(image: Image, side: int) -> float:
    """Standard deviation of the grain in the quietest quarter of the patches, in levels of 255; 0 for a very small picture.

    Measured at no more than twice `side` pixels on the short side, by the difference of two Laplacians, which neither flat
    areas nor straight edges answer.
    """
    from PIL import Image as Pillow

    scale = 2 * side / min(image.size)
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Pillow.Resampling.LANCZOS)
    levels = np.asarray(image.convert("RGB"), dtype=np.float32)
    across = levels[:, :-2] - 2 * levels[:, 1:-1] + levels[:, 2:]
    grain = (across[:-2] - 2 * across[1:-1] + across[2:]) / 6.0
    rows, columns = grain.shape[0] // PATCH, grain.shape[1] // PATCH
    if not rows or not columns:
        return 0.0
    patches = grain[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH, 3)
    spread = np.sqrt((patches**2).mean(axis=(1, 3))).reshape(-1, 3)
    return float(np.median(np.quantile(spread, QUIET_PART, axis=0)))
