"""What was paid for is not paid for again, and no picture costs more than it may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zirelia.critic.vision import VisionInstrument
from zirelia.definitions.agents import Agent
from zirelia.domain.verdict import Criterion, Outcome
from zirelia.errors import StoreError
from zirelia.language import LangChainChat
from zirelia.ports import Exhibit, KeptAnswer
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat_server import Behaviour, ChatServer, Reply, completion, fails, says

Opened = Callable[..., LangChainChat]
Inspector = Callable[..., Behaviour]
ANATOMY = frozenset({Criterion.ANATOMY})
GOOD = '{"answer": "no", "evidence": "Nothing of it."}'


def test_the_same_question_about_the_same_picture_is_paid_once(
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    together: Agent,
    case: Exhibit,
    exhibit: Callable[..., Exhibit],
    inspector: Inspector,
) -> None:
    for extra, calls in ((None, 3), (together, 1)):
        server.script(*[inspector(case)] * 9)
        before = len(server.requests)
        vision = VisionInstrument(opened(price_in=1.0), agent, together=extra, criteria=ANATOMY)
        first, second = vision.examine(case), vision.examine(case)
        assert len(server.requests) - before == calls
        assert [(f.raw, f.outcome, f.explanation) for f in first] == [(f.raw, f.outcome, f.explanation) for f in second]
        assert sum(f.cost_usd for f in first) > 0
        assert sum(f.cost_usd for f in second) == 0
        vision.examine(exhibit(case.image.rotate(2), shot=case.shot))
        assert len(server.requests) - before == 2 * calls
        server._scripts["/v1/chat/completions"].clear()


def test_a_restart_and_a_replay_pay_nothing(
    tmp_path: Path, server: ChatServer, opened: Opened, agent: Agent, together: Agent, case: Exhibit, inspector: Inspector
) -> None:
    found = []
    for run in range(3):
        server.script(*[inspector(case, hands="bad", face=("bad", "good"))] * 2)
        with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
            vision = VisionInstrument(
                opened(price_in=1.0), agent, together=together, memory=store, criteria=ANATOMY, kept_only=run == 2
            )
            found.append([(f.outcome, f.explanation, f.raw, f.cost_usd > 0) for f in vision.examine(case)])
        assert len(server.requests) == 2
    assert [entry[0] for entry in found[0]] == [Outcome.FAILED, Outcome.PASSED, Outcome.NOT_CHECKED]
    assert found[1] == found[2] == [(*entry[:3], False) for entry in found[0]]


def test_a_replay_asks_nobody_for_what_is_not_kept(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, shelf: Any
) -> None:
    vision = VisionInstrument(opened(), agent, memory=shelf, kept_only=True)
    assert {f.outcome for f in vision.examine(case)} == {Outcome.NOT_CHECKED}
    assert not server.requests


@pytest.mark.parametrize("change", ["model", "prompt", "temperature", "picture", "question"])
def test_another_model_prompt_picture_or_question_is_another_answer(
    change: str,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    case: Exhibit,
    exhibit: Callable[..., Exhibit],
    shelf: Any,
) -> None:
    from dataclasses import replace

    server.script(*[says(GOOD)] * 20)
    VisionInstrument(opened(), agent, memory=shelf, criteria=ANATOMY).examine(case)
    known = set(shelf.kept)
    chat, other, shown, criteria = opened(), agent, case, ANATOMY
    if change == "model":
        chat._model_name = "another"
    elif change == "prompt":
        other = replace(agent, system=f"{agent.system} Look twice.")
    elif change == "temperature":
        other = replace(agent, front=agent.front.model_copy(update={"temperature": 0.5}))
    elif change == "picture":
        shown = exhibit(case.image.rotate(3), shot=case.shot)
    else:
        criteria = frozenset({Criterion.TECHNICAL})
    VisionInstrument(chat, other, memory=shelf, criteria=criteria).examine(shown)
    assert len(set(shelf.kept) - known) == (1 if change == "question" else 3)


@pytest.mark.parametrize("raw", ["", "{}", '{"answer": "passed", "evidence": "sure"}', "\x00"])
def test_a_damaged_kept_answer_is_asked_again(
    raw: str, server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, shelf: Any
) -> None:
    server.script(*[says(GOOD)] * 6)
    VisionInstrument(opened(), agent, memory=shelf, criteria=ANATOMY).examine(case)
    shelf.kept = {key: KeptAnswer("peer", "?", raw, 0.0) for key in shelf.kept}
    found = VisionInstrument(opened(), agent, memory=shelf, criteria=ANATOMY).examine(case)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert len(server.requests) == 6


def test_without_its_memory_it_asks_nothing_and_a_full_one_loses_no_answer(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StoreError("the disk is full")

    server.script(*[says(GOOD)] * 6)
    with monkeypatch.context() as patched:
        patched.setattr(shelf, "keep_answer", broken)
        found = VisionInstrument(opened(), agent, memory=shelf, criteria=ANATOMY).examine(case)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert all("could not be kept (StoreError: the disk is full)" in f.explanation for f in found)
    monkeypatch.setattr(shelf, "answer", broken)
    found = VisionInstrument(opened(), agent, memory=shelf, criteria=ANATOMY).examine(case)
    assert {f.outcome for f in found} == {Outcome.NOT_CHECKED}
    assert len(server.requests) == 3


def _priced(dollars: float) -> Behaviour:
    """A good answer that reports tokens for so many dollars at one dollar a million."""
    import json

    def reply(asked: Any) -> Reply:
        told = completion(asked, GOOD)
        body = json.loads(told.body)
        body["usage"] = {"prompt_tokens": round(dollars * 1e6), "completion_tokens": 0, "total_tokens": round(dollars * 1e6)}
        return Reply(body=json.dumps(body).encode())

    return reply


@pytest.mark.parametrize(
    ("most", "prices", "asked"),
    [
        (None, [0.01] * 3, 3),
        (0.03, [0.01] * 3, 3),
        (0.025, [0.01] * 3, 2),
        (0.015, [0.01] * 3, 1),
        (0.025, [0.002, 0.012, 0.012], 2),
        (0.005, [0.01] * 3, 1),
        (0.0, [0.01] * 3, 0),
    ],
)
def test_the_rest_is_not_checked_when_it_would_cost_too_much(
    most: float | None, prices: list[float], asked: int, server: ChatServer, opened: Opened, agent: Agent, case: Exhibit
) -> None:
    server.script(*[_priced(price) for price in prices])
    vision = VisionInstrument(opened(paid=True, price_in=1.0), agent, criteria=ANATOMY, most_usd=most)
    found = vision.examine(case)
    assert len(server.requests) == asked
    assert [f.outcome for f in found] == [Outcome.PASSED] * asked + [Outcome.NOT_CHECKED] * (3 - asked)
    assert [f.cost_usd for f in found] == pytest.approx([*prices[:asked], *[0.0] * (3 - asked)])
    assert all(f"would cost more than ${most:g}" in f.explanation for f in found[asked:])


def test_the_price_of_the_last_picture_is_known_for_the_next(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, exhibit: Callable[..., Exhibit]
) -> None:
    server.script(*[_priced(0.02)] * 6)
    vision = VisionInstrument(opened(paid=True, price_in=1.0), agent, criteria=ANATOMY, most_usd=0.01)
    vision.examine(case)
    vision.examine(exhibit(case.image.rotate(2), shot=case.shot))
    assert len(server.requests) == 1


def test_a_failed_call_counts(server: ChatServer, opened: Opened, agent: Agent, case: Exhibit) -> None:
    server.script(*[says("no JSON at all")] * 3, fails(500))
    vision = VisionInstrument(opened(paid=True, price_in=1e4), agent, criteria=ANATOMY, most_usd=0.001)
    found = vision.examine(case)
    assert len(server.requests) == 3
    assert found[0].cost_usd > 0.001
    assert "BadAnswer" in found[0].explanation
    assert all("would cost more" in f.explanation for f in found[1:])
