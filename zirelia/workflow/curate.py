"""The gate: what the curator says of a folder's pictures, and which one of each cell is kept.

    curate(kit, anchors=(photo,), cells={cell.id: cell for cell in wanted.cells})

All new pictures are examined at once with those that are kept already, which may lose their place: of two near copies the
curator names one. Of the good ones of a cell the one that was kept before stays, else the one most like the person; the others
are spares. Nothing is deleted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from zirelia.domain.dataset import Candidate, Fault, FaultKind
from zirelia.domain.shotlist import Cell
from zirelia.errors import MediaError
from zirelia.pictures import open_picture, upright_rgb
from zirelia.ports import Opinion, Submission
from zirelia.workflow.dataset_kit import DatasetKit

if TYPE_CHECKING:
    from PIL.Image import Image

BROUGHT = "brought"
"""The cell of pictures that somebody brought: all good ones are kept."""


def curate(
    kit: DatasetKit, *, anchors: Sequence[bytes], cells: Mapping[str, Cell], again: bool = False
) -> tuple[Candidate, ...]:
    """Examines what is not examined yet (with `again` everything but what a person took away) and moves each picture to its
    place. Returns all candidates as they are now.
    """
    there = kit.folder.candidates()
    present = [one for one in there if not _taken_away(one)]
    new = [one for one in present if again or not one.examined]
    if not new:
        return there
    kit.watcher.step("curate", f"{len(new)} pictures")
    before = [] if again else [one for one in present if one.kept]
    opinions = _opinions(kit, [*before, *new], anchors, cells)
    judged = [_judged(one, opinions[one.cell, one.number]) for one in (*before, *new)]
    kit.folder.settle(_best_of_each(judged, before={(one.cell, one.number) for one in before}))
    after = kit.folder.candidates()
    reasons = Counter(str(fault.kind) for one in after for fault in one.faults if one.examined)
    said = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common()) or "none refused"
    kit.watcher.done(f"{sum(one.kept for one in after)} kept; {said}")
    return after


def _opinions(
    kit: DatasetKit, submitted: Sequence[Candidate], anchors: Sequence[bytes], cells: Mapping[str, Cell]
) -> dict[tuple[str, int], Opinion]:
    """(cell, number) → opinion; a picture that cannot be opened has that fault and is not shown to the curator."""
    opinions: dict[tuple[str, int], Opinion] = {}
    shown: list[tuple[Candidate, Submission]] = []
    for one in submitted:
        name = one.path.rpartition("/")[2]
        try:
            image = upright_rgb(open_picture(kit.folder.read(one), what=name))
        except MediaError as error:
            fault = Fault(kind=FaultKind.UNREADABLE, explanation=error.message)
            opinions[one.cell, one.number] = Opinion(faults=(fault,))
        else:
            shown.append((one, Submission(name=name, image=image, cell=cells.get(one.cell))))
    said = kit.curator.examine(
        [submission for _, submission in shown],
        anchors=[_opened(data) for data in anchors],
        side=kit.shortest_side(),
        progress=kit.watcher.progress,
    )
    for (one, _), opinion in zip(shown, said, strict=True):
        opinions[one.cell, one.number] = opinion
    return opinions


def _opened(data: bytes) -> Image:
    return upright_rgb(open_picture(data, what="a start picture"))


def _judged(one: Candidate, opinion: Opinion) -> Candidate:
    found = {"examined": True, "faults": opinion.faults, "identity": opinion.identity, "face": opinion.face}
    return one.model_copy(update=found)


def _best_of_each(judged: Sequence[Candidate], *, before: Set[tuple[str, int]]) -> list[Candidate]:
    """All of them, with all but one good one of each cell as spares: the one that was kept before, else the best."""
    rivals: dict[str, list[Candidate]] = defaultdict(list)
    for one in judged:
        if one.kept and one.cell != BROUGHT:
            rivals[one.cell].append(one)
    taken = {cell: max(those, key=lambda one: _rank(one, before)) for cell, those in rivals.items()}
    return [one if _stays(one, taken) else _spare(one, taken[one.cell]) for one in judged]


def _rank(one: Candidate, before: Set[tuple[str, int]]) -> tuple[bool, float, int]:
    return (one.cell, one.number) in before, -2.0 if one.identity is None else one.identity, -one.number


def _stays(one: Candidate, taken: Mapping[str, Candidate]) -> bool:
    return not one.kept or one.cell == BROUGHT or taken[one.cell].number == one.number


def _spare(one: Candidate, better: Candidate) -> Candidate:
    because = f"number {better.number} of this cell is kept; this one would do as well"
    fault = Fault(kind=FaultKind.SPARE, explanation=because, score=one.identity, threshold=better.identity)
    return one.model_copy(update={"faults": (fault,)})


def _taken_away(one: Candidate) -> bool:
    return any(fault.kind is FaultKind.TAKEN_AWAY for fault in one.faults)
