"""Any LangChain chat model behind the port: with structured answers, through tools, and with none at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from zirelia.errors import ProviderRefused
from zirelia.language import LangChainChat
from zirelia.ports import ChatRequest
from zirelia.testing import chat_server as peer
from zirelia.testing.chat_server import ChatServer

REQUEST = ChatRequest(system="You write for Mira.", user="Rain.")


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as opened:
        yield opened


@pytest.fixture(params=["json_schema", "function_calling", None])
def model(request: pytest.FixtureRequest, server: ChatServer, client: httpx.Client) -> Any:
    from langchain_openai import ChatOpenAI

    class Provider(ChatOpenAI):
        def with_structured_output(self, schema: Any = None, **options: Any) -> Any:
            if request.param is None:
                raise NotImplementedError
            return super().with_structured_output(schema, method=request.param, **options)

    return Provider(model="m", base_url=server.base_url, api_key="k", max_retries=0, http_client=client)  # type: ignore[arg-type]


def test_answers_and_asks_again(server: ChatServer, model: Any, mood: type[BaseModel]) -> None:
    server.script(peer.fails(500), peer.wrong_schema())
    answer = LangChainChat(model, provider="any", model_name="m", backoff=0.0).ask(REQUEST, mood)
    assert type(answer.value) is mood
    assert answer.usage.tokens_in > 0
    assert len(server.requests) == 3


def test_a_refused_key_is_not_tried_again(server: ChatServer, model: Any, mood: type[BaseModel]) -> None:
    server.script(peer.fails(401, "wrong key"))
    with pytest.raises(ProviderRefused, match="401"):
        LangChainChat(model, provider="any", model_name="m", backoff=0.0).ask(REQUEST, mood)
    assert len(server.requests) == 1
