"""Pictures to train on: the curator who looks at them as a set, and the folder in which they come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zirelia.domain.box import Box
from zirelia.domain.dataset import Candidate, Dataset, Fault
from zirelia.domain.shotlist import Cell
from zirelia.ports.calls import Progress
from zirelia.ports.facts import Describable

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Submission:
    """A picture that is to be curated: its name in messages, and pixels. `cell` is None for somebody's own folder."""

    name: str
    image: Image
    cell: Cell | None = None


@dataclass(frozen=True)
class Opinion:
    """What the curator found in one submission. Without faults it is fit to train on."""

    faults: tuple[Fault, ...]
    identity: float | None = None
    face: Box | None = None


class Curator(Describable, Protocol):
    """Looks at training pictures as a set."""

    def examine(
        self, submissions: Sequence[Submission], *, anchors: Sequence[Image] = (), side: int, progress: Progress
    ) -> Sequence[Opinion]:
        """One opinion a submission, in order. `anchors` are known pictures of the person: identity is held against them
        where there are some, else each submission against the middle of the others (leave-one-out); copies of an anchor are
        named. `side` is the shortest side that the training needs, in pixels. What cannot be measured is a fault
        NOT_CHECKED, never a pass.
        """
        ...


class DatasetFolder(Protocol):
    """A dataset on disk while it is built: candidates, what was decided of them, and the finished dataset.

    Every write is whole or absent, and nothing is deleted: a picture that is not kept moves to `rejected/`.
    """

    @property
    def path(self) -> Path: ...

    def candidates(self) -> tuple[Candidate, ...]:
        """In the order of cell and number."""
        ...

    def add(self, candidate: Candidate, data: bytes) -> None:
        """Stores picture, then record: one without a record was never finished."""
        ...

    def settle(self, candidates: Sequence[Candidate]) -> None:
        """Writes what the curator found, and moves the pictures to where they belong."""
        ...

    def read(self, candidate: Candidate) -> bytes: ...

    def dataset(self) -> Dataset | None:
        """The finished dataset, if there is one. Raises DefinitionError for a damaged one."""
        ...

    def finish(self, dataset: Dataset) -> None:
        """Writes dataset.json, metadata.jsonl and a caption file beside each picture."""
        ...
