"""Training material: pictures with origin, licence, consent and caption; and the candidates that were made or brought for it.

A candidate is kept when it has no faults. A dataset holds kept pictures only.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from zirelia.domain.box import Box
from zirelia.domain.lora import TriggerWord
from zirelia.domain.persona import Consent
from zirelia.domain.value import Sha256, Slug, Text, Value


class FaultKind(StrEnum):
    """Why a picture is not kept."""

    UNREADABLE = "unreadable"
    TOO_SMALL = "too small"
    NO_SUBJECT = "no subject"
    SEVERAL_SUBJECTS = "several subjects"
    ANOTHER_PERSON = "another person"
    NEAR_DUPLICATE = "near duplicate"
    COPY_OF_START = "copy of the start picture"
    BLURRED = "blurred"
    UNSAFE = "unsafe"
    NOT_CHECKED = "not checked"
    TAKEN_AWAY = "taken away"
    """A person removed it from the folder."""
    SPARE = "spare"
    """Nothing is wrong with it, but another picture of its cell is kept."""


class Fault(Value):
    """One reason, with what was measured and what was wanted, where it is a number."""

    kind: FaultKind
    explanation: Text
    score: float | None = None
    threshold: float | None = None


class Reference(Value):
    """One picture of the character. `origin` says who or what made it; `path` is relative to the dataset's folder.

    cell: the cell of the shot list that it fills. face: where the subject's face is, for crops and masks; a whole subject
    where no face was looked for. generator: the model that made it, whose terms the licence repeats.
    """

    path: Text
    sha256: Sha256
    origin: Text
    licence: Text
    caption: Text
    cell: Slug | None = None
    generator: Text | None = None
    face: Box | None = None


class Dataset(Value):
    """What a training reads. Training refuses a dataset whose consent is not valid."""

    persona: Slug
    trigger: TriggerWord
    consent: Consent
    references: tuple[Reference, ...]


class Candidate(Value):
    """A picture that may become a reference: the `number`-th try (1-based) at its cell, and what was found wrong with it.

    identity: likeness to the others, in the recogniser's unit, where it was measured. `examined` is False until the curator
    has looked: such a candidate is never kept. caption: the words that came with a picture that was brought.
    """

    cell: Slug
    number: int = Field(ge=1)
    path: Text
    sha256: Sha256
    origin: Text
    licence: Text
    generator: Text | None = None
    seed: int | None = None
    cost_usd: float = Field(default=0.0, ge=0)
    examined: bool = False
    identity: float | None = None
    face: Box | None = None
    faults: tuple[Fault, ...] = ()
    caption: Text | None = None

    @property
    def kept(self) -> bool:
        return self.examined and not self.faults


class StartKind(StrEnum):
    """What a dataset is made from."""

    PHOTOS = "photos"
    WORDS = "words"
    FOLDER = "folder"


class StartPicture(Value):
    """A picture that the others are made from: where it lies in the dataset's folder, and what it was called before."""

    path: Text
    sha256: Sha256
    source: Text


class Build(Value):
    """One making of a dataset. `name` stands in the ledger's rows and decides the seeds; it comes from the start pictures."""

    name: Slug
    start: StartKind
    pictures: tuple[StartPicture, ...] = ()


class Brought(Value):
    """A picture of somebody's own folder. `path` is absolute; repeats: how often its trainer was told to show it."""

    path: Text
    caption: Text | None = None
    repeats: int = Field(default=1, ge=1)
