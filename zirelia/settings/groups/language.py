"""Models of language, and the model that looks at pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from zirelia.settings.groups.base import Group, Seconds, Url, known_as


class OpenAISettings(Group):
    """OpenAI, or any server that speaks its protocol (Ollama, vLLM, llama.cpp)."""

    api_key: SecretStr | None = known_as("OPENAI_API_KEY", None, "key; a server of one's own often needs none")
    base_url: Url | None = known_as("OPENAI_BASE_URL", None, "another server's address, with /v1 where it has one")


class ChatSettings(Group):
    """The model that plans, writes and directs."""

    backend: Literal["auto", "embedded", "openai", "langchain"] = Field(
        default="auto", description="auto: openai with a key or a base URL, else the embedded model"
    )
    model: str | None = Field(
        default=None, min_length=1, description="model name; for langchain provider:model, such as anthropic:claude-sonnet-4-5"
    )
    timeout_s: Seconds = Field(default=60.0, description="seconds to wait for one answer")
    candidates: int = Field(default=6, ge=1, le=12, description="drafts written by the embedded model, the best is kept")


class VisionSettings(Group):
    """The model that looks at pictures for the critic. Without one, those criteria are 'not checked'."""

    backend: Literal["auto", "none", "openai", "langchain"] = Field(
        default="auto", description="auto: openai when a vision model is named or the real OpenAI is used, else none"
    )
    model: str | None = Field(default=None, min_length=1, description="a model that takes images; as for chat")
    timeout_s: Seconds = Field(default=60.0, description="seconds to wait for one answer")


class EmbeddingSettings(Group):
    """Text similarity: ranks drafts and finds repetition."""

    backend: Literal["auto", "embedded", "none"] = Field(
        default="auto", description="auto: embedded when its package is installed, else none"
    )
