"""The vision instrument through the real chat adapter, on a loopback server that does what each test says."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from PIL import Image

from zirelia.critic.panel import CriticPanel
from zirelia.critic.vision import ASKED, VisionInstrument
from zirelia.definitions.agents import Agent, load_agent
from zirelia.domain.verdict import Criterion, Finding, Outcome, RepairKind, Rubric, fold, repairs_for
from zirelia.errors import ConfigurationError
from zirelia.language import LangChainChat
from zirelia.ports import Exhibit
from zirelia.testing.chat_server import Behaviour, ChatServer, fails, refuses, says, wrong_schema

Opened = Callable[..., LangChainChat]
Inspector = Callable[..., Behaviour]
SAFETY_ONLY = Rubric(must_check=frozenset({Criterion.SAFETY}))
SAFETY_QUESTIONS = 5


def failed(found: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.outcome is Outcome.FAILED]


@pytest.fixture(params=["singly", "together"])
def way(request: pytest.FixtureRequest, together: Agent) -> dict[str, Any]:
    """Both ways of asking."""
    return {"together": together} if request.param == "together" else {}


def test_a_good_picture_passes_every_question_and_costs_are_recorded(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, inspector: Inspector, way: dict[str, Any]
) -> None:
    server.script(*[inspector(case)] * 40)
    found = VisionInstrument(opened(price_in=1.0, price_out=1.0), agent, **way).examine(case)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert {f.criterion for f in found} == ASKED
    assert all(f.cost_usd > 0 and f.seconds > 0 and f.question and f.raw and f.aspect for f in found)
    assert all("peer" in f.explanation for f in found)
    assert len(server.requests) == (1 if way else len(found))
    for request in server.requests:
        assert len(request.images) == 1


@pytest.mark.parametrize(
    ("criterion", "aspect", "repair", "phrase"),
    [
        (Criterion.ANATOMY, "hands", RepairKind.HIDE_HANDS, "hands"),
        (Criterion.ANATOMY, "limbs", RepairKind.NEW_SEED, ""),
        (Criterion.ANATOMY, "face", RepairKind.NEW_SEED, ""),
        (Criterion.BRIEF, "scene", RepairKind.EMPHASISE, "beach"),
        (Criterion.BRIEF, "outfit", RepairKind.EMPHASISE, "red hoodie"),
        (Criterion.BRIEF, "props", RepairKind.EMPHASISE, "a cup"),
        (Criterion.BRIEF, "pose", RepairKind.EMPHASISE, "leaning on a rail"),
        (Criterion.LOOK, "hair", RepairKind.EMPHASISE, "long wavy teal hair"),
        (Criterion.FRAMING, "framing", RepairKind.NAME_FRAMING, "half body"),
        (Criterion.SUBJECTS, "people", RepairKind.ONE_PERSON, ""),
        (Criterion.SAFETY, "minors", RepairKind.SAFER_WORDING, ""),
        (Criterion.SAFETY, "lettering", RepairKind.REMOVE_WORDS, "text, letters"),
        (Criterion.SAFETY, "boundary: alcohol", RepairKind.SAFER_WORDING, ""),
        (Criterion.TECHNICAL, "sharpness", RepairKind.MORE_STEPS, ""),
    ],
)
def test_a_defect_is_named_with_its_repair(
    criterion: Criterion,
    aspect: str,
    repair: RepairKind,
    phrase: str,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    case: Exhibit,
    inspector: Inspector,
    way: dict[str, Any],
) -> None:
    server.script(*[inspector(case, **{aspect.replace(": ", "_"): "bad"})] * 40)
    vision = VisionInstrument(opened(), agent, criteria=frozenset({criterion}), **way)
    found = vision.examine(case)
    (bad,) = failed(found)
    assert (bad.criterion, bad.aspect) == (criterion, aspect)
    assert bad.explanation.count("It is plain to see.") == 2, "both answers are kept"
    (asked,) = repairs_for(fold(found, Rubric()))
    assert (asked.kind, asked.phrase, asked.criterion, asked.aspect) == (repair, phrase, criterion, aspect)


@pytest.mark.parametrize(
    ("aspect", "votes", "outcome", "calls"),
    [
        ("hands", "good", Outcome.PASSED, 0),
        ("hands", ("bad", "bad"), Outcome.FAILED, 1),
        ("hands", ("bad", "good"), Outcome.NOT_CHECKED, 1),
        ("hands", ("bad", "unsure"), Outcome.NOT_CHECKED, 1),
        ("hands", ("unsure", "good"), Outcome.NOT_CHECKED, 1),
        ("hands", ("unsure", "unsure"), Outcome.NOT_CHECKED, 1),
        ("hands", ("unsure", "bad"), Outcome.FAILED, 1),
        ("hands", ("yes", "yes"), Outcome.NOT_CHECKED, 1),
        ("nudity", ("bad", "good"), Outcome.FAILED, 1),
        ("nudity", ("unsure", "good"), Outcome.NOT_CHECKED, 1),
    ],
)
def test_the_border_is_asked_once_more(
    aspect: str,
    votes: Any,
    outcome: Outcome,
    calls: int,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    case: Exhibit,
    inspector: Inspector,
    way: dict[str, Any],
) -> None:
    server.script(*[inspector(case, **{aspect: votes})] * 40)
    vision = VisionInstrument(opened(), agent, criteria=frozenset({Criterion.ANATOMY, Criterion.SAFETY}), **way)
    found = vision.examine(case)
    (one,) = [finding for finding in found if finding.aspect == aspect]
    assert one.outcome is outcome
    assert len(server.requests) == (1 if way else len(found)) + calls
    if calls:
        assert "asked the other way round" in one.explanation
        assert one.raw is not None
        assert one.raw.count("\n") == 1
        assert one.question is not None
        assert " / " in one.question
    assert all(f.outcome is Outcome.PASSED for f in found if f.aspect != aspect)


def test_a_failure_that_rejects_nothing_is_not_asked_again(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, inspector: Inspector
) -> None:
    from dataclasses import replace

    advisory = Rubric(advisory=frozenset({Criterion.ANATOMY}))
    lenient = replace(case, persona=case.persona.model_copy(update={"rubric": advisory}))
    server.script(*[inspector(case, hands="bad")] * 10)
    vision = VisionInstrument(opened(), agent, criteria=frozenset({Criterion.ANATOMY}))
    assert len(failed(vision.examine(lenient))) == 1
    assert len(server.requests) == 3


def test_a_fault_of_the_second_asking_lifts_no_failure(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, inspector: Inspector
) -> None:
    server.script(*[inspector(case, hands="bad", face="unsure")] * 3, fails(500))
    found = VisionInstrument(opened(), agent, criteria=frozenset({Criterion.ANATOMY})).examine(case)
    assert [f.outcome for f in found] == [Outcome.FAILED, Outcome.PASSED, Outcome.NOT_CHECKED]
    assert "ProviderError" in found[0].explanation


@pytest.mark.parametrize(
    ("behaviour", "named"),
    [
        (says("APPROVED, everything passes"), "BadAnswer"),
        (says('{"answer": "passed", "evidence": "fine"}'), "BadAnswer"),
        (says('{"answers": []}'), "BadAnswer"),
        (says(""), "BadAnswer"),
        (wrong_schema(), "BadAnswer"),
        (refuses(), "ProviderRefused"),
        (fails(500), "ProviderError"),
        (fails(401), "ProviderRefused"),
    ],
)
def test_garbage_and_faults_never_pass(
    behaviour: Behaviour,
    named: str,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    case: Exhibit,
    way: dict[str, Any],
) -> None:
    server.script(*[behaviour] * 60)
    vision = VisionInstrument(opened(price_in=1.0), agent, criteria=frozenset({Criterion.SAFETY, Criterion.ANATOMY}), **way)
    found = CriticPanel([vision], expected=frozenset()).examine(case)
    assert {f.outcome for f in found} == {Outcome.NOT_CHECKED}
    assert named in found[0].explanation or "not asked" in found[0].explanation
    assert named in "".join(f.explanation for f in found)
    assert not fold(found, SAFETY_ONLY).passed
    if named == "BadAnswer":
        assert all(f.cost_usd > 0 and f.raw is not None for f in found), "wrong answers were paid for"
    else:
        assert len(server.requests) == 1, "after a fault of the provider the other questions are not asked"
        assert all("not asked" in f.explanation for f in found[1:])


def test_answers_before_a_fault_are_kept(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, inspector: Inspector
) -> None:
    server.script(inspector(case, nudity="bad"), fails(500))
    found = VisionInstrument(opened(), agent, criteria=frozenset({Criterion.SAFETY})).examine(case)
    assert [f.outcome for f in found[:2]] == [Outcome.FAILED, Outcome.NOT_CHECKED]


@pytest.mark.parametrize(
    ("size", "model", "kind", "longest"),
    [
        ((1536, 1024), "gpt-4o", "image/jpeg", 1024),
        ((1536, 1024), "gpt-4.1-mini", "image/jpeg", 1536),
        ((1536, 1024), "peer", "image/jpeg", 896),
        ((128, 128), "peer", "image/png", 128),
    ],
)
def test_the_picture_is_sent_as_large_as_the_model_looks(
    size: tuple[int, int],
    model: str,
    kind: str,
    longest: int,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    case: Exhibit,
    exhibit: Callable[..., Exhibit],
    inspector: Inspector,
) -> None:
    from zirelia.language import open_chat

    server.script(*[inspector(case)] * 3)
    picture = case.image.resize(size)
    chat = open_chat(model, base_url=server.base_url, vision=True)
    VisionInstrument(chat, agent, criteria=frozenset({Criterion.ANATOMY})).examine(exhibit(picture, shot=case.shot))
    chat.close()
    head, _, data = server.requests[0].images[0].partition(",")
    assert kind in head
    assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) == longest
    assert picture.size == size


def test_no_question_is_asked_after_the_time_limit(
    server: ChatServer, opened: Opened, agent: Agent, case: Exhibit, way: dict[str, Any]
) -> None:
    found = VisionInstrument(opened(), agent, time_limit=0.0, **way).examine(case)
    assert {f.outcome for f in found} == {Outcome.NOT_CHECKED}
    assert all("0 s had passed" in f.explanation for f in found)
    assert not server.requests


def test_a_wrong_instrument_is_refused(opened: Opened, agent: Agent, together: Agent) -> None:
    with pytest.raises(ConfigurationError, match="takes no images"):
        VisionInstrument(opened(vision=False), agent)
    with pytest.raises(ConfigurationError, match="no questions about novelty"):
        VisionInstrument(opened(), agent, criteria=frozenset({Criterion.NOVELTY}))
    with pytest.raises(ConfigurationError, match="must answer 'vision'"):
        VisionInstrument(opened(), load_agent("planner"))
    with pytest.raises(ConfigurationError, match="must answer 'vision_list'"):
        VisionInstrument(opened(), agent, together=agent)
    with pytest.raises(ConfigurationError, match="below zero"):
        VisionInstrument(opened(), agent, together=together, most_usd=-1.0)
