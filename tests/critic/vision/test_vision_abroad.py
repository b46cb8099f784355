"""The instrument through Anthropic's and Google's own clients: both ways of asking, faults, and the key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zirelia.critic.questions import questions_for
from zirelia.critic.vision import ASKED, VisionInstrument
from zirelia.definitions.agents import Agent
from zirelia.definitions.answers import VisionListAnswer
from zirelia.domain.verdict import Criterion, Outcome
from zirelia.language import open_chat
from zirelia.language.schemas import strict_schema
from zirelia.ports import Exhibit
from zirelia.testing.anthropic_server import AnthropicServer
from zirelia.testing.gemini_server import GeminiServer
from zirelia.testing.provider_peer import PeerQuestion, declines, fails, says

KEY = "AKeyThatNobodyMaySee123"
SERVERS: dict[str, Any] = {"anthropic": AnthropicServer, "google_genai": GeminiServer}


def honest(exhibit: Exhibit, *, bad: str = "") -> Any:
    """Answers as a good picture deserves, but for one aspect, and consistently so."""
    questions = questions_for(exhibit, ASKED)
    expected = {each.text: (each.aspect, each.expects) for one in questions for each in (one, one.other_way())}

    def one(text: str) -> str:
        aspect, good = expected[text]
        return {"yes": "no", "no": "yes"}[good] if aspect == bad else good

    def say(question: PeerQuestion) -> str:
        if "<questions>" not in question.text:
            text = question.text.partition("<question>\n")[2].partition("\n</question>")[0]
            return json.dumps({"answer": one(text), "evidence": "It is plain."})
        lines = question.text.partition("<questions>\n")[2].partition("\n</questions>")[0].split("\n")
        told = [(int(line.partition(". ")[0]), one(line.partition(". ")[2])) for line in lines]
        return json.dumps({"answers": [{"number": n, "answer": said, "evidence": "It is plain."} for n, said in told]})

    return says(say)


@pytest.fixture(params=["anthropic", "google_genai"])
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(f"langchain_{name}")
    return name


@pytest.mark.parametrize("way", ["singly", "together"])
def test_a_picture_is_judged(provider: str, way: str, agent: Agent, together: Agent, case: Exhibit) -> None:
    with SERVERS[provider](honest(case, bad="hands"), key=KEY) as server:
        chat = open_chat(f"{provider}:test", api_key=KEY, vision=True, price_in=1.0, provider_url=server.url)
        vision = VisionInstrument(chat, agent, together=together if way == "together" else None)
        found = vision.examine(case)
        assert [f.aspect for f in found if f.outcome is Outcome.FAILED] == ["hands"]
        assert {f.outcome for f in found if f.aspect != "hands"} == {Outcome.PASSED}
        # two calls together: the questions, and the one that was in doubt
        assert len(server.asked) == (2 if way == "together" else len(found) + 1)
        assert all(f.cost_usd > 0 for f in found)
        assert {len(question.images) for question in server.asked} == {1}


@pytest.mark.parametrize(
    ("turn", "named"),
    [
        (declines(), "ProviderRefused"),
        (fails(401, f"wrong key {KEY}"), "ProviderRefused"),
        (fails(529, "Overloaded"), "ProviderError"),
    ],
)
def test_a_fault_is_not_checked_and_tells_no_key(
    provider: str, turn: Any, named: str, agent: Agent, together: Agent, case: Exhibit
) -> None:
    with SERVERS[provider](turn) as server:
        chat = open_chat(f"{provider}:test", api_key=KEY, vision=True, attempts=1, provider_url=server.url)
        criteria = frozenset({Criterion.SAFETY})
        found = VisionInstrument(chat, agent, together=together, criteria=criteria).examine(case)
        assert {f.outcome for f in found} == {Outcome.NOT_CHECKED}
        assert named in found[0].explanation
        assert KEY not in "".join(f.model_dump_json() for f in found)
        assert len(server.asked) == 1


def test_the_form_for_many_answers_fits_the_strict_mode_of_openai() -> None:
    form = strict_schema(VisionListAnswer.model_json_schema())
    assert form is not None
    assert form["additionalProperties"] is False
    assert form["$defs"]["NumberedAnswer"]["required"] == ["number", "answer", "evidence"]
