"""Many questions in one call: what is believed of the answers by number, and what it saves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zirelia.critic.vision import VisionInstrument
from zirelia.critic.vision_asking import MOST_TOGETHER
from zirelia.definitions.agents import Agent
from zirelia.domain.verdict import Criterion, Outcome
from zirelia.language import LangChainChat
from zirelia.ports import Exhibit
from zirelia.testing.chat_server import Behaviour, ChatServer, says, truncated

Opened = Callable[..., LangChainChat]
Inspector = Callable[..., Behaviour]
Numbered = list[tuple[int, str]]
ANATOMY = frozenset({Criterion.ANATOMY})


@pytest.mark.parametrize(
    ("change", "singly"),
    [
        pytest.param(lambda told: told, 0, id="complete"),
        pytest.param(lambda told: told[::-1], 0, id="in another order"),
        pytest.param(lambda told: told[1:], 1, id="the first missing"),
        pytest.param(lambda told: told[:1], 2, id="two missing"),
        pytest.param(lambda told: [], 3, id="none at all"),
        pytest.param(lambda told: [*told, (2, "no")], 1, id="one doubled"),
        pytest.param(lambda told: [*told, (1, "yes"), (2, "yes")], 2, id="two doubled with other answers"),
        pytest.param(lambda told: [*told, (9, "no")], 3, id="one that was never asked"),
        pytest.param(lambda told: [(number + 1, said) for number, said in told], 3, id="counted from two"),
    ],
)
def test_what_is_not_answered_once_by_its_number_is_asked_by_itself(
    change: Callable[[Numbered], Numbered],
    singly: int,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    together: Agent,
    case: Exhibit,
    inspector: Inspector,
) -> None:
    server.script(inspector(case, change), *[inspector(case)] * 3)
    vision = VisionInstrument(opened(price_in=1.0), agent, together=together, criteria=ANATOMY)
    found = vision.examine(case)
    assert [f.outcome for f in found] == [Outcome.PASSED] * 3
    assert len(server.requests) == 1 + singly
    assert all(request.text.count("<question>\n") == 1 for request in server.requests[1:])
    paid = sum(len(request.text) // 4 + 1 for request in server.requests) / 1e6
    assert sum(f.cost_usd for f in found) == pytest.approx(paid)


def test_counted_from_zero_is_asked_again(
    server: ChatServer, opened: Opened, agent: Agent, together: Agent, case: Exhibit, inspector: Inspector
) -> None:
    shifted = inspector(case, lambda told: [(number - 1, said) for number, said in told])
    server.script(shifted, *[inspector(case)] * 3)
    found = VisionInstrument(opened(), agent, together=together, criteria=ANATOMY).examine(case)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert len(server.requests) == 2


@pytest.mark.parametrize("behaviour", [says("All fine!"), truncated('{"answers": [{"number": 1, "ans')])
def test_a_model_that_cannot_is_asked_one_at_a_time(
    behaviour: Behaviour,
    server: ChatServer,
    opened: Opened,
    agent: Agent,
    together: Agent,
    case: Exhibit,
    inspector: Inspector,
) -> None:
    server.script(*[behaviour] * 3, *[inspector(case)] * 3)
    vision = VisionInstrument(opened(price_in=1.0), agent, together=together, criteria=ANATOMY)
    found = vision.examine(case)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert len(server.requests) == 6
    single = len(server.requests[-1].text) // 4 / 1e6
    assert all(f.cost_usd > single for f in found), "what the useless calls cost is in the findings"


def test_a_wordy_answer_does_not_spoil_the_others(
    server: ChatServer, opened: Opened, agent: Agent, together: Agent, case: Exhibit
) -> None:
    import json

    told = [{"number": n, "answer": "no", "evidence": "long " * 100} for n in (1, 2, 3)]
    server.script(says(json.dumps({"answers": told})))
    found = VisionInstrument(opened(), agent, together=together, criteria=ANATOMY).examine(case)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert len(server.requests) == 1


def test_doubts_share_one_second_call(
    server: ChatServer, opened: Opened, agent: Agent, together: Agent, case: Exhibit, inspector: Inspector
) -> None:
    server.script(*[inspector(case, hands="bad", face="bad", limbs=("bad", "good"))] * 2)
    found = VisionInstrument(opened(), agent, together=together, criteria=ANATOMY).examine(case)
    assert [f.outcome for f in found] == [Outcome.FAILED, Outcome.NOT_CHECKED, Outcome.FAILED]
    assert len(server.requests) == 2


def test_very_many_questions_are_split(
    server: ChatServer, opened: Opened, agent: Agent, together: Agent, case: Exhibit, inspector: Inspector
) -> None:
    from dataclasses import replace

    limits = tuple(f"thing {number}" for number in range(MOST_TOGETHER))
    boundaries = case.persona.boundaries.model_copy(update={"images": limits})
    careful = replace(case, persona=case.persona.model_copy(update={"boundaries": boundaries}))
    server.script(*[inspector(careful)] * 2)
    criteria = frozenset({Criterion.SAFETY})
    found = VisionInstrument(opened(), agent, together=together, criteria=criteria).examine(careful)
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert len(found) == MOST_TOGETHER + 4
    assert len(server.requests) == 2


def test_one_call_is_much_cheaper(
    server: ChatServer, opened: Opened, agent: Agent, together: Agent, case: Exhibit, inspector: Inspector
) -> None:
    """Calls, and tokens of text; each call pays for the picture once more on top."""
    used = {}
    for name, extra in (("singly", None), ("together", together)):
        before = len(server.requests)
        server.script(*[inspector(case)] * 40)
        chat = opened(price_in=1.0)
        found = VisionInstrument(chat, agent, together=extra).examine(case)
        used[name] = len(server.requests) - before, sum(f.cost_usd for f in found)
        assert {f.outcome for f in found} == {Outcome.PASSED}
        server._scripts["/v1/chat/completions"].clear()
    assert used["singly"][0] == 19
    assert used["together"][0] == 1
    assert used["together"][1] < used["singly"][1] / 4
