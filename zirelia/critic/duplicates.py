"""Is it a picture that was posted already? Recompressed, resized, mirrored and slightly cropped copies count as the same.

    DuplicatesInstrument().examine(exhibit)[0].score     # distance to the nearest recent picture; 0 is the same

dHash and pHash (of both mirror images) say which recent pictures are near at all; `overlay` then lays those over the new one
and measures, so that another shot in the same scene stays new. It does not know what the pictures show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zirelia.critic.kept import Kept
from zirelia.critic.overlay import Overlay, misfit_of, overlay
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.ports import Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

NEAR = 0.42
"""Share of differing hash bits up to which two pictures are compared in detail; a ten per cent crop differs by up to .35."""
SAME = 0.48
"""Misfit below which two pictures are the same: measured up to .44 for copies, from .54 for other shots of the same scene."""

KEPT_TRACES = 256
"""Recent pictures whose traces are kept, 380 kB each."""


@dataclass(frozen=True)
class _Neighbour:
    """A recent picture beside the new one: its misfit, its post, and whether it fits as a mirror image."""

    distance: float
    post: int
    mirrored: bool


class DuplicatesInstrument:
    """Implements `ports.Instrument`.

    Args:
        distance: smallest misfit with every recent picture that counts as new, above 0.
    """

    name = "duplicates"
    criteria = frozenset({Criterion.NOVELTY})

    def __init__(self, *, distance: float = SAME) -> None:
        if not distance > 0:
            raise ValueError(f"the distance of a duplicate is above 0, not {distance}")
        self._distance = distance
        self._traces: Kept[_Trace] = Kept(KEPT_TRACES)

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """One NOVELTY finding, which names the nearest recent post."""
        from PIL import ImageOps

        sides = (_trace(exhibit.image), _trace(ImageOps.mirror(exhibit.image))) if exhibit.recent else ()
        recent = ((post, self._remembered(image)) for post, image in exhibit.recent)
        neighbours = [near for post, trace in recent if (near := _neighbour(sides, post, trace))]
        if not neighbours:
            seen = f"unlike the {len(exhibit.recent)} recent pictures" if exhibit.recent else "there is no recent picture"
            return (self._finding(Outcome.PASSED, seen, None),)
        nearest = min(neighbours, key=lambda near: near.distance)
        outcome = Outcome.PASSED if nearest.distance >= self._distance else Outcome.FAILED
        likeness = "mirror image of post" if nearest.mirrored else "post"
        verb = "differs from the nearest," if outcome is Outcome.PASSED else "is nearly the same as the"
        seen = f"{verb} {likeness} {nearest.post}: misfit {nearest.distance:.2f}, at least {self._distance:.2f} is new"
        return (self._finding(outcome, seen, nearest.distance),)

    def _remembered(self, image: Image) -> _Trace:
        """The trace of a recent picture, which comes again with every attempt and every post."""
        key = hashlib.blake2b(image.tobytes(), digest_size=16, key=f"{image.mode}{image.size}".encode()).digest()
        return self._traces.get(key, lambda: _trace(image))

    def _finding(self, outcome: Outcome, seen: str, score: float | None) -> Finding:
        return Finding(
            criterion=Criterion.NOVELTY,
            aspect="copy",
            outcome=outcome,
            instrument=self.name,
            explanation=seen,
            score=score,
            threshold=self._distance,
            repair=Repair(kind=RepairKind.OTHER_SETTING, because=seen) if outcome is Outcome.FAILED else None,
        )


@dataclass(frozen=True)
class _Trace:
    """What is compared of a picture: the bits of its hashes, and what is laid over other pictures."""

    bits: NDArray[np.bool_]
    overlay: Overlay


def _trace(image: Image) -> _Trace:
    """DHash and pHash have 128 bits together."""
    import imagehash

    small = image.convert("RGB")
    return _Trace(np.concatenate([imagehash.dhash(small).hash.ravel(), imagehash.phash(small).hash.ravel()]), overlay(small))


def _neighbour(sides: Sequence[_Trace], post: int, recent: _Trace) -> _Neighbour | None:
    """The recent picture as it lies nearest, mirrored or not; None when the hashes already say that it is far away."""
    found = [
        _Neighbour(misfit_of(side.overlay, recent.overlay), post, mirrored)
        for mirrored, side in zip((False, True), sides, strict=True)
        if float((side.bits != recent.bits).mean()) <= NEAR
    ]
    return min(found, key=lambda near: near.distance, default=None)
