"""Models of language: chat, embeddings of text, and in which language a text is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pydantic import BaseModel

from zirelia.ports.facts import Describable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class Usage:
    """Tokens, money and time of one answer, retries included."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class ChatRequest:
    """One question. `images` are encoded pictures (PNG or JPEG) for vision models; `temperature` None means the model's own.

    `user` may hold text from outside: it is data, and the system prompt says so.
    """

    system: str
    user: str
    images: tuple[bytes, ...] = ()
    temperature: float | None = None
    max_tokens: int = 600
    seed: int | None = None


@dataclass(frozen=True)
class Answer(Generic[Schema]):
    """A validated answer, who gave it, what it took, and the raw text. beside: what was kept with an answer that means nothing
    without it, such as the list that a number points into.
    """

    value: Schema
    model: str
    usage: Usage
    raw: str
    beside: str | None = None


class Chat(Describable, Protocol):
    """A chat model. `vision` says whether it takes images."""

    @property
    def vision(self) -> bool: ...

    def ask(self, request: ChatRequest, schema: type[Schema]) -> Answer[Schema]:
        """The answer as `schema`. Asked again with the error at most twice, then BadAnswer; ProviderError otherwise."""
        ...


class Embedder(Describable, Protocol):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """L2-normalised vectors, shape [len(texts), dimension]."""
        ...


class LanguageIdentifier(Describable, Protocol):
    """Tells in which language a text is written."""

    def identify(self, text: str) -> tuple[str, float]:
        """The ISO 639-1 code of the likeliest language and how sure it is, 0 to 1."""
        ...
