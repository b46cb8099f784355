"""Money: counted before it is spent, never counted twice, and a call that breaks a cap is not made."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion
from zirelia.errors import BadAnswer, ConfigurationError, OfflineViolation, ProviderError, ProviderTimeout, ZireliaError
from zirelia.ports import Usage
from zirelia.testing.chat import ScriptedChat
from zirelia.workflow.accounts import spent
from zirelia.workflow.kit import Budget
from zirelia.workflow.produce import opened, produce, resume, retry, write

EYES = ScriptedChat(vision=True)


def images_of(desk, price):
    desk.images._price = price
    return desk.images


def earlier(desk, usd, at, *, state=LedgerState.DONE, persona="mira"):
    entry = LedgerEntry(
        id=f"earlier:{at.isoformat()}", at=at, persona=persona, post_id=None, role="image", provider="fake", model="m",
        state=LedgerState.INTENT, estimate_usd=usd,
    )  # fmt: skip
    desk.store.open_call(entry)
    if state is not LedgerState.INTENT:
        cost = usd if state is LedgerState.DONE else None
        desk.store.close_call(entry.model_copy(update={"state": state, "cost_usd": cost}))


def test_a_month_counts_retries_too(desk, slot):
    images_of(desk, 0.04)
    desk.judge.verdicts = [{Criterion.BRIEF: None}] * 3
    held = produce(desk.kit(budget=Budget(month_usd=0.10)), desk.subject, slot())
    assert held.state is PostState.HELD
    assert "$0.08 of $0.10 this month; the next call may cost $0.04" in held.held_because
    assert (desk.images.paid, len(held.attempts), held.chosen) == (2, 2, 1)
    assert spent(desk.kit(), "mira") == pytest.approx(0.08)


def test_a_post_has_its_own_cap(desk, slot):
    images_of(desk, 0.04)
    desk.judge.verdicts = [{Criterion.BRIEF: None}] * 3
    held = produce(desk.kit(budget=Budget(month_usd=5, post_usd=0.05)), desk.subject, slot())
    assert f"post {held.id} has cost $0.04 of $0.05" in held.held_because
    assert desk.images.paid == 1
    desk.judge.verdicts.clear()
    assert produce(desk.kit(budget=Budget(month_usd=5, post_usd=0.05)), desk.subject).state is PostState.AWAITING_REVIEW


@pytest.mark.parametrize(
    ("at", "persona", "state", "allowed"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), "mira", LedgerState.DONE, False),
        (datetime(2026, 11, 20, tzinfo=UTC), "mira", LedgerState.INTENT, False),  # may be paid: counts
        (datetime(2026, 11, 20, tzinfo=UTC), "mira", LedgerState.UNKNOWN, False),
        (datetime(2026, 11, 20, tzinfo=UTC), "mira", LedgerState.FAILED, True),
        (datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), "mira", LedgerState.DONE, True),
        (datetime(2026, 11, 20, tzinfo=UTC), "noor", LedgerState.DONE, True),
    ],
)
def test_what_counts_this_month(desk, slot, at, persona, state, allowed):
    earlier(desk, 0.09, at, persona=persona, state=state)
    images_of(desk, 0.04)
    post = produce(desk.kit(budget=Budget(month_usd=0.10)), desk.subject, slot())
    assert (post.state is PostState.AWAITING_REVIEW) is allowed
    assert desk.images.paid == int(allowed)


def test_a_chat_question_beyond_the_budget_is_not_asked(desk, slot):
    desk.chat = ScriptedChat(cost=0.01)
    held = produce(desk.kit(budget=Budget(month_usd=0.02), chat_estimate_usd=0.01), desk.subject, slot())
    assert held.state is PostState.HELD
    assert len(desk.chat.asked) == 2
    assert desk.images.made == []


def test_a_picture_that_the_budget_lets_nobody_judge_is_kept_for_a_person(desk, slot):
    kit = desk.kit(budget=Budget(month_usd=0.05), vision=EYES, vision_estimate_usd=0.10)
    held = produce(kit, desk.subject, slot())
    assert held.state is PostState.HELD
    assert [a.verdict for a in held.attempts] == [None]
    assert held.chosen == 1
    assert not desk.judge.seen
    post = retry(desk.kit(vision=EYES, vision_estimate_usd=0.01), desk.subject, held.id)
    assert post.state is PostState.AWAITING_REVIEW


def test_the_critics_eyes_are_one_row_a_picture(desk, slot):
    produce(desk.kit(vision=EYES, vision_estimate_usd=0.10), desk.subject, slot())
    (row,) = [row for row in desk.store.ledger() if row.role == "vision"]
    assert (row.provider, row.model, row.estimate_usd, row.cost_usd) == ("script", "scripted", 0.10, 0.0)


def test_wrong_answers_are_paid_for(desk, slot):
    wrong = BadAnswer("gave 3 answers that do not fit", provider="script", raw="")
    vars(wrong)["usage"] = Usage(900, 60, 0.03, 1.0)
    desk.chat.script(wrong)
    produce(desk.kit(), desk.subject, slot())
    (row,) = desk.store.ledger()
    assert (row.state, row.cost_usd, row.tokens_in, row.tokens_out) == ("failed", 0.03, 900, 60)
    assert spent(desk.kit(), "mira") == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("failure", "state", "charged"),
    [
        (ProviderTimeout("slow", provider="fake"), "unknown", 0.04),
        (ProviderError("HTTP 500", provider="fake", retryable=True), "failed", 0.0),
        (KeyboardInterrupt(), "unknown", 0.04),
    ],
)
def test_silence_counts_and_a_refusal_does_not(desk, slot, failure, state, charged):
    images_of(desk, 0.04)

    def fail(*args, **options):
        raise failure

    desk.images.make = fail
    try:
        produce(desk.kit(), desk.subject, slot())
    except KeyboardInterrupt:
        assert desk.store.posts()[0].state is PostState.DRAFTED
    (row,) = [row for row in desk.store.ledger() if row.role == "image"]
    assert (row.state, row.note) == (state, type(failure).__name__)
    assert spent(desk.kit(), "mira") == pytest.approx(charged)


def test_a_resumed_call_is_not_counted_against_itself(desk, slot):
    """The cap allows one picture; the picture that was ordered before the crash is that one."""
    images_of(desk, 0.05)
    budget = Budget(month_usd=0.05, post_usd=0.05)
    created = type(desk.images)._pay

    def dies(call, wish):
        created(desk.images, call, wish)
        raise SystemExit(9)

    desk.images._pay = dies
    with pytest.raises(SystemExit):
        produce(desk.kit(budget=budget), desk.subject, slot())
    del desk.images._pay
    post = resume(desk.kit(budget=budget), desk.subject, 1)
    assert post.state is PostState.AWAITING_REVIEW
    assert desk.images.paid == 1
    (row,) = [row for row in desk.store.ledger() if row.role == "image"]
    assert (row.state, row.cost_usd) == ("done", 0.05)
    assert post.attempts[0].provenance.external_id == row.external_id


def test_a_question_that_is_asked_again_counts_twice(desk, slot):
    """Of the first one nothing was heard: it may have been answered, and charged."""
    desk.chat = ScriptedChat(cost=0.01)
    desk.chat.script(*[ProviderTimeout("slow", provider="script")] * 2)
    kit = desk.kit(chat_estimate_usd=0.02)
    post = desk.store.add_post(*opened(desk.subject.persona, slot().id, slot().at, now=kit.now()))
    for _ in range(2):
        with pytest.raises(ProviderTimeout):
            write(kit, desk.subject, post.id, patient=True)
    assert write(kit, desk.subject, post.id, patient=True).state is PostState.DRAFTED
    paid = len(desk.chat.asked) - 2
    assert spent(kit, "mira") == pytest.approx(2 * 0.02 + 0.01 * paid)
    assert [row.charged_usd for row in desk.store.ledger() if row.lost] == [0.02, 0.02]


def test_a_picture_that_is_asked_for_again_counts_twice(desk, slot):
    images_of(desk, 0.04)
    make = desk.images.make

    def silent(*args, **options):
        raise ProviderTimeout("slow", provider="fake")

    desk.images.make = silent
    held = produce(desk.kit(), desk.subject, slot())
    desk.images.make = make
    # this one gives ids, and would have found what was made
    desk.images._pay = lambda call, wish: None
    assert retry(desk.kit(), desk.subject, held.id).state is PostState.AWAITING_REVIEW
    assert spent(desk.kit(), "mira") == pytest.approx(0.08)


@pytest.mark.parametrize("failure", [ConfigurationError("no such size"), OfflineViolation("offline")])
def test_what_was_never_sent_counts_nothing(desk, slot, failure):
    images_of(desk, 0.04)

    def fail(*args, **options):
        raise failure

    desk.images.make = fail
    for turn in (lambda: produce(desk.kit(), desk.subject, slot()), lambda: resume(desk.kit(), desk.subject, 1)):
        with suppress(ZireliaError):
            turn()
    (row,) = [row for row in desk.store.ledger() if row.role == "image"]
    assert (row.state, row.note) == ("failed", type(failure).__name__)
    assert spent(desk.kit(), "mira") == 0.0
