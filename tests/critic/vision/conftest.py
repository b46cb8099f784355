"""A chat server that inspects pictures as each test says, in both ways of asking, and what is asked through it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from zirelia.critic.questions import Question, questions_for
from zirelia.critic.vision import ASKABLE
from zirelia.definitions.agents import Agent, load_agent
from zirelia.domain.shot import Framing, Shot
from zirelia.language import LangChainChat, open_chat
from zirelia.ports import CriticMemory, Exhibit, KeptAnswer
from zirelia.testing.chat_server import Behaviour, ChatServer, Reply, completion
from zirelia.testing.chat_server import Question as Asked

Opened = Callable[..., LangChainChat]
Inspector = Callable[..., Behaviour]


def texts_in(asked: Asked) -> list[str]:
    """The questions of one call, in their order."""
    block = re.search(r"<(questions?)>\n(.*?)\n</\1>", asked.text, re.S)
    assert block
    lines = block[2].split("\n")
    return [re.sub(r"^\d+\. ", "", line) for line in lines] if block[1] == "questions" else lines


def numbered(answers: list[tuple[int, str]]) -> str:
    evidence = "It is plain to see."
    return json.dumps({"answers": [{"number": n, "answer": said, "evidence": evidence} for n, said in answers]})


@pytest.fixture
def inspector() -> Inspector:
    """inspector(exhibit, hands="bad", scene=("bad", "good")): what it says of an aspect, in the first wording and the other;
    everything else is good. "yes", "no" and "unsure" are said as they are.
    """

    def build(
        exhibit: Exhibit, change: Callable[[list[tuple[int, str]]], list[tuple[int, str]]] | None = None, **said: Any
    ) -> Behaviour:
        questions = questions_for(exhibit, ASKABLE)
        worded: dict[str, tuple[Question, int]] = {question.text: (question, 0) for question in questions}
        worded |= {question.negated: (question.other_way(), 1) for question in questions}

        def vote(text: str) -> str:
            question, wording = worded[text]
            votes = said.get(re.sub(r"\W+", "_", question.aspect), "good")
            wanted = str(votes if isinstance(votes, str) else votes[wording])
            other = {"yes": "no", "no": "yes"}[question.expects]
            return {"good": question.expects, "bad": other}.get(wanted, wanted)

        def reply(asked: Asked) -> Reply:
            texts = texts_in(asked)
            if "<questions>" not in asked.text:
                return completion(asked, json.dumps({"answer": vote(texts[0]), "evidence": "It is plain to see."}))
            answers = [(number, vote(text)) for number, text in enumerate(texts, start=1)]
            return completion(asked, numbered(change(answers) if change else answers))

        return reply

    return build


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running


@pytest.fixture
def opened(server: ChatServer) -> Iterator[Opened]:
    """Opens chats that say they are paid, as an official server would be."""
    chats: list[LangChainChat] = []

    def opener(*, paid: bool = False, **options: Any) -> LangChainChat:
        settings = {"base_url": server.base_url, "vision": True, "timeout": 5.0, "backoff": 0.0, "attempts": 1}
        chat = open_chat("peer", **{**settings, **options})
        chat._local = not paid
        chats.append(chat)
        return chat

    yield opener
    for chat in chats:
        chat.close()


@pytest.fixture(scope="session")
def agent() -> Agent:
    return load_agent("critic")


@pytest.fixture(scope="session")
def together() -> Agent:
    return load_agent("critic_together")


@pytest.fixture
def case(exhibit: Callable[..., Exhibit], good: Image.Image) -> Exhibit:
    shot = Shot(
        scene="beach",
        outfit="red hoodie",
        expression="smiling",
        framing=Framing.HALF_BODY,
        light="daylight",
        pose="leaning on a rail",
        props="a cup",
    )
    return exhibit(good, shot=shot)


class Shelf:
    """ports.CriticMemory in a dictionary, for what no database is needed for."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptAnswer] = {}

    def calibration(self, key: str) -> None:
        return None

    def keep_calibration(self, key: str, persona: str, calibration: object) -> None:
        raise NotImplementedError

    def answer(self, key: str) -> KeptAnswer | None:
        return self.kept.get(key)

    def keep_answer(self, key: str, answer: KeptAnswer) -> None:
        self.kept.setdefault(key, answer)


@pytest.fixture
def shelf() -> CriticMemory:
    return Shelf()
