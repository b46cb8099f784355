"""Who is in a photograph, how many people, and how near: by the faces that a reader finds.

    photographs = PhotographsInstrument(FaceRecogniser(), impostors=Impostors(reader, strangers=[folder]), memory=store)
    photographs.examine(exhibit)

Identity is the cosine of the best face to the middle of the persona's references, against a line measured for this persona
and this reader, laxer for a turned head. What the reader cannot see (a view from behind, a far profile, a face too small) is
`not_checked`, never passed. It knows no hair, clothes or bodies, and takes the largest face of a reference for the persona's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zirelia.critic.calibration import calibrate, centroid, is_cosine
from zirelia.critic.impostors import Impostors
from zirelia.critic.kept import Kept
from zirelia.critic.kept_lines import fingerprint, kept_line
from zirelia.critic.repairs import identity_repair
from zirelia.domain.box import Box
from zirelia.domain.calibration import Calibration
from zirelia.domain.shot import Framing
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.ports import CriticMemory, Exhibit, Face, FaceReader

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLIND_BEYOND = 60.0
"""Degrees of yaw beyond which no line is known to hold."""
NEAR = 1.2
"""How much further from the middle (1 - cosine) than the line allows a face is still nearly right."""
PASSER_BY = 1 / 16
"""A second face counts against the brief from this share of the persona's face; smaller ones stand in the background."""
SHARES = {Framing.CLOSE_UP: (0.18, 1.0), Framing.HALF_BODY: (0.06, 0.42), Framing.FULL_BODY: (0.0, 0.2)}
"""How tall the face, brow to chin, is beside the picture: the least and the most for each framing."""
EDGE = 0.002
"""A face that reaches this close to the picture's edge, in shares of it, is cut off."""
KEPT_PERSONAS = 32
_AWAY = re.compile(
    r"\b(from behind|from the (back|side)|(back|turned) (to|from) (the )?(camera|viewer)|profile|facing away|look(s|ing) away"
    r"|turned away|over (her|his|their) shoulder)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Known:
    """The middle of the references' faces and the line around it; `faceless`: references in which no face was found."""

    middle: NDArray[np.float32]
    calibration: Calibration
    faceless: int


class PhotographsInstrument:
    """Implements `ports.Instrument` for photographic personas.

    Args:
        impostors: other people's faces. memory: keeps the calibrations across runs. blind_beyond: see BLIND_BEYOND, which is
            dlib's; a reader that knows profiles may say more.
    """

    name = "photographs"
    criteria = frozenset({Criterion.IDENTITY, Criterion.SUBJECTS, Criterion.FRAMING})

    def __init__(
        self,
        reader: FaceReader,
        *,
        impostors: Impostors | None = None,
        memory: CriticMemory | None = None,
        blind_beyond: float = BLIND_BEYOND,
    ) -> None:
        self._reader = reader
        self._impostors = impostors
        self._memory = memory
        self._blind_beyond = blind_beyond
        self._known: Kept[_Known | None] = Kept(KEPT_PERSONAS)

    def calibration(self, exhibit: Exhibit) -> Calibration | None:
        """The measured line for this persona's references; None when no face is found in any of them."""
        known = self._learn(exhibit)
        return known.calibration if known else None

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        known = self._learn(exhibit)
        faces = self._reader.faces(exhibit.image)
        if not faces:
            return self._nobody(exhibit)
        # without known references the largest face is taken for hers
        hers = max(faces, key=lambda face: float(face.embedding @ known.middle)) if known else faces[0]
        others = [face for face in faces if face is not hers]
        return (self._identity(exhibit, known, hers), self._people(hers, others), *self._framing(exhibit, hers))

    def _nobody(self, exhibit: Exhibit) -> tuple[Finding, ...]:
        """A face that is missing is a fault where the shot must show one."""
        framing, pose = exhibit.shot.framing, exhibit.shot.pose
        said = "no face was found"
        if _AWAY.search(pose):
            said += f"; the shot asks for '{pose}', in which this reader finds none"
            repair = Repair(kind=RepairKind.REMOVE_WORDS, because=said, phrase=pose)
        elif framing is Framing.FULL_BODY:
            said += "; in a full body it may be too small"
            repair = Repair(kind=RepairKind.CLOSER_FRAMING, because=said)
        else:
            said += f" in a {framing}"
            repair = Repair(kind=RepairKind.NEW_SEED, because=said)
            missing = self._finding(Criterion.SUBJECTS, Outcome.FAILED, said, aspect="people", repair=repair)
            return (
                self._unchecked(Criterion.IDENTITY, said, "face"),
                missing,
                self._unchecked(Criterion.FRAMING, said, "head"),
            )
        asked = ((Criterion.IDENTITY, "face"), (Criterion.SUBJECTS, "people"), (Criterion.FRAMING, "head"))
        return tuple(self._unchecked(criterion, said, aspect, repair=repair) for criterion, aspect in asked)

    def _identity(self, exhibit: Exhibit, known: _Known | None, face: Face) -> Finding:
        if known is None:
            count = len(exhibit.references)
            reason = f"no face was found in any of the {count} references" if count else "the persona has no references"
            return self._unchecked(Criterion.IDENTITY, reason, "face", face.box)
        line = known.calibration
        if not line.separates:
            reason = f"the reader refuses {line.false_reject:.0%} of the persona's own references"
            return self._unchecked(Criterion.IDENTITY, reason, "face", face.box)
        turned = "" if face.yaw is None else f", head turned {abs(face.yaw):.0f}°"
        # worded so that a yaw that is not a number is refused too
        if face.yaw is not None and not abs(face.yaw) <= self._blind_beyond:
            reason = f"nobody can be told by this reader beyond {self._blind_beyond:.0f}°{turned}"
            repair = Repair(kind=RepairKind.NEW_SEED, because=reason)
            return self._unchecked(Criterion.IDENTITY, reason, "face", face.box, repair=repair)
        score, least = float(face.embedding @ known.middle), line.line(face.yaw)
        if not is_cosine(score):
            return self._unchecked(Criterion.IDENTITY, "the reader's numbers are no unit vector", "face", face.box)
        said = f"likeness to {line.n} references {score:.3f}, the line{turned} {least:.3f}"
        if known.faceless:
            said += f"; {known.faceless} more references show no face"
        passed = score >= least
        return self._finding(
            Criterion.IDENTITY,
            Outcome.PASSED if passed else Outcome.FAILED,
            said,
            aspect="face",
            region=face.box,
            score=score,
            threshold=least,
            repair=None if passed else identity_repair(exhibit, said, near=1 - score <= NEAR * (1 - least)),
        )

    def _people(self, hers: Face, others: Sequence[Face]) -> Finding:
        counted = [face for face in others if face.box.area >= PASSER_BY * hers.box.area]
        if counted:
            where = ", ".join(_where(face.box) for face in counted)
            said = f"{len(counted) + 1} people, one wanted; besides the persona: {where}"
            repair = Repair(kind=RepairKind.ONE_PERSON, because=said)
            first = counted[0].box
            return self._finding(Criterion.SUBJECTS, Outcome.FAILED, said, aspect="people", region=first, repair=repair)
        far = f"; {len(others)} small faces in the background" if others else ""
        return self._finding(Criterion.SUBJECTS, Outcome.PASSED, f"one person{far}", aspect="people")

    def _framing(self, exhibit: Exhibit, face: Face) -> tuple[Finding, Finding]:
        framing, box = exhibit.shot.framing, face.box
        cut = min(box.left, box.top, 1 - box.right, 1 - box.bottom) <= EDGE
        tall, (least, most) = box.bottom - box.top, SHARES[framing]
        fits = least <= tall <= most
        head = "the face is cut off at the picture's edge" if cut else "the face is whole"
        share = f"the face takes {tall:.0%} of the picture's height; a {framing} has {least:.0%} to {most:.0%}"
        return self._framed(exhibit, "head", head, cut, box), self._framed(exhibit, "distance", share, not fits, box)

    def _framed(self, exhibit: Exhibit, aspect: str, said: str, wrong: bool, box: Box) -> Finding:
        repair = Repair(kind=RepairKind.NAME_FRAMING, because=said, phrase=str(exhibit.shot.framing)) if wrong else None
        outcome = Outcome.FAILED if wrong else Outcome.PASSED
        return self._finding(Criterion.FRAMING, outcome, said, aspect=aspect, region=box, repair=repair)

    def _unchecked(
        self, criterion: Criterion, reason: str, aspect: str, region: Box | None = None, *, repair: Repair | None = None
    ) -> Finding:
        return self._finding(criterion, Outcome.NOT_CHECKED, reason, aspect=aspect, region=region, repair=repair)

    def _finding(
        self,
        criterion: Criterion,
        outcome: Outcome,
        said: str,
        *,
        aspect: str,
        region: Box | None = None,
        repair: Repair | None = None,
        score: float | None = None,
        threshold: float | None = None,
    ) -> Finding:
        return Finding(
            criterion=criterion,
            outcome=outcome,
            instrument=self.name,
            explanation=said,
            aspect=aspect,
            region=region,
            repair=repair,
            score=score,
            threshold=threshold,
        )

    def _learn(self, exhibit: Exhibit) -> _Known | None:
        """Reads the references once; again when they change. None when no face is found in them."""
        key = self._key(exhibit)
        return self._known.get(key, lambda: self._read(exhibit, key))

    def _read(self, exhibit: Exhibit, key: str) -> _Known | None:
        found = [faces[0] for faces in map(self._reader.faces, exhibit.references) if faces]
        if not found:
            return None
        own = np.stack([face.embedding for face in found])
        name, yaws = exhibit.persona.name, [face.yaw for face in found]
        line = kept_line(self._memory, key, name, lambda: self._measure(name, own, yaws))
        return _Known(centroid(own), line, len(exhibit.references) - len(found))

    def _measure(self, persona: str, own: NDArray[np.float32], yaws: Sequence[float | None]) -> Calibration:
        strangers = self._impostors.embeddings(but=persona) if self._impostors else np.zeros((0, 0), dtype=np.float32)
        facts = self._reader.facts()
        return calibrate(own, strangers, floor=self._reader.threshold, embedder=f"{facts.backend} {facts.model}", yaws=yaws)

    def _key(self, exhibit: Exhibit) -> str:
        """Everything that decides the calibration: the reader, the references and the bank."""
        facts = self._reader.facts()
        digest = hashlib.sha256(f"{self.name} 1 {facts.backend} {facts.model} {self._reader.threshold}".encode())
        digest.update(self._impostors.fingerprint(but=exhibit.persona.name).encode() if self._impostors else b"")
        digest.update(fingerprint(exhibit.references).encode())
        return digest.hexdigest()


def _where(box: Box) -> str:
    across = ("left", "middle", "right")[min(2, int((box.left + box.right) / 2 * 3))]
    down = ("upper", "central", "lower")[min(2, int((box.top + box.bottom) / 2 * 3))]
    return f"a face in the {down} {across}"
