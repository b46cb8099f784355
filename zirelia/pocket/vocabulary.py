"""The words that the pocket Flux can draw, as the art director is given them."""

from __future__ import annotations

from zirelia.domain.shot import Framing, ShotVocabulary
from zirelia.pocket import world

DRAWN_WELL = ("t-shirt", "blazer")
"""Garments that the shipped weights draw as asked (6 and 8 of 8). Sweaters (4), hoodies (3) and tank tops (0) come out as
something else too often, and would only be sent back by the critic."""


def shot_vocabulary() -> ShotVocabulary:
    return ShotVocabulary(
        scenes=world.SCENES,
        outfits=tuple(f"{cloth} {garment}" for cloth in world.CLOTHS for garment in DRAWN_WELL),
        expressions=world.EXPRESSIONS,
        framings=tuple(Framing(framing) for framing in world.FRAMINGS),
        lights=world.LIGHTS,
    )
