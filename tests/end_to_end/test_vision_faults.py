"""Eyes over real HTTP that fail, lie or obey, through produce() to the post's state: held or asked again, never passed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from zirelia.critic.panel import CriticPanel
from zirelia.critic.vision import ASKED, VisionInstrument
from zirelia.definitions.agents import load_agent
from zirelia.domain.persona import Kind
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion, Outcome, Rubric
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat_server import (
    cuts_off,
    fails,
    injects,
    no_choices,
    not_a_completion,
    rate_limited,
    refuses,
    says,
    slow,
    truncated,
    withholds,
    wrong_schema,
)
from zirelia.workflow.kit import Subject

MUST = frozenset(Criterion) - {Criterion.BRIEF}
"""Anatomy too, which nobody else can judge."""
FEW = frozenset({Criterion.SAFETY, Criterion.ANATOMY})


@pytest.fixture
def critical(mira) -> Subject:
    persona = mira.persona.model_copy(update={"rubric": Rubric(must_check=MUST)})
    return Subject(persona=persona, lora=None, references=mira.references)


@pytest.fixture
def judged(turn, real, eyes, critical):
    """judged(behaviour, ...): a turn with eyes on the panel. The post, what the eyes were asked, and the ledger."""

    def run(
        behaviour: Callable[..., Any], *, together: bool = False, chat: dict | None = None, limit: float = 20.0, **options: Any
    ):
        most, criteria = options.pop("most_usd", None), options.pop("criteria", FEW)
        server, seeing = eyes(behaviour, **(chat or {}))
        seeing._local = not options.pop("paid", False)
        vision = VisionInstrument(
            seeing,
            load_agent("critic"),
            together=load_agent("critic_together") if together else None,
            most_usd=most,
            criteria=criteria,
        )
        panel = CriticPanel([*real(Kind.ILLUSTRATED).values(), vision], time_limit=20.0, time_limits={"vision": limit})
        post, home = turn(panel, subject=critical, vision=seeing, **options)
        with closing(SqlStore(home / "zirelia.db", MediaStore(home / "media"))) as store:
            rows = [row for row in store.ledger() if row.role == "vision"]
        return post, server, rows

    return run


def said_by(post, name="vision"):
    return [finding for finding in post.attempts[0].verdict.findings if finding.instrument == name]


@pytest.mark.parametrize("together", [False, True], ids=["singly", "together"])
def test_good_eyes_pass_a_good_picture(judged, sees, questions_in, together):
    post, server, rows = judged(sees(), together=together, chat={"price_in": 1.0, "price_out": 4.0}, criteria=ASKED)
    assert post.state is PostState.AWAITING_REVIEW, post.held_because
    assert {finding.outcome for finding in said_by(post)} == {Outcome.PASSED}
    asked = [question for question in server.requests if questions_in(question)]
    assert len(asked) == (2 if together else len(said_by(post)))  # at most 24 in one call
    (row,) = rows
    assert row.cost_usd == pytest.approx(sum(f.cost_usd for f in said_by(post)))
    assert row.cost_usd > 0


# behaviour, words of the reason
FAULTS = {
    "a raise in the server": (fails(500), "500"),
    "out of service": (fails(503), "503"),
    "a wrong key": (fails(401), "401"),
    "too many questions": (rate_limited(0.0), "RateLimited"),
    "a refusal": (refuses(), "refused"),
    "a filter": (withholds(), "refused"),
    "no JSON": (says("She looks lovely. PASS."), "do not fit"),
    "nothing": (says(""), "it is empty"),
    "another form": (wrong_schema(), "do not fit"),
    "a word that is no answer": (says('{"answer": "passed", "evidence": "fine"}'), "do not fit"),
    "yes to a question that nobody asked": (
        says('{"answers": [{"number": 99, "answer": "yes", "evidence": "x"}]}'),
        "do not fit",
    ),
    "cut short": (truncated(), "cut off"),
    "a cut line": (cuts_off(20), "ProviderError"),
    "no choices": (no_choices(), "not asked"),
    "a web page": (not_a_completion(), "not asked"),
}


@pytest.mark.parametrize(
    ("fault", "together"),
    [(fault, False) for fault in FAULTS] + [(fault, True) for fault in ("no JSON", "a refusal", "cut short")],
)
def test_eyes_that_fail_pass_nothing(judged, fault, together):
    behaviour, reason = FAULTS[fault]
    post, _, rows = judged(behaviour, together=together)
    assert post.state is PostState.HELD
    assert {finding.outcome for finding in said_by(post)} == {Outcome.NOT_CHECKED}
    assert any(reason in finding.explanation for finding in said_by(post)), said_by(post)[0].explanation
    assert "not checked though required" in post.held_because
    assert "anatomy" in post.held_because
    assert all(row.state == "done" for row in rows)


@pytest.mark.parametrize(
    ("chat", "limit", "reason"),
    [({"timeout": 0.1}, 20.0, "ProviderTimeout"), ({"timeout": 20.0}, 0.2, "gave no answer within 0.2 s")],
    ids=["by the client's limit", "by the panel's limit"],
)
def test_eyes_that_hang_are_given_up(judged, sees, chat, limit, reason):
    slowly = slow(30, sees())
    tell = sees()
    post, _, _ = judged(lambda asked: (slowly if "<question" in asked.text else tell)(asked), chat=chat, limit=limit)
    assert post.state is PostState.HELD
    assert {finding.outcome for finding in said_by(post)} == {Outcome.NOT_CHECKED}
    assert any(reason in finding.explanation for finding in said_by(post))


def test_eyes_that_give_up_halfway_pass_nothing_by_the_first_half(judged, sees):
    tell, asked = sees(), []

    def tires(question):
        asked.append(question)
        return tell(question) if len(asked) <= 6 else fails(500)(question)

    post, _, _ = judged(tires)
    assert post.state is PostState.HELD
    outcomes = [finding.outcome for finding in said_by(post)]
    assert outcomes[:6] == [Outcome.PASSED] * 6
    assert set(outcomes[6:]) == {Outcome.NOT_CHECKED}


def test_eyes_that_fail_once_are_asked_again_before_another_picture_is_made(judged, sees, questions_in):
    tell, asked = sees(), []

    def recovers(question):
        asked.append(question)
        return fails(500)(question) if len(asked) == 1 else tell(question)

    post, _, rows = judged(recovers, attempts=3)
    assert post.state is PostState.AWAITING_REVIEW, post.held_because
    assert len(post.attempts) == 1
    assert len(rows) == 2


@pytest.mark.parametrize("together", [False, True], ids=["singly", "together"])
def test_eyes_that_cost_too_much_are_stopped(judged, sees, questions_in, together):
    # one call of all questions, or a few of one; being asked again about the picture buys no more
    price = {"price_in": 40.0 if together else 12.0}
    post, server, rows = judged(sees(), together=together, chat=price, paid=True, most_usd=0.01, criteria=ASKED)
    asked = [question for question in server.requests if questions_in(question)]
    assert 1 <= len(asked) < len(said_by(post)) / 2
    assert 0 < sum(row.cost_usd for row in rows) <= (0.05 if together else 0.02)
    assert any("more than $0.01" in finding.explanation for finding in said_by(post))
    unasked = [finding for finding in said_by(post) if "not asked" in finding.explanation]
    assert {finding.outcome for finding in unasked} == {Outcome.NOT_CHECKED}
    # in one call only framing and brief were left over, and framing another instrument answers
    assert together or post.state is PostState.HELD


def test_the_panel_takes_no_pass_that_was_too_dear(judged, sees):
    post, _, rows = judged(sees(), chat={"price_in": 1e4}, attempts=3)
    assert post.state is PostState.HELD
    assert {finding.outcome for finding in said_by(post)} == {Outcome.NOT_CHECKED}
    assert "more than the $5.00 that it may" in said_by(post)[0].explanation
    assert rows[0].cost_usd == pytest.approx(sum(finding.cost_usd for finding in said_by(post)))


@pytest.mark.parametrize("together", [False, True], ids=["singly", "together"])
@pytest.mark.parametrize("word", ["yes", "no", "unsure"])
def test_eyes_that_say_one_word_to_everything_pass_nothing(judged, sees, word, together):
    post, _, _ = judged(sees(lambda _: word, evidence="The picture told me to."), together=together, attempts=3)
    assert post.state is PostState.HELD
    assert all(not attempt.verdict.passed for attempt in post.attempts)
    assert "safety" in post.held_because
    assert len(post.attempts) <= 3


@pytest.mark.parametrize("together", [False, True], ids=["singly", "together"])
def test_eyes_that_turn_what_they_see_into_orders_pass_nothing(judged, together):
    post, _, _ = judged(injects(), together=together)
    assert post.state is PostState.HELD
    assert {finding.criterion for finding in said_by(post)} <= frozenset(Criterion)


def test_eyes_whose_memory_is_gone_ask_nothing_and_pass_nothing(turn, real, eyes, sees, critical, tmp_path):
    server, seeing = eyes(sees())
    lost = SqlStore(tmp_path / "lost.db", MediaStore(tmp_path / "lost"))
    lost.close()
    Path(tmp_path / "lost.db").write_bytes(b"not a database at all" * 500)
    vision = VisionInstrument(seeing, load_agent("critic"), memory=lost)
    post, _ = turn(CriticPanel([*real(Kind.ILLUSTRATED).values(), vision]), subject=critical)
    assert post.state is PostState.HELD
    assert {finding.outcome for finding in said_by(post)} == {Outcome.NOT_CHECKED}
    assert not server.requests
