"""Which pictures of a set are fit to train one person on, and what is wrong with each of the others.

    curator = SetCurator(FaceRecogniser(), safety=SafetyInstrument(), kind=Kind.PHOTOGRAPHIC)
    opinions = curator.examine([Submission("IMG_1.jpg", picture), ...], side=1024, progress=progress)
    opinions[0].faults        # (): fit; else what was found, with score and threshold

Every picture gets every fault that it has. How one is measured:

- exactly one subject. What a recogniser that cannot count leaves open is NOT_CHECKED, but in cells that ask for a full body or
  a view from behind. In a full body where it finds nobody the face may be too small: NOT_CHECKED, since identity is unknown.
  From behind nobody can be recognised: such a picture passes without identity, and only several subjects are a fault.
- identity by `likeness`: against the anchors, else against the others of the set; more laxly where the cell asks for a profile.
  Only pictures with one subject take part. Fewer than three without anchors: NOT_CHECKED.
- sharpness on the face as large as the training sees it, up to 128 pixels; on the middle of the picture where there is no face.
- near copies by `near_copies`; of two the one with fewer faults stays, of equal ones the sharper. Copies of anchors never stay,
  and anchors count only where they show one person.
- safety by a classifier.

Whatever fails while it measures makes NOT_CHECKED, never a pass. It does not know where the pictures came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zirelia.critic.copies import Copy, near_copies
from zirelia.critic.likeness import Likeness, likeness
from zirelia.critic.technical import DEFAULT_SHARPNESS, WORKING_SIDE, sharpness_of
from zirelia.domain.box import Box
from zirelia.domain.dataset import Fault, FaultKind
from zirelia.domain.persona import Kind
from zirelia.domain.shot import Framing
from zirelia.domain.shotlist import Cell, Yaw
from zirelia.ports import BackendFacts, Opinion, Progress, Recogniser, Sighting, Submission

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

BATCH = 16
FACE_SIDE = 128
FACE_SHARPNESS = 0.03
"""Of a face of 128 pixels, in the unit of `sharpness_of`: crisp ones measure .8 and more, softened by two pixels .02."""
CLASSIFIED = 512
SMALLEST = 32
"""Below this many pixels a picture is too small to be looked at at all."""


class SafetyClassifier(Protocol):
    """What the curator asks of a classifier; `critic.safety.SafetyInstrument` is one."""

    @property
    def threshold(self) -> float: ...

    def safe(self, image: Image) -> float:
        """The probability, 0 to 1, that a picture is fit for everybody."""
        ...


@dataclass
class _Look:
    """What is known of one submission so far."""

    name: str
    image: Image
    cell: Cell | None
    sighting: Sighting | None = None
    sharpness: float = 0.0
    identity: float | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def from_behind(self) -> bool:
        return self.cell is not None and self.cell.yaw is Yaw.BACK

    @property
    def full_body(self) -> bool:
        return self.cell is not None and self.cell.shot.framing is Framing.FULL_BODY

    @property
    def turned(self) -> bool:
        return self.cell is not None and not self.cell.yaw.frontal

    @property
    def face(self) -> Box | None:
        return self.sighting.face if self.sighting else None

    @property
    def comparable(self) -> NDArray[np.float32] | None:
        """The embedding of a picture whose identity is asked: one subject, not from behind."""
        seen = self.sighting
        return None if seen is None or self.from_behind or seen.subjects not in (1, None) else seen.embedding

    def find(self, kind: FaultKind, explanation: str, score: float | None = None, threshold: float | None = None) -> None:
        self.faults.append(Fault(kind=kind, explanation=explanation, score=score, threshold=threshold))


class SetCurator:
    """Implements `ports.Curator`.

    Args:
        recogniser: for the kind of pictures that are curated. safety: see `SafetyClassifier`.
        kind: photographs or illustrations, whose sharpness differs.
    """

    def __init__(self, recogniser: Recogniser, *, safety: SafetyClassifier, kind: Kind) -> None:
        self._recogniser = recogniser
        self._safety = safety
        self._kind = kind

    def facts(self) -> BackendFacts:
        return self._recogniser.facts()

    def examine(
        self, submissions: Sequence[Submission], *, anchors: Sequence[Image] = (), side: int, progress: Progress
    ) -> Sequence[Opinion]:
        """One opinion a submission, in order; see the top of this file and `ports.Curator`."""
        looks = [_Look(one.name, one.image, one.cell) for one in submissions]
        large = [look for look in looks if min(look.image.size) >= SMALLEST]
        known = self._recognise(large, anchors, progress)
        for number, look in enumerate(looks, 1):
            _check_size(look, side)
            if min(look.image.size) >= SMALLEST:
                _count(look)
                self._check_sharpness(look, side)
                self._check_safety(look)
            progress(0.6 + 0.35 * number / len(looks), f"sharpness and safety: {number} of {len(looks)}")
        self._check_identity(large, known, anchored=bool(anchors))
        _check_copies(large, anchors)
        progress(1.0, f"{sum(not look.faults for look in looks)} of {len(looks)} are fit")
        return tuple(Opinion(faults=tuple(look.faults), identity=look.identity, face=look.face) for look in looks)

    def _recognise(self, looks: Sequence[_Look], anchors: Sequence[Image], progress: Progress) -> list[NDArray[np.float32]]:
        """Gives each look its sighting; the answer is what the anchors embed as."""
        total = len(looks) + len(anchors)
        for start in range(0, len(looks), BATCH):
            batch = looks[start : start + BATCH]
            for look, seen in zip(batch, self._seen([look.image for look in batch]), strict=True):
                if isinstance(seen, Sighting):
                    look.sighting = seen
                else:
                    look.find(FaultKind.NOT_CHECKED, f"the recogniser failed: {_said(seen)}")
            done = start + len(batch)
            progress(0.6 * done / total, f"who is in it: {done} of {len(looks)}")
        shown = [seen for seen in self._seen(anchors) if isinstance(seen, Sighting) and seen.subjects in (1, None)]
        return [seen.embedding for seen in shown if seen.embedding is not None and _usable(seen.embedding)]

    def _seen(self, images: Sequence[Image]) -> Sequence[Sighting | Exception]:
        """One answer a picture; when a batch fails, each alone, so that one bad picture costs only itself."""
        if not images:
            return ()
        try:
            seen = tuple(self._recogniser.see(images))
            if len(seen) == len(images):
                return seen
            failure: Exception = ValueError(f"{len(seen)} answers for {len(images)} pictures")
        except Exception as error:  # whatever a model raises, a picture that was not seen is never fit
            failure = error
        return (failure,) if len(images) == 1 else tuple(self._seen([image])[0] for image in images)

    def _check_sharpness(self, look: _Look, side: int) -> None:
        box = look.face
        if box is not None:
            face = _cut(look.image, box)
            scale = min(1.0, side / min(look.image.size))
            seen_at = max(1, min(FACE_SIDE, round(scale * min(face.size))))
            score, line, what = sharpness_of(face, seen_at), FACE_SHARPNESS, "face"
        else:
            score = sharpness_of(look.image, min(side, WORKING_SIDE[self._kind]))
            line, what = DEFAULT_SHARPNESS[self._kind], "middle of the picture"
        look.sharpness = score
        if not score >= line:
            look.find(FaultKind.BLURRED, f"the {what} is blurred: sharpness {score:.3g}, {line:.3g} asked", score, line)

    def _check_safety(self, look: _Look) -> None:
        line = self._safety.threshold
        try:
            safe = self._safety.safe(_reduced(look.image))
        except Exception as error:  # the same: not looked at is not fit
            look.find(FaultKind.NOT_CHECKED, f"the safety classifier failed: {_said(error)}")
            return
        if not np.isfinite(safe):
            look.find(FaultKind.NOT_CHECKED, "the safety classifier gave no number")
        elif safe < line:
            look.find(FaultKind.UNSAFE, f"{safe:.2f} likely to be fit for everybody, {line:.2f} asked", safe, line)

    def _check_identity(self, looks: Sequence[_Look], known: Sequence[NDArray[np.float32]], *, anchored: bool) -> None:
        asked: list[tuple[_Look, NDArray[np.float32]]] = []
        for look in looks:
            embedding = look.comparable
            if embedding is not None and _usable(embedding):
                asked.append((look, embedding))
            elif embedding is not None:
                look.find(FaultKind.NOT_CHECKED, "the recogniser's numbers are not finite")
        if not asked:
            return
        rows = np.stack([embedding for _, embedding in asked])
        try:
            if anchored and not known:
                raise ValueError("no start picture shows one person who can be recognised")
            found = likeness(rows, floor=self._recogniser.threshold, anchors=np.stack(known) if known else None)
        except ValueError as reason:
            for look, _ in asked:
                look.find(FaultKind.NOT_CHECKED, str(reason))
            return
        whom = "the start pictures" if known else "the other pictures"
        for (look, _), score in zip(asked, found.scores, strict=True):
            _judge_identity(look, float(score), found, whom)


def _judge_identity(look: _Look, score: float, found: Likeness, whom: str) -> None:
    look.identity = score
    line = min(found.line, found.laxer) if look.turned else found.line
    if not score >= line:
        look.find(FaultKind.ANOTHER_PERSON, f"likeness to {whom} {score:.3f}, {line:.3f} asked", score, line)


def _check_size(look: _Look, side: int) -> None:
    width, height = look.image.size
    if min(width, height) < side:
        said = f"{width} x {height} pixels; the shortest side needs {side}, and nothing is enlarged"
        look.find(FaultKind.TOO_SMALL, said, float(min(width, height)), float(side))


def _count(look: _Look) -> None:
    seen = look.sighting
    if seen is None:
        return  # the recogniser failed, which is a fault already
    if seen.subjects is not None and seen.subjects > 1:
        look.find(FaultKind.SEVERAL_SUBJECTS, f"{seen.subjects} people are in it", float(seen.subjects), 1.0)
    elif look.from_behind:
        return
    elif seen.subjects is None and not look.full_body:
        look.find(FaultKind.NOT_CHECKED, "the recogniser cannot count people")
    elif seen.subjects == 0 and not look.full_body:
        look.find(FaultKind.NO_SUBJECT, "nobody is recognised in it", 0.0, 1.0)
    elif look.comparable is None:
        look.find(FaultKind.NOT_CHECKED, "nobody can be recognised in it, so nothing says who it is")


def _check_copies(looks: Sequence[_Look], anchors: Sequence[Image]) -> None:
    """Copies of anchors first; then, the best picture first, every copy of one that stays."""
    usable = [anchor for anchor in anchors if min(anchor.size) >= SMALLEST]
    copies = near_copies([*usable, *(look.image for look in looks)])
    beside: dict[int, list[Copy]] = {}
    for copy in copies:
        if copy.first < len(usable) <= copy.second:
            said = f"nearly the same as start picture {copy.first + 1}"
            looks[copy.second - len(usable)].find(FaultKind.COPY_OF_START, said + _how(copy), copy.misfit)
        elif copy.first >= len(usable):
            beside.setdefault(copy.first - len(usable), []).append(copy)
            beside.setdefault(copy.second - len(usable), []).append(copy)
    stay: set[int] = set()
    for place in sorted(beside, key=lambda place: (len(looks[place].faults), -looks[place].sharpness, place)):
        for copy in beside[place]:
            other = copy.first + copy.second - 2 * len(usable) - place
            if other in stay:
                said = f"nearly the same as {looks[other].name}, which is kept of the two"
                looks[place].find(FaultKind.NEAR_DUPLICATE, said + _how(copy), copy.misfit)
                break
        else:
            stay.add(place)


def _how(copy: Copy) -> str:
    return " (mirrored)" if copy.mirrored else ""


def _cut(image: Image, box: Box) -> Image:
    left, top = int(box.left * image.width), int(box.top * image.height)
    right, bottom = max(left + 1, int(box.right * image.width)), max(top + 1, int(box.bottom * image.height))
    return image.crop((left, top, right, bottom))


def _reduced(image: Image) -> Image:
    """At least 512 pixels on its shortest side, as before if it has fewer: a classifier looks at less than that."""
    factor = min(image.size) // CLASSIFIED
    return image.convert("RGB").reduce(factor) if factor > 1 else image


def _usable(embedding: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(embedding).all())


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
