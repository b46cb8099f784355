"""What a use case works with: adapters behind their ports, settings as plain numbers, and the persona at work.

`studio` builds one Kit a process. Nothing here chooses an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from zirelia.definitions.agents import Agent
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

MAX_ATTEMPTS = 3
"""Pictures made for one post before it is held."""


@dataclass(frozen=True)
class Budget:
    """Hard caps in US dollars; None means no cap."""

    month_usd: float | None = None
    post_usd: float | None = None


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

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= MAX_ATTEMPTS:
            raise ValueError(f"attempts is 1 to {MAX_ATTEMPTS}, not {self.attempts}")
