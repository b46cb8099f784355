"""Tells illustrated characters apart by a looks encoder, behind the port that the curator of training pictures asks.

    recogniser = LooksRecogniser(encoder, heads={"people": ("0", "1", "2"), "scene": SCENES})
    recogniser.see([picture])[0].subjects        # 1

Only the heads that it is given are believed; without the head 'people' it cannot count. It finds no boxes, and does not know
the encoder behind the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zirelia.critic.looks import LooksEncoder
from zirelia.critic.words import Heads
from zirelia.ports import BackendFacts, Sighting

if TYPE_CHECKING:
    from PIL.Image import Image

PEOPLE = "people"


class LooksRecogniser:
    """Implements `ports.Recogniser` for illustrated personas.

    Args:
        encoder: see `critic.looks.LooksEncoder`. heads: those of its attribute heads that read reliably, with their words.
        model: the encoder's name, for `doctor`.
    """

    def __init__(self, encoder: LooksEncoder, heads: Heads, *, model: str = "looks") -> None:
        self._encoder = encoder
        self._heads = frozenset(heads)
        self._model = model

    @property
    def threshold(self) -> float:
        return self._encoder.threshold

    def facts(self) -> BackendFacts:
        details = {"threshold": f"{self.threshold:.3f}", "heads": ", ".join(sorted(self._heads))}
        return BackendFacts(backend="looks encoder", model=self._model, local=True, paid=False, details=details)

    def see(self, images: Sequence[Image]) -> Sequence[Sighting]:
        """One sighting a picture; `attributes` holds every reliable head but that which counts."""
        if not images:
            return ()
        embeddings, read = self._encoder.embed(images), self._encoder.attributes(images)
        sightings = []
        for embedding, said in zip(embeddings, read, strict=True):
            subjects = int(said[PEOPLE][0]) if PEOPLE in self._heads else None
            seen = {head: value for head, value in said.items() if head in self._heads and head != PEOPLE}
            sightings.append(
                Sighting(subjects=subjects, face=None, embedding=None if subjects == 0 else embedding, attributes=seen)
            )
        return tuple(sightings)
