"""What a use case works with: adapters behind their ports, settings as plain numbers, and the persona at work.

`studio` builds one Kit a process. Nothing here chooses an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from zirelia.definitions.agents import Agent
from zirelia.domain.budget import Cap, Period, Unit, beginning
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.persona import Persona
from zirelia.ports import (
    Channel,
    Chat,
    CriticMemory,
    Embedder,
    ImageMaker,
    LanguageIdentifier,
    Media,
    Panel,
    Sealer,
    Store,
    Watcher,
)

if TYPE_CHECKING:
    from PIL.Image import Image

UTC_ZONE = ZoneInfo("UTC")
MAX_ATTEMPTS = 3
"""Pictures made for one post before it is held."""


@dataclass(frozen=True)
class Budget:
    """Hard caps for one persona, in US dollars and pictures; None means no cap. zone: whose days and months they are."""

    month_usd: float | None = None
    post_usd: float | None = None
    day_usd: float | None = None
    month_images: int | None = None
    day_images: int | None = None
    zone: ZoneInfo = UTC_ZONE

    def caps(self, now: datetime, post_id: int | None = None) -> tuple[Cap, ...]:
        """The caps on a call made now, for that post if for one; the widest first."""
        limits = (
            (Period.MONTH, Unit.USD, self.month_usd),
            (Period.DAY, Unit.USD, self.day_usd),
            (Period.POST, Unit.USD, None if post_id is None else self.post_usd),
            (Period.MONTH, Unit.IMAGES, self.month_images),
            (Period.DAY, Unit.IMAGES, self.day_images),
        )
        return tuple(
            Cap(
                period=period,
                unit=unit,
                limit=limit,
                since=beginning(period, now, self.zone),
                post_id=post_id if period is Period.POST else None,
            )
            for period, unit, limit in limits
            if limit is not None
        )


class Books(Protocol):
    """What a kit needs to have so that calls can be paid for with it."""

    @property
    def store(self) -> Store: ...

    @property
    def budget(self) -> Budget: ...

    @property
    def now(self) -> Callable[[], datetime]: ...


@dataclass(frozen=True)
class Subject:
    """The persona at work: the pack, its verified LoRA if there is one, and pictures of how she looks.

    beside: LoRAs that are worn with the own one, such as a style.
    """

    persona: Persona
    lora: Lora | None
    references: tuple[Image, ...]
    beside: tuple[WornLora, ...] = ()


@dataclass(frozen=True)
class Kit:
    """Everything a use case may touch.

    candidates: drafts written for one post, of which the best is kept; one is enough for a large model.
    short_voice: the chat model is a tiny one: it is asked for less, and what it cannot do is said plainly.
    image_steps: the profile's own step count, from which a repair may raise it; None where the backend decides.
    vision: the model that looks at pictures, for critic and captioner, if there is one.
    vision_estimate_usd: what judging one picture may cost at most.
    identifier: tells the language of a draft; without one that is not checked.
    chat_estimate_usd: what one question is expected to cost at most, counted before it is asked.
    learn: the planner prefers what did better, by what platforms counted and people decided.
    memory: keeps what the text critic was answered, so that a turn that is resumed does not pay for it again.
    """

    store: Store
    media: Media
    chat: Chat
    images: ImageMaker
    panel: Panel
    channels: Mapping[str, Channel]
    sealer: Sealer
    agents: Mapping[str, Agent]
    now: Callable[[], datetime]
    watcher: Watcher
    embedder: Embedder | None = None
    identifier: LanguageIdentifier | None = None
    budget: Budget = Budget()
    attempts: int = MAX_ATTEMPTS
    candidates: int = 1
    short_voice: bool = False
    chat_estimate_usd: float = 0.0
    image_steps: int | None = None
    vision: Chat | None = None
    vision_estimate_usd: float = 0.0
    memory: CriticMemory | None = None
    learn: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= MAX_ATTEMPTS:
            raise ValueError(f"attempts is 1 to {MAX_ATTEMPTS}, not {self.attempts}")
