"""Caps: what goes beyond one, what is said of it, and where a persona's own day and month begin."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from zirelia.domain.budget import Cap, Period, Spent, Unit, beginning, check, dollars
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.errors import BudgetExceeded

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def call(estimate: float = 0.0, role: str = "chat") -> LedgerEntry:
    return LedgerEntry(
        id="a", at=NOW, persona="mira", post_id=None, role=role, provider="p", model="m", state=LedgerState.INTENT,
        estimate_usd=estimate,
    )  # fmt: skip


def allowed(cap: Cap, so_far: float, entry: LedgerEntry) -> bool:
    try:
        check(cap, so_far, entry)
    except BudgetExceeded:
        return False
    return True


@pytest.mark.parametrize(
    ("unit", "limit", "so_far", "estimate", "role", "fits"),
    [
        (Unit.USD, 1.0, 0.9, 0.1, "chat", True),
        (Unit.USD, 0.3, 0.1 + 0.2 - 0.1, 0.1, "chat", True),  # noise of floating point is no money
        (Unit.USD, 1.0, 0.9, 0.100001, "chat", False),
        (Unit.USD, 0.0, 0.0, 0.000001, "chat", False),
        (Unit.USD, 1.0, 9.0, 0.0, "chat", True),  # a free call is not refused for money
        (Unit.USD, 1.0, 9.0, 0.0, "image", True),
        (Unit.USD, 0.0, 0.0, 0.0, "image", True),
        (Unit.IMAGES, 3, 2, 0.0, "image", True),
        (Unit.IMAGES, 3, 3, 0.0, "image", False),
        (Unit.IMAGES, 0, 0, 0.0, "image", False),
        (Unit.IMAGES, 0, 0, 0.5, "vision", True),
        (Unit.IMAGES, 0, 0, 0.5, "train", True),
    ],
)
def test_what_fits(unit, limit, so_far, estimate, role, fits):
    assert allowed(Cap(period=Period.DAY, unit=unit, limit=limit), so_far, call(estimate, role)) is fits


@pytest.mark.parametrize(
    ("period", "unit", "limit", "so_far", "said", "way_out"),
    [
        (
            Period.MONTH, Unit.USD, 0.10, 0.08,
            "mira has spent $0.08 of $0.10 this month; the next call may cost $0.04, which is $0.02 beyond budget.month_usd",
            "raise ZIRELIA_BUDGET_MONTH_USD, or wait for the next month",
        ),
        (
            Period.DAY, Unit.USD, 0.0401, 0.0002,
            "mira has spent $0.0002 of $0.0401 today; the next call may cost $0.04, which is $0.0001 beyond budget.day_usd",
            "raise ZIRELIA_BUDGET_DAY_USD, or wait for the next day",
        ),
        (
            Period.POST, Unit.USD, 0.05, 0.04,
            "post 7 has cost $0.04 of $0.05; the next call may cost $0.04, which is $0.03 beyond budget.post_usd",
            "raise ZIRELIA_BUDGET_POST_USD, or decide on the post as it is",
        ),
        (
            Period.DAY, Unit.IMAGES, 3, 3,
            "mira has 3 of 3 pictures today; the next one is 1 beyond budget.day_images",
            "raise ZIRELIA_BUDGET_DAY_IMAGES, or wait for the next day",
        ),
        (
            Period.MONTH, Unit.IMAGES, 3, 5,
            "mira has 5 of 3 pictures this month; the next one is 3 beyond budget.month_images",
            "raise ZIRELIA_BUDGET_MONTH_IMAGES, or wait for the next month",
        ),
    ],
)  # fmt: skip
def test_what_is_said(period, unit, limit, so_far, said, way_out):
    cap = Cap(period=period, unit=unit, limit=limit, post_id=7 if period is Period.POST else None)
    with pytest.raises(BudgetExceeded) as caught:
        check(cap, so_far, call(0.04, "image"))
    assert (caught.value.message, caught.value.hint) == (said, way_out)


@pytest.mark.parametrize(
    ("zone", "now", "day", "month"),
    [
        ("UTC", "2026-11-21T09:00", "2026-11-21T00:00", "2026-11-01T00:00"),
        # Tokyo is already in the next day, and in the next month
        ("Asia/Tokyo", "2026-11-30T14:59:59", "2026-11-29T15:00", "2026-10-31T15:00"),
        ("Asia/Tokyo", "2026-11-30T15:00", "2026-11-30T15:00", "2026-11-30T15:00"),
        # Los Angeles is still in the day and the month before
        ("America/Los_Angeles", "2026-12-01T07:59:59", "2026-11-30T08:00", "2026-11-01T07:00"),
        ("America/Los_Angeles", "2026-12-01T08:00", "2026-12-01T08:00", "2026-12-01T08:00"),
        # the day that has 25 hours there: it begins by summer time and ends by winter time
        ("America/Los_Angeles", "2026-11-02T07:59:59", "2026-11-01T07:00", "2026-11-01T07:00"),
        ("America/Los_Angeles", "2026-11-02T08:00", "2026-11-02T08:00", "2026-11-01T07:00"),
        # and the one of 23 hours
        ("America/Los_Angeles", "2026-03-09T06:59:59", "2026-03-08T08:00", "2026-03-01T08:00"),
        ("America/Los_Angeles", "2026-03-09T07:00", "2026-03-09T07:00", "2026-03-01T08:00"),
        # a day without a midnight begins at one o'clock
        ("Africa/Cairo", "2026-04-24T12:00", "2026-04-23T22:00", "2026-03-31T22:00"),
        # of two midnights the first counts
        ("America/Havana", "2026-11-01T05:30", "2026-11-01T04:00", "2026-11-01T04:00"),
    ],
)
def test_where_her_day_and_month_begin(zone, now, day, month):
    at, where = datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone)
    starts = [beginning(period, at, where) for period in (Period.DAY, Period.MONTH)]
    assert [start.replace(tzinfo=None).isoformat("T", "minutes") for start in starts] == [day, month]
    assert all(start.tzinfo is UTC and start <= at for start in starts)
    assert beginning(Period.POST, at, where) is None


def test_a_cap_covers_what_comes_from_its_beginning_on():
    cap = Cap(period=Period.DAY, unit=Unit.USD, limit=1, since=NOW)
    assert cap.covers(NOW)
    assert not cap.covers(NOW.replace(hour=8))
    assert Cap(period=Period.POST, unit=Unit.USD, limit=1).covers(NOW.replace(year=2000))


@pytest.mark.parametrize(("usd", "said"), [(0, "$0.00"), (0.1, "$0.10"), (12.345, "$12.345"), (0.000001, "$0.000001")])
def test_dollars(usd, said):
    assert dollars(usd) == said


def test_spent_in_either_unit():
    assert [Spent(usd=0.5, images=3).of(unit) for unit in Unit] == [0.5, 3]
