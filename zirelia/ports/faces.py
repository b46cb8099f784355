"""Who is in a picture: faces, and people told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from zirelia.domain.box import Box
from zirelia.ports.facts import Describable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class Face:
    """One face in a picture. yaw: degrees that the head is turned, 0 towards the camera, positive towards the picture's right;
    None when it cannot be told. embedding: a unit vector. certainty: that it is a face, in the detector's own unit.
    """

    box: Box
    embedding: NDArray[np.float32]
    yaw: float | None = None
    certainty: float = 1.0


class FaceReader(Describable, Protocol):
    """Finds every face in a picture and measures whose it is."""

    @property
    def threshold(self) -> float:
        """The cosine of two embeddings from which two faces are one person's, for people in general."""
        ...

    def faces(self, image: Image) -> Sequence[Face]:
        """All faces, the largest first; none is an answer, not an error."""
        ...


@dataclass(frozen=True)
class Sighting:
    """What a recogniser sees in one picture.

    subjects: how many people; None when it cannot count. face: of the largest one, or the whole subject. embedding: its
    identity, a unit vector; None when no subject was found. attributes: what the picture shows → (value, how sure, 0-1),
    only of those that the recogniser reads reliably.
    """

    subjects: int | None
    face: Box | None
    embedding: NDArray[np.float32] | None
    attributes: dict[str, tuple[str, float]] = field(default_factory=dict)


class Recogniser(Describable, Protocol):
    """Tells people apart by their looks."""

    @property
    def threshold(self) -> float:
        """The cosine of two embeddings from which two pictures show the same person, for people in general."""
        ...

    def see(self, images: Sequence[Image]) -> Sequence[Sighting]: ...
