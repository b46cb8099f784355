"""Who is in an illustrated picture and what it shows, by a looks encoder that reads both from the pixels.

    looks = LooksInstrument(encoder, heads=encoder.heads, impostors=encoder.embed(strangers))
    looks.examine(exhibit)

Identity is the cosine to the middle of the persona's references, judged by a threshold calibrated for this persona; a picture
that contradicts two or more of what nearly all references show, such as skin and eyes, is of a look-alike. An attribute
fails only when its head is sure of another value, and is `not_checked` when the wanted word is none that the head knows. It
does not know the encoder behind the protocol; photographs need other instruments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zirelia.critic.calibration import calibrate, centroid, is_cosine
from zirelia.critic.kept import Kept
from zirelia.critic.kept_lines import fingerprint, kept_line
from zirelia.critic.repairs import identity_repair, look_repair
from zirelia.critic.words import Heads, known_word, wanted_traits
from zirelia.domain.calibration import Calibration
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.ports import CriticMemory, Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Attributes = Mapping[str, tuple[str, float]]
"""Head → its likeliest value and how sure it is, 0 to 1."""

SURE = 0.8
"""How sure a head must be of another value for a failure; more where it was wrong about the references."""
SURE_OF_TRAIT = 0.9
"""The same for one trait of the look: there are eight of them in each picture, so that small errors add up."""
SURE_OF_CUT = 0.6
"""The same for a head that is cut off: drawings with a whole head were read as cut with up to .3."""
NEARLY = 0.85
"""Share of the identity threshold from which a picture counts as nearly right."""
KEPT_CALIBRATIONS = 32
ONE_PERSON = "1"
WHOLE_HEAD = "whole"
CONSTANT = ("gender", "skin", "hair", "style", "eyes", "glasses", "earrings", "beard")
"""Heads that read what stays the same in every picture of a person."""
AGREED = 0.8
"""Share of the references in which a head reads the same value from which that is a constant of the person."""
CONTRADICTED = 2
"""Constants that are surely otherwise from which a picture shows somebody else, however near the embedding is."""


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
    constants: head → the value that nearly all references show.
    """

    middle: NDArray[np.float32]
    calibration: Calibration
    sure: Mapping[str, float]
    constants: Mapping[str, str]


