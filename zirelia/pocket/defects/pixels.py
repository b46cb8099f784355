"""Faults of the pixels alone, for a picture of any size and any origin: blur, noise, bands, exposure, bars, copies.

    blurred(picture, radius=0.016)        # Gaussian, as a share of the shorter side
    over_exposed(picture, burnt=0.5)      # half of the picture white

Each is a pure function of the picture and its numbers; those that draw by chance take a seeded generator. It knows nothing of
people.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

WHITE = 250.0
"""Grey level from which a pixel counts as burnt out."""
_STEPS = 24

_Enough = Callable[[NDArray[np.float64]], bool]


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    """Gaussian blur; `radius` is its standard deviation as a share of the shorter side."""
    return picture.convert("RGB").filter(ImageFilter.GaussianBlur(radius * min(picture.size)))


def noisy(picture: Image.Image, spread: float, rng: random.Random) -> Image.Image:
    """Gaussian noise of that standard deviation in grey levels; of the colours or, half of the time, of the light alone."""
    pixels = _floats(picture)
    shape = pixels.shape if rng.random() < 0.5 else (*pixels.shape[:2], 1)
    return _picture(pixels + np.random.default_rng(rng.getrandbits(32)).normal(0.0, spread, shape))


def banded(picture: Image.Image, levels: int) -> Image.Image:
    """Every channel in that many equal steps."""
    pixels = _floats(picture)
    return _picture(np.round(pixels / 255 * (levels - 1)) * 255 / (levels - 1))


def over_exposed(picture: Image.Image, burnt: float) -> Image.Image:
    """So much light that the share `burnt` of the picture is white."""
    pixels = _floats(picture)
    return _picture(_gained(pixels, _gain(pixels, lambda luma: float((luma >= WHITE).mean()) >= burnt)))


def under_exposed(picture: Image.Image, brightest: float) -> Image.Image:
    """So little light that 95 per cent of the picture is no brighter than the grey level `brightest`."""
    pixels = _floats(picture)
    level = float(np.percentile(_luma(pixels), 95))
    return _picture(pixels * min(1.0, brightest / max(level, 1.0)))


def faded(picture: Image.Image, contrast: float, rng: random.Random) -> Image.Image:
    """Towards one colour; `contrast` is the share of the picture's own that is left, 0 for nothing but the colour."""
    colour = np.array([rng.randrange(40, 216) for _ in range(3)], dtype=np.float64)
    return _picture(colour + (_floats(picture) - colour) * contrast)


def letterboxed(picture: Image.Image, share: float, rng: random.Random) -> Image.Image:
    """Black or, less often, white bars above and below, or left and right, that take `share` of that side together."""
    upright = rng.random() < 0.6
    length = picture.height if upright else picture.width
    bar = max(1, round(share * length / 2))
    colour = "black" if rng.random() < 0.7 else "white"
    inner = (picture.width, length - 2 * bar) if upright else (length - 2 * bar, picture.height)
    boxed = Image.new("RGB", picture.size, colour)
    boxed.paste(ImageOps.fit(picture.convert("RGB"), inner, Image.Resampling.LANCZOS), (0, bar) if upright else (bar, 0))
    return boxed


def cropped(picture: Image.Image, kept: float, rng: random.Random) -> Image.Image:
    """A part that keeps the share `kept` of both sides, somewhere in the picture, at the picture's own size."""
    width, height = picture.width * kept, picture.height * kept
    left, top = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
    return picture.convert("RGB").resize(picture.size, Image.Resampling.LANCZOS, box=(left, top, left + width, top + height))


def recoloured(picture: Image.Image, amount: float, rng: random.Random) -> Image.Image:
    """Another brightness and saturation, by up to the share `amount`."""
    picture = ImageEnhance.Brightness(picture.convert("RGB")).enhance(1 + rng.uniform(-amount, amount))
    return ImageEnhance.Color(picture).enhance(1 + rng.uniform(-amount, amount))


def mirrored(picture: Image.Image) -> Image.Image:
    return ImageOps.mirror(picture.convert("RGB"))


def unsafe_patch(picture: Image.Image, share: float, rng: random.Random) -> Image.Image:
    """Nothing but shaded spheres, which a classifier of nudity is sure to refuse, over `share` of both sides."""
    whole = picture.convert("RGB").copy()
    width, height = round(picture.width * share), round(picture.height * share)
    at = (rng.randint(0, picture.width - width), rng.randint(0, picture.height - height))
    whole.paste(_spheres().resize((width, height), Image.Resampling.LANCZOS), at)
    return whole


@cache
def _spheres() -> Image.Image:
    rows, columns = np.mgrid[0:256, 0:256]
    tone = np.array((230, 185, 160), dtype=np.float64)
    dark = np.array((190, 110, 100), dtype=np.float64)
    canvas: NDArray[np.float64] = np.ones((256, 256, 3)) * tone * 0.6
    for x, y, radius, colour in ((78, 130, 62, tone), (178, 130, 62, tone), (78, 138, 10, dark), (178, 138, 10, dark)):
        inside = ((columns - x) ** 2 + (rows - y) ** 2) / radius**2
        height = np.sqrt(np.clip(1 - inside, 0, 1))
        shade = np.clip(0.35 + 0.65 * (0.8 * height + 0.3 * (x + y - columns - rows) / radius / 2), 0, 1.1)
        canvas = np.where((inside < 1)[..., None], np.clip(colour * shade[..., None], 0, 255), canvas)
    return _picture(canvas).filter(ImageFilter.GaussianBlur(4))


def _gain(pixels: NDArray[np.float64], enough: _Enough) -> float:
    """The least gain, by bisection between 1 and 256, after which the grey levels are `enough`."""
    low, high = 1.0, 256.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(_luma(_gained(pixels, middle))) else (middle, high)
    return high


def _gained(pixels: NDArray[np.float64], gain: float) -> NDArray[np.float64]:
    # a little light everywhere, so that black clothes burn out too, as they do in a real over-exposure
    gained: NDArray[np.float64] = np.clip((pixels + 4.0) * gain - 4.0, 0, 255)
    return gained


def _luma(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    luma: NDArray[np.float64] = pixels @ np.array((0.299, 0.587, 0.114))
    return luma


def _floats(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(picture.convert("RGB"), dtype=np.float64)


def _picture(pixels: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))
