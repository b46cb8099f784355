"""Caps at work: a turn that would go beyond one is held with the reason, by the persona's own calendar."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion
from zirelia.errors import BudgetExceeded, ProviderTimeout
from zirelia.workflow.accounts import Account, counted
from zirelia.workflow.kit import Budget
from zirelia.workflow.produce import produce, retry

TOKYO, LOS_ANGELES = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")


def earlier(desk, at, *, usd=0.09, state=LedgerState.DONE):
    entry = LedgerEntry(
        id=f"earlier:{at.isoformat()}", at=at, persona="mira", post_id=None, role="image", provider="fake", model="m",
        state=LedgerState.INTENT, estimate_usd=usd,
    )  # fmt: skip
    desk.store.open_call(entry)
    if state is not LedgerState.INTENT:
        cost = usd if state is LedgerState.DONE else None
        desk.store.close_call(entry.model_copy(update={"state": state, "cost_usd": cost}))


def may_call(desk, budget, *, now, estimate=0.04, role="image"):
    kit = replace(desk.kit(budget=budget), now=lambda: now)
    try:
        with counted(kit, Account("mira", "try"), role, desk.images.facts(), key="1", estimate=estimate):
            return True
    except BudgetExceeded:
        return False


@pytest.mark.parametrize("cap", [{"day_images": 2}, {"month_images": 2}])
def test_free_pictures_have_a_cap_too_and_the_post_says_why_it_is_held(desk, slot, cap):
    desk.judge.verdicts = [{Criterion.BRIEF: None}] * 2
    held = produce(desk.kit(budget=Budget(**cap)), desk.subject, slot())
    when = "today" if "day_images" in cap else "this month"
    assert held.state is PostState.HELD
    assert held.held_because == f"mira has 2 of 2 pictures {when}; the next one is 1 beyond budget.{next(iter(cap))}"
    assert (len(desk.images.made), len(held.attempts), held.chosen) == (2, 2, 1)
    # nothing is lost: with room for one more the post goes on
    more = {name: limit + 1 for name, limit in cap.items()}
    assert retry(desk.kit(budget=Budget(**more)), desk.subject, held.id).state is PostState.AWAITING_REVIEW


def test_no_pictures_at_all_is_a_cap(desk, slot):
    held = produce(desk.kit(budget=Budget(day_images=0)), desk.subject, slot())
    assert (held.state, held.attempts) == (PostState.HELD, ())
    assert "0 of 0 pictures today" in held.held_because
    assert held.draft is not None


def test_a_picture_that_nobody_knows_the_end_of_counts(desk, slot):
    desk.images.failures.append(ProviderTimeout("slow", provider="fake"))
    produce(desk.kit(budget=Budget(day_images=1)), desk.subject, slot())
    second = produce(desk.kit(budget=Budget(day_images=1)), desk.subject, slot("night", 21))
    assert "mira has 1 of 1 pictures today" in second.held_because


def test_a_day_has_its_own_cap(desk, slot):
    desk.images._price = 0.04
    desk.judge.verdicts = [{Criterion.BRIEF: None}] * 3
    held = produce(desk.kit(budget=Budget(month_usd=5, day_usd=0.05)), desk.subject, slot())
    assert "mira has spent $0.04 of $0.05 today" in held.held_because
    assert "$0.03 beyond budget.day_usd" in held.held_because


@pytest.mark.parametrize(
    ("zone", "spent_at", "now", "allowed"),
    [
        # 15:00 in UTC is midnight in Tokyo
        (TOKYO, "2026-11-21T14:59:59", "2026-11-21T15:00", True),
        (TOKYO, "2026-11-21T15:00", "2026-11-22T14:59", False),
        # the UTC day changes there in the afternoon
        (LOS_ANGELES, "2026-11-21T23:30", "2026-11-22T00:30", False),
        (LOS_ANGELES, "2026-11-22T07:59:59", "2026-11-22T08:00", True),
        # 1 November lasts 25 hours there: 07:00 to 08:00 the next day
        (LOS_ANGELES, "2026-11-01T07:00", "2026-11-02T07:30", False),
        (LOS_ANGELES, "2026-11-01T07:00", "2026-11-02T08:00", True),
        (LOS_ANGELES, "2026-11-01T06:59:59", "2026-11-01T07:00", True),
        # 8 March lasts 23
        (LOS_ANGELES, "2026-03-08T08:00", "2026-03-09T06:59", False),
        (LOS_ANGELES, "2026-03-08T08:00", "2026-03-09T07:00", True),
    ],
)
@pytest.mark.parametrize("cap", [{"day_usd": 0.10}, {"day_images": 1}])
def test_the_day_is_hers(desk, zone, spent_at, now, allowed, cap):
    earlier(desk, datetime.fromisoformat(spent_at).replace(tzinfo=UTC))
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert may_call(desk, Budget(zone=zone, **cap), now=moment) is allowed


@pytest.mark.parametrize(
    ("zone", "now", "allowed"),
    [(TOKYO, "2026-11-30T15:00", True), (TOKYO, "2026-11-30T14:59", False), (LOS_ANGELES, "2026-12-01T07:59", False)],
)
def test_so_is_the_month(desk, zone, now, allowed):
    earlier(desk, datetime(2026, 11, 30, 14, tzinfo=UTC))
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert may_call(desk, Budget(month_usd=0.10, zone=zone), now=moment) is allowed


def test_two_threads_share_one_cap(desk):
    """Each counts its calls through a kit of its own; what is open counts like what is done."""
    numbers, made, gate = itertools.count(), [], threading.Barrier(2)

    def work(name):
        kit = replace(desk.kit(budget=Budget(day_usd=0.10)), now=lambda: datetime(2026, 11, 21, 9, tzinfo=UTC))
        gate.wait()
        for _ in range(4):
            try:
                with counted(
                    kit, Account("mira", name), "image", desk.images.facts(), key=f"{next(numbers)}", estimate=0.03
                ) as c:
                    made.append(name)
                    c.cost = 0.03
            except BudgetExceeded:
                return

    workers = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(made) == 3
    assert desk.store.spent(persona="mira").usd == 0.09