class LooksInstrument:
    """Implements `ports.Instrument` for illustrated personas.

    Args:
        encoder: see the protocol. heads: the words that each of its attribute heads tells apart.
        impostors: embeddings of other characters, shape [m, dimension]; m may be 0.
        sure: see SURE, above 0 and at most 1.
        embedder: the encoder's name and version, under which calibrations are kept.
        memory: keeps calibrations from one run to the next; without it each run measures its own.
    """

    name = "looks"
    criteria = frozenset({Criterion.IDENTITY, Criterion.SUBJECTS, Criterion.FRAMING, Criterion.BRIEF, Criterion.LOOK})

    def __init__(
        self,
        encoder: LooksEncoder,
        *,
        heads: Heads,
        impostors: NDArray[np.float32],
        sure: float = SURE,
        embedder: str = "looks",
        memory: CriticMemory | None = None,
    ) -> None:
        if not 0 < sure <= 1:
            raise ValueError(f"a head is sure above 0 and up to 1, not {sure}")
        self._encoder = encoder
        self._heads = {head: tuple(words) for head, words in heads.items()}
        self._impostors = impostors
        self._sure = sure
        self._embedder = embedder
        self._memory = memory
        self._known: Kept[_Known] = Kept(KEPT_CALIBRATIONS)

    def calibration(self, exhibit: Exhibit) -> Calibration:
        """The measured line for this persona's references. Raises ValueError without references."""
        return self._learn(exhibit).calibration

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        seen = self._encoder.attributes([exhibit.image])[0]
        people = self._people(seen)
        # with nobody or two people in the picture, whose clothes and hair a head describes is anybody's guess
        alone = people.outcome is not Outcome.FAILED
        return (
            self._identity(exhibit, seen if alone else {}),
            people,
            *self._head(seen, alone),
            *self._shot(exhibit, seen, alone),
            *self._look(exhibit, seen, alone),
        )

    def _identity(self, exhibit: Exhibit, seen: Attributes) -> Finding:
        if not exhibit.references:
            return self._unchecked(Criterion.IDENTITY, "likeness", "the persona has no references to compare with")
        known = self._learn(exhibit)
        line = known.calibration
        if not line.separates:
            reason = f"the encoder refuses {line.false_reject:.0%} of the persona's own references"
            return self._unchecked(Criterion.IDENTITY, "likeness", reason)
        score = float(self._encoder.embed([exhibit.image])[0] @ known.middle)
        if not is_cosine(score):
            return self._unchecked(Criterion.IDENTITY, "likeness", "the encoder's numbers are no unit vector")
        others = self._contradictions(known, seen)
        passed = score >= line.threshold and len(others) < CONTRADICTED
        said = f"likeness to {line.n} references {score:.2f}, this persona's threshold {line.threshold:.2f}"
        if len(others) >= CONTRADICTED:
            said += f"; unlike the references in {', '.join(others)}"
        near = NEARLY * line.threshold <= score < line.threshold
        return Finding(
            criterion=Criterion.IDENTITY,
            aspect="likeness",
            outcome=Outcome.PASSED if passed else Outcome.FAILED,
            instrument=self.name,
            explanation=said,
            score=score,
            threshold=line.threshold,
            repair=None if passed else identity_repair(exhibit, said, near=near),
        )

    def _contradictions(self, known: _Known, seen: Attributes) -> list[str]:
        """The constants of the person that the picture surely shows otherwise."""
        return [
            f"{head} ({seen[head][0]} for {value})"
            for head, value in known.constants.items()
            if head in seen and seen[head][0] != value and seen[head][1] >= self._sure
        ]

    def _people(self, seen: Attributes) -> Finding:
        wanted = ONE_PERSON if ONE_PERSON in self._heads.get("people", ()) else None
        return self._attribute(Criterion.SUBJECTS, "people", wanted, seen, partial(_repair, RepairKind.ONE_PERSON, ""), "one")

    def _head(self, seen: Attributes, alone: bool) -> list[Finding]:
        """Whether the head is in the picture as a whole; nothing from an encoder that does not know."""
        if WHOLE_HEAD not in self._heads.get("head", ()):
            return []
        # without a head in the picture the count of people is uncertain, so a cut is told whatever that count is
        if not alone and seen.get("head", ("", 0.0))[0] == WHOLE_HEAD:
            return [self._unchecked(Criterion.FRAMING, "head", "head: there is not exactly one person to look at")]
        repair = partial(_repair, RepairKind.NAME_FRAMING, "the whole head in the picture")
        return [self._attribute(Criterion.FRAMING, "head", WHOLE_HEAD, seen, repair, WHOLE_HEAD, SURE_OF_CUT)]

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
                findings.append(self._unchecked(criterion, head, f"{head}: there is not exactly one person to look at"))
                continue
            wanted = known_word(text, self._heads.get(head, ()))
            repair = partial(_repair, kind, text)
            findings.append(self._attribute(criterion, head, wanted, seen, repair, text))
        return findings

    def _look(self, exhibit: Exhibit, seen: Attributes, alone: bool) -> list[Finding]:
        wanted = wanted_traits(exhibit.persona.look, self._heads)
        if not alone or not wanted:
            reason = "no trait of the look is one that the encoder knows" if alone else "there is not exactly one person"
            return [self._unchecked(Criterion.LOOK, "traits", reason)]
        sure = self._learn(exhibit).sure if exhibit.references else dict.fromkeys(wanted, max(self._sure, SURE_OF_TRAIT))
        findings = []
        for head, (value, trait) in wanted.items():
            if head not in sure:
                reason = f"{trait.feature}: the encoder does not see {value} in the references either"
                findings.append(self._unchecked(Criterion.LOOK, head, reason))
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
            return self._unchecked(criterion, head, f"{head}: '{text or wanted}' is not among the words that the encoder knows")
        value, certainty = seen[head]
        if not 0 <= certainty < 1.01:
            return self._unchecked(criterion, head, f"{head}: the encoder's certainty is no probability")
        needed = self._sure if sure is None else sure
        said = f"{head}: {value} seen ({certainty:.2f} sure), {wanted} wanted"
        if value != wanted and not certainty >= needed:
            return self._unchecked(criterion, head, f"{said}; {needed:.2f} would be sure")
        passed = value == wanted
        return Finding(
            criterion=criterion,
            aspect=head,
            outcome=Outcome.PASSED if passed else Outcome.FAILED,
            instrument=self.name,
            explanation=said,
            repair=None if passed else repair(said),
        )

    def _unchecked(self, criterion: Criterion, aspect: str, reason: str) -> Finding:
        return Finding(
            criterion=criterion, aspect=aspect, outcome=Outcome.NOT_CHECKED, instrument=self.name, explanation=reason
        )

    def _learn(self, exhibit: Exhibit) -> _Known:
        """Learns the references once; again when they, or the look that they are compared with, change."""

        def learnt() -> _Known:
            own = self._encoder.embed(exhibit.references)
            read = self._encoder.attributes(exhibit.references)
            line = self._calibrated(exhibit, own)
            return _Known(centroid(own), line, self._certainties(exhibit, read), self._constants(read))

        return self._known.get(exhibit.persona.look.model_dump_json() + fingerprint(exhibit.references), learnt)

    def _calibrated(self, exhibit: Exhibit, own: NDArray[np.float32]) -> Calibration:
        """The kept calibration of these embeddings among these impostors, or a new one, which is kept."""
        digest = hashlib.sha256(f"{self._embedder} {self._encoder.threshold!r} {own.shape}".encode())
        digest.update(np.ascontiguousarray(own.round(4)).tobytes())
        digest.update(np.ascontiguousarray(self._impostors.round(4)).tobytes())
        measure = partial(calibrate, own, self._impostors, floor=self._encoder.threshold, embedder=self._embedder)
        return kept_line(self._memory, digest.hexdigest(), exhibit.persona.name, measure)

    def _certainties(self, exhibit: Exhibit, read: Sequence[Attributes]) -> dict[str, float]:
        sure: dict[str, float] = {}
        for head, (value, _) in wanted_traits(exhibit.persona.look, self._heads).items():
            wrong = [attributes[head][1] for attributes in read if attributes[head][0] != value]
            if 2 * len(wrong) <= len(read):
                sure[head] = max(self._sure, SURE_OF_TRAIT, *wrong)
        return sure

    def _constants(self, read: Sequence[Attributes]) -> dict[str, str]:
        constants: dict[str, str] = {}
        for head in CONSTANT:
            if head in self._heads:
                values = [attributes[head][0] for attributes in read if head in attributes]
                usual = max(set(values), key=values.count, default="")
                if usual and values.count(usual) >= AGREED * len(read):
                    constants[head] = usual
        return constants


def _repair(kind: RepairKind, phrase: str, because: str) -> Repair:
    return Repair(kind=kind, because=because, phrase=phrase)
