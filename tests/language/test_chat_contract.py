"""One contract, two chats: the scripted peer and the real embedded model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from pydantic import BaseModel

from zirelia.errors import ConfigurationError
from zirelia.language import EmbeddedServer, LangChainChat, open_embedded_chat
from zirelia.ports import Chat, ChatRequest

REQUEST = ChatRequest(
    system="You write for Mira.", user="A caption about rain, in five words.", max_tokens=80, seed=3, temperature=0.3
)


@pytest.fixture(params=["peer", "embedded"])
def chat(request: pytest.FixtureRequest) -> Iterator[Chat]:
    if request.param == "peer":
        opened: Callable[..., LangChainChat] = request.getfixturevalue("opened")
        yield opened()
        return
    server: EmbeddedServer = request.getfixturevalue("embedded")
    voice = open_embedded_chat(server=server, timeout=60)
    yield voice
    voice.close()


def test_answers_in_form_and_counts(chat: Chat, mood: type[BaseModel]) -> None:
    answer = chat.ask(REQUEST, mood)
    assert type(answer.value) is mood
    assert mood.model_validate_json(answer.raw[answer.raw.index("{") :]) == answer.value
    assert answer.usage.tokens_in > 0
    assert answer.usage.tokens_out > 0
    assert answer.usage.seconds > 0
    assert answer.usage.cost_usd == 0
    assert answer.model == chat.facts().model


def test_pictures_need_vision(chat: Chat, mood: type[BaseModel]) -> None:
    assert not chat.vision
    with pytest.raises(ConfigurationError, match="takes none"):
        chat.ask(ChatRequest(system="s", user="u", images=(b"\x89PNG\r\n\x1a\n",)), mood)


def test_several_threads(chat: Chat, mood: type[BaseModel]) -> None:
    answers: list[BaseModel] = []
    threads = [threading.Thread(target=lambda: answers.append(chat.ask(REQUEST, mood).value)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 2
    assert answers[0] == answers[1], "same seed, same answer"


def test_facts_say_where_it_runs(chat: Chat) -> None:
    facts = chat.facts()
    assert facts.local
    assert not facts.paid
