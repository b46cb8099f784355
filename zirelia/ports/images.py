"""Makers of pictures, and editors that make new ones of somebody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import ImagePrompt, Provenance, ShotVocabulary
from zirelia.domain.shotlist import Cell
from zirelia.ports.calls import PaidCall, Progress
from zirelia.ports.facts import Describable


@dataclass(frozen=True)
class MadeImage:
    """Encoded PNG or JPEG bytes and where they came from."""

    data: bytes
    media_type: str
    provenance: Provenance


class ImageMaker(Describable, Protocol):
    """Makes pictures. Local ones are deterministic: same prompt value, same pixels."""

    def vocabulary(self) -> ShotVocabulary | None:
        """The words that the model can draw, when it is limited to some."""
        ...

    def size(self) -> tuple[int, int]:
        """Width and height that the backend prefers."""
        ...

    def estimate_usd(self, prompt: ImagePrompt) -> float: ...

    def can_inpaint(self) -> bool:
        """Whether `make` takes `within`."""
        ...

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        beside: Sequence[WornLora] = (),
        start_from: bytes | None = None,
        within: Box | None = None,
        call: PaidCall,
        progress: Progress,
    ) -> MadeImage:
        """One picture. `beside` are further LoRAs worn with `lora`; `start_from` is an encoded picture for image-to-image, or
        with `within` for drawing that part of it anew: far from the part, every pixel stays as it was;
        `call` remembers the id of what was created, so that a resumed call polls instead of paying again. Raises
        ProviderError, MediaError or ConfigurationError.
        """
        ...


@dataclass(frozen=True)
class Edit:
    """A picture that is wanted of the subject of others.

    prompt: its text is the instruction for a model that reads words; seed and size count for every model.
    shot, yaw: the same wish as fields, for a model of a small world. references: encoded pictures, the first one is the
    subject; garments come last and are named in the instruction.
    """

    prompt: ImagePrompt
    cell: Cell
    references: tuple[bytes, ...]


class ImageEditor(Describable, Protocol):
    """Makes new pictures of the subject of given ones, without training."""

    def vocabulary(self) -> ShotVocabulary | None:
        """The words that the model can draw, when it is limited to some."""
        ...

    def size(self) -> tuple[int, int]:
        """Width and height that the backend prefers."""
        ...

    def most_references(self) -> int:
        """How many references one call takes."""
        ...

    def licence(self) -> str:
        """The terms under which its pictures may be used, as their records and the LoRA's card repeat them."""
        ...

    def estimate_usd(self, edit: Edit) -> float: ...

    def edit(self, edit: Edit, *, call: PaidCall, progress: Progress) -> MadeImage:
        """One picture; as `ImageMaker.make`. Raises MediaError for references that cannot be used."""
        ...
