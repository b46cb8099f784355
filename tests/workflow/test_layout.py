"""Likeness by layout: what counts as the same picture, whoever is in it."""

from __future__ import annotations

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from zirelia.workflow.layout import diversity, likeness, nearest, thumbnail

NOISE = Image.effect_noise((64, 64), 80)
GRADIENT = Image.linear_gradient("L").resize((64, 64))


@pytest.mark.parametrize(
    ("other", "low", "high"),
    [
        (NOISE, 0.999, 1.0),
        (ImageEnhance.Brightness(NOISE).enhance(0.6), 0.99, 1.0),
        (NOISE.resize((128, 128)), 0.99, 1.0),
        (NOISE.filter(ImageFilter.GaussianBlur(1)), 0.9, 1.0),
        (ImageOps.invert(NOISE), 0.0, 0.0),
        (Image.new("L", (64, 64), 128), 0.0, 0.0),
        (GRADIENT, 0.0, 0.4),
    ],
)
def test_likeness(other, low, high):
    assert low <= likeness(thumbnail(NOISE), thumbnail(other)) <= high


def test_the_nearest_of_some_and_of_none():
    assert nearest(thumbnail(NOISE), [thumbnail(GRADIENT), thumbnail(NOISE)]) == pytest.approx(1.0)
    assert nearest(thumbnail(NOISE), []) is None


def test_diversity():
    same, other = thumbnail(NOISE), thumbnail(GRADIENT)
    assert diversity([same]) is None
    assert diversity([same, same]) == 0.0
    assert 0 < diversity([same, same, other]) < diversity([same, other])
