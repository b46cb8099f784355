"""What the language tests share: a chat server, and chats that are closed again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from zirelia.language import EmbeddedServer, LangChainChat, open_chat
from zirelia.testing.chat_server import ChatServer

TIMEOUT = 5.0


class Mood(BaseModel):
    caption: Annotated[str, Field(min_length=1, max_length=40)]
    mood: Literal["calm", "wild"]
    score: Annotated[int, Field(ge=0, le=5)]  # llama.cpp's grammar keeps ranges of integers, not of floats
    tags: Annotated[list[Annotated[str, Field(max_length=12)]], Field(max_length=2)] = []


@pytest.fixture
def mood() -> type[Mood]:
    return Mood


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running


@pytest.fixture
def opened(server: ChatServer) -> Iterator[Callable[..., LangChainChat]]:
    chats: list[LangChainChat] = []

    def opener(**options: Any) -> LangChainChat:
        chats.append(open_chat("peer", **{"base_url": server.base_url, "timeout": TIMEOUT, "backoff": 0.0, **options}))
        return chats[-1]

    yield opener
    for chat in chats:
        chat.close()


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(context=2048) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet_root_logger() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    yield
    assert [h for h in logging.getLogger().handlers if h not in before and type(h) is logging.StreamHandler] == []
