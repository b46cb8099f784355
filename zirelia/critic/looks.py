"""Who is in an illustrated picture and what it shows, by a looks encoder that reads both from the pixels.

    looks = LooksInstrument(encoder, heads=encoder.heads, impostors=encoder.embed(strangers))
    looks.examine(exhibit)

Identity is the cosine to the middle of the persona's references, judged by a threshold calibrated for this persona. An
attribute fails only when its head is sure of another value, and is `not_checked` when the wanted word is none that the head
knows. It does not know the encoder behind the protocol; photographs need other instruments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zirelia.critic.calibration import Calibration, calibrate, centroid
from zirelia.critic.repairs import identity_repair, look_repair
from zirelia.critic.words import Heads, known_word, wanted_traits
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.ports import Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Attributes = Mapping[str, tuple[str, float]]
"""Head → its likeliest value and how sure it is, 0 to 1."""

SURE = 0.8
"""How sure a head must be of another value for a failure; more where it was wrong about the references."""
NEARLY = 0.85
"""Share of the identity threshold from which a picture counts as nearly right."""
KEPT_CALIBRATIONS = 32
ONE_PERSON = "1"


class LooksEncoder(Protocol):
    """What the instrument asks of an encoder; vectors have length 1, so that their dot product is the cosine."""

    @property
    def threshold(self) -> float:
        """Cosine from which two pictures show the same character, for characters in general."""
        ...

    def embed(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Shape [len(images), dimension]."""
        ...

    def attributes(self, images: Sequence[Image]) -> list[dict[str, tuple[str, float]]]: ...


@dataclass(frozen=True)
class _Known:
    """What the references say: the middle, the calibration, and how sure each head must be to contradict them.

    A head that reads another value than the look's in most references is not in `sure`: it does not understand this persona.
    """

    middle: NDArray[np.float32]
    calibration: Calibration
    sure: Mapping[str, float]


