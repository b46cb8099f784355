"""The critic: the panel, its instruments, and what it need not measure or pay for twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from zirelia.domain.calibration import Calibration
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief
from zirelia.domain.shot import ImagePrompt, Shot
from zirelia.domain.verdict import Criterion, Finding

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Exhibit:
    """What the panel is given: one picture and all it is compared with.

    references: pictures of the persona; recent: perceptual neighbours, the chosen pictures of recent posts (id, picture).
    """

    image: Image
    shot: Shot
    brief: Brief
    persona: Persona
    prompt: ImagePrompt
    references: tuple[Image, ...]
    recent: tuple[tuple[int, Image], ...] = ()


class Instrument(Protocol):
    """Measures one or more criteria. May raise: the panel turns an error into `not_checked`."""

    @property
    def name(self) -> str: ...

    @property
    def criteria(self) -> frozenset[Criterion]: ...

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]: ...


class Panel(Protocol):
    def examine(self, exhibit: Exhibit) -> tuple[Finding, ...]: ...


@dataclass(frozen=True)
class KeptAnswer:
    """A vision model's answer to one question about one picture, kept so that nobody pays for it again."""

    model: str
    question: str
    raw: str
    cost_usd: float


class CriticMemory(Protocol):
    """What the critic need not measure or pay for twice. Keys are hashes of everything that decides the answer."""

    def calibration(self, key: str) -> Calibration | None: ...

    def keep_calibration(self, key: str, persona: str, calibration: Calibration) -> None:
        """Stores or replaces it."""
        ...

    def answer(self, key: str) -> KeptAnswer | None: ...

    def keep_answer(self, key: str, answer: KeptAnswer) -> None:
        """Stores it; the same key again changes nothing."""
        ...
