"""The words that the pocket Flux can draw, as the art director is given them."""

from __future__ import annotations

from zirelia.domain.shot import Framing, ShotVocabulary
from zirelia.pocket import world


def shot_vocabulary() -> ShotVocabulary:
    return ShotVocabulary(
        scenes=world.SCENES,
        outfits=tuple(f"{cloth} {garment}" for cloth in world.CLOTHS for garment in world.GARMENTS),
        expressions=world.EXPRESSIONS,
        framings=tuple(Framing(framing) for framing in world.FRAMINGS),
        lights=world.LIGHTS,
    )