class LooksInstrument:
    """Implements `ports.Instrument` for illustrated personas.

    Args:
        encoder: see the protocol. heads: the words that each of its attribute heads tells apart.
        impostors: embeddings of other characters, shape [m, dimension]; m may be 0.
        sure: see SURE, above 0 and at most 1.
    """

    name = "looks"
    criteria = frozenset({Criterion.IDENTITY, Criterion.SUBJECTS, Criterion.FRAMING, Criterion.BRIEF, Criterion.LOOK})

    def __init__(self, encoder: LooksEncoder, *, heads: Heads, impostors: NDArray[np.float32], sure: float = SURE) -> None:
        if not 0 < sure <= 1:
            raise ValueError(f"a head is sure above 0 and up to 1, not {sure}")
        self._encoder = encoder
        self._heads = {head: tuple(words) for head, words in heads.items()}
        self._impostors = impostors
        self._sure = sure
        self._known: dict[str, _Known] = {}

    def calibration(self, exhibit: Exhibit) -> Calibration:
        """The measured line for this persona's references. Raises ValueError without references."""
        return self._learn(exhibit).calibration

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        seen = self._encoder.attributes([exhibit.image])[0]
        people = self._people(seen)
        # with nobody or two people in the picture, whose clothes and hair a head describes is anybody's guess
        alone = people.outcome is not Outcome.FAILED
        return (self._identity(exhibit), people, *self._shot(exhibit, seen, alone), *self._look(exhibit, seen, alone))

    def _identity(self, exhibit: Exhibit) -> Finding:
        if not exhibit.references:
            return self._unchecked(Criterion.IDENTITY, "the persona has no references to compare with")
        known = self._learn(exhibit)
        line = known.calibration
        if not line.separates:
            return self._unchecked(
                Criterion.IDENTITY, f"the encoder refuses {line.false_reject:.0%} of the persona's own references"
            )
        score = float(self._encoder.embed([exhibit.image])[0] @ known.middle)
        passed = score >= line.threshold
        seen = f"likeness to {line.n} references {score:.2f}, this persona's threshold {line.threshold:.2f}"
        near = score >= NEARLY * line.threshold
        return Finding(
            criterion=Criterion.IDENTITY,
            outcome=Outcome.PASSED if passed else Outcome.FAILED,
            instrument=self.name,
            explanation=seen,
            score=score,
            threshold=line.threshold,
            repair=None if passed else identity_repair(exhibit, seen, near=near),
        )

    def _people(self, seen: Attributes) -> Finding:
        wanted = ONE_PERSON if ONE_PERSON in self._heads.get("people", ()) else None
        return self._attribute(Criterion.SUBJECTS, "people", wanted, seen, partial(_repair, RepairKind.ONE_PERSON, ""), "one")

    def _shot(self, exhibit: Exhibit, seen: Attributes, alone: bool) -> list[Finding]:
        shot = exhibit.shot

        asked = [
            (Criterion.FRAMING, "framing", str(shot.framing), RepairKind.NAME_FRAMING),
            (Criterion.BRIEF, "scene", shot.scene, RepairKind.EMPHASISE),
            (Criterion.BRIEF, "light", shot.light, RepairKind.EMPHASISE),
            (Criterion.BRIEF, "garment", shot.outfit, RepairKind.EMPHASISE),
            (Criterion.BRIEF, "cloth", shot.outfit, RepairKind.EMPHASISE),
            (Criterion.BRIEF, "expression", shot.expression, RepairKind.EMPHASISE),
        ]
        findings = []
        for criterion, head, text, kind in asked:
            if not alone and head not in ("scene", "light"):
                findings.append(self._unchecked(criterion, f"{head}: there is not exactly one person to look at"))
                continue
            wanted = known_word(text, self._heads.get(head, ()))
            repair = partial(_repair, kind, text)
            findings.append(self._attribute(criterion, head, wanted, seen, repair, text))
        return findings

    def _look(self, exhibit: Exhibit, seen: Attributes, alone: bool) -> list[Finding]:
        wanted = wanted_traits(exhibit.persona.look, self._heads)
        if not alone or not wanted:
            reason = "no trait of the look is one that the encoder knows" if alone else "there is not exactly one person"
            return [self._unchecked(Criterion.LOOK, reason)]
        sure = self._learn(exhibit).sure if exhibit.references else dict.fromkeys(wanted, self._sure)
        findings = []
        for head, (value, trait) in wanted.items():
            if head not in sure:
                reason = f"{trait.feature}: the encoder does not see {value} in the references either"
                findings.append(self._unchecked(Criterion.LOOK, reason))
                continue
            repair = partial(look_repair, exhibit, trait)
            findings.append(self._attribute(Criterion.LOOK, head, value, seen, repair, sure=sure[head]))
        return findings

    def _attribute(
        self,
        criterion: Criterion,
        head: str,
        wanted: str | None,
        seen: Attributes,
        repair: Callable[[str], Repair],
        text: str | None = None,
        sure: float | None = None,
    ) -> Finding:
        """What one head says of one wanted value."""
        if wanted is None or head not in seen:
            return self._unchecked(criterion, f"{head}: '{text or wanted}' is not among the words that the encoder knows")
        value, certainty = seen[head]
        needed = self._sure if sure is None else sure
        said = f"{head}: {value} seen ({certainty:.2f} sure), {wanted} wanted"
        if value == wanted:
            return Finding(criterion=criterion, outcome=Outcome.PASSED, instrument=self.name, explanation=said)
        if not certainty >= needed:
            return self._unchecked(criterion, f"{said}; {needed:.2f} would be sure")
        return Finding(criterion=criterion, outcome=Outcome.FAILED, instrument=self.name, explanation=said, repair=repair(said))

    def _unchecked(self, criterion: Criterion, reason: str) -> Finding:
        return Finding(criterion=criterion, outcome=Outcome.NOT_CHECKED, instrument=self.name, explanation=reason)

    def _learn(self, exhibit: Exhibit) -> _Known:
        """Learns the references once; again when they, or the look that they are compared with, change."""
        key = _fingerprint(exhibit)
        if key not in self._known:
            while len(self._known) >= KEPT_CALIBRATIONS:
                self._known.pop(next(iter(self._known)))
            own = self._encoder.embed(exhibit.references)
            line = calibrate(own, self._impostors, floor=self._encoder.threshold)
            self._known[key] = _Known(centroid(own), line, self._certainties(exhibit))
        return self._known[key]

    def _certainties(self, exhibit: Exhibit) -> dict[str, float]:
        read = self._encoder.attributes(exhibit.references)
        sure: dict[str, float] = {}
        for head, (value, _) in wanted_traits(exhibit.persona.look, self._heads).items():
            wrong = [attributes[head][1] for attributes in read if attributes[head][0] != value]
            if 2 * len(wrong) <= len(read):
                sure[head] = max(self._sure, *wrong, 0.0)
        return sure


def _repair(kind: RepairKind, phrase: str, because: str) -> Repair:
    return Repair(kind=kind, because=because, phrase=phrase)


def _fingerprint(exhibit: Exhibit) -> str:
    digest = hashlib.sha256(exhibit.persona.look.model_dump_json().encode())
    for reference in exhibit.references:
        digest.update(f"{reference.mode}{reference.size}".encode())
        digest.update(reference.tobytes())
    return digest.hexdigest()
