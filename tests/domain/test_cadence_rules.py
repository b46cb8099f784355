"""Spread, gap, holidays, events and blackouts; a pack's zone that changes; clocks that jump; the month of five personas."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.cadence import (
    Cadence,
    Slot,
    Spread,
    closed_on,
    holiday_on,
    next_slot,
    occasion_on,
    slots_between,
    slots_on,
)
from zirelia.domain.cadence_weeks import days_ahead

DAY = [
    {"name": "morning", "start": "07:30", "end": "09:30"},
    {"name": "noon", "start": "12:00", "end": "13:30"},
    {"name": "evening", "start": "18:00", "end": "21:30"},
]
WIDE = [{"name": name, "start": start, "end": "20:00"} for name, start in (("a", "08:00"), ("b", "09:00"), ("c", "10:00"))]
FAIR = {"name": "fair", "day": "2027-05-29", "topic": "the book fair"}
OWN = {**FAIR, "start": "15:00", "end": "16:00"}
SATURDAY = date(2027, 5, 29)


def cadence(**says: Any) -> Cadence:
    return Cadence.model_validate({"timezone": "Europe/Lisbon", "windows": DAY, **says})


def a_month(rule: Cadence, persona: str = "mira", first: date = date(2027, 3, 10), days: int = 31) -> list[Slot]:
    return [slot for n in range(days) for slot in slots_on(rule, persona, first + timedelta(days=n))]


def closest(slots: list[Slot]) -> timedelta:
    return min(later.at - earlier.at for earlier, later in itertools.pairwise(slots))


# ---- spread


@given(drawn=st.floats(0, 1, exclude_max=True), width=st.floats(0.01, 1), shape=st.sampled_from(["even", "triangular"]))
def test_a_spread_stays_in_its_width(drawn: float, width: float, shape: str) -> None:
    place = Spread.model_validate({"shape": shape, "width": width}).place(drawn)
    assert (1 - width) / 2 - 1e-9 <= place <= (1 + width) / 2 + 1e-9


def test_the_even_spread_is_the_draw_itself() -> None:
    assert [Spread().place(n / 997) for n in range(997)] == [n / 997 for n in range(997)]


def test_the_triangle_has_its_peak_in_the_middle() -> None:
    places = [Spread(shape="triangular").place((n + 0.5) / 1000) for n in range(1000)]
    tenths = [sum(1 for place in places if tenth <= place * 10 < tenth + 1) for tenth in range(10)]
    # the density rises from 0 to 2 and falls again: a tenth holds 2, 6, 10, 14, 18 hundredths
    assert tenths == pytest.approx([20, 60, 100, 140, 180, 180, 140, 100, 60, 20], abs=2)


def test_the_width_is_seen_in_the_slots() -> None:
    rule = cadence(spread={"shape": "triangular", "width": 0.5}, windows=DAY[:1])
    clocks = [slot.at.astimezone(rule.zone).time() for slot in a_month(rule, days=365)]
    assert time(8, 0) <= min(clocks) < time(8, 15)
    assert time(8, 45) < max(clocks) <= time(9, 0)


# ---- gap


@st.composite
def gapped(draw: st.DrawFn) -> Cadence:
    """A cadence with a gap that its windows have room for."""
    starts = sorted(draw(st.lists(st.integers(0, 22 * 60), min_size=1, max_size=5, unique=True)))
    windows = [
        {"name": f"w{n}", "start": _clock(at), "end": _clock(min(at + draw(st.integers(1, 400)), 1439))}
        for n, at in enumerate(starts)
    ]
    low = draw(st.integers(0, len(windows)))
    says = {
        "timezone": draw(st.sampled_from(["Europe/Lisbon", "America/New_York", "Asia/Kathmandu", "Africa/Cairo"])),
        "windows": windows,
        "min_daily": low,
        "max_daily": draw(st.integers(low, len(windows))),
        "spread": {"shape": draw(st.sampled_from(["even", "triangular"])), "width": draw(st.floats(0.1, 1))},
    }
    for gap in (draw(st.integers(1, 720)), draw(st.integers(1, 120)), draw(st.integers(1, 30)), 1, 0):
        try:
            return Cadence.model_validate({**says, "min_gap_minutes": gap})
        except ValidationError:
            continue
    raise AssertionError("no gap is always possible")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(rule=gapped(), first=st.dates(date(2024, 1, 1), date(2030, 12, 1)))
def test_the_gap_is_kept_within_days_and_over_midnight_and_the_volume_does_not_suffer(rule: Cadence, first: date) -> None:
    slots = a_month(rule, first=first, days=10)
    assert all(later.at - earlier.at >= rule.gap for earlier, later in itertools.pairwise(slots))
    for day in days_ahead(rule, "mira", first, 1):
        assert len(day.slots) <= rule.max_daily
        before = days_ahead(rule, "mira", day.day - timedelta(days=1), 1)[0]
        if not day.clock_shift and not before.clock_shift:
            assert len(day.slots) >= rule.min_daily
        for slot in day.slots:
            span = next(one for one in rule.windows if one.name == slot.window)
            assert day.clock_shift or span.start <= slot.at.astimezone(rule.zone).time() <= span.end


def test_a_gap_moves_only_what_is_too_near() -> None:
    free, kept = (a_month(cadence(min_daily=3, max_daily=3, min_gap_minutes=gap), days=60) for gap in (0, 240))
    assert [slot.id for slot in kept] == [slot.id for slot in free]
    assert closest(free) < timedelta(hours=4) <= closest(kept)
    assert sum(one.at == other.at for one, other in zip(free, kept, strict=True)) > len(free) / 3


def test_the_night_of_a_clock_change_keeps_the_gap() -> None:
    # 23:50 to 04:10 are 260 minutes, and 200 of them in the night when clocks go forward
    windows = [{"name": "early", "start": "04:10", "end": "04:30"}, {"name": "late", "start": "23:00", "end": "23:50"}]
    rule = cadence(windows=windows, min_daily=2, max_daily=2, min_gap_minutes=220)
    slots = a_month(rule, first=date(2027, 3, 27), days=3)
    assert all(later.at - earlier.at >= rule.gap for earlier, later in itertools.pairwise(slots))
    assert len(slots) == 6


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (
            {"windows": WIDE, "max_daily": 3, "min_gap_minutes": 361},
            r"3 posts 361 minutes apart do not fit from 'a' \(08:00\) to 'c' \(until 20:00\)",
        ),
        ({"max_daily": 2, "min_gap_minutes": 361}, r"2 posts 361 minutes apart do not fit from 'morning' .* \(until 13:30\)"),
        ({"min_gap_minutes": 601}, r"from the end of 'evening' \(21:30\) to 'morning' on the next day \(07:30\) are 600"),
        ({"min_gap_minutes": 721}, "less than or equal to 720"),
        ({"min_gap_minutes": -1}, "greater than or equal to 0"),
    ],
)
def test_a_gap_without_room_is_refused(says: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        cadence(**says)


def test_the_largest_gaps_that_have_room() -> None:
    assert cadence(min_gap_minutes=600).gap == timedelta(hours=10)
    assert cadence(max_daily=2, min_gap_minutes=360).gap == timedelta(hours=6)


# ---- holidays, rest days, events, blackouts


def test_a_holiday_has_fewer_posts_of_the_same_draw() -> None:
    plain = cadence(country="PT", min_daily=2, max_daily=3)
    quiet = cadence(country="PT", min_daily=2, max_daily=3, holiday_max_daily=1)
    silent = cadence(country="PT", min_daily=2, max_daily=3, holiday_max_daily=0)
    for n in range(365):
        day = date(2027, 1, 1) + timedelta(days=n)
        if holiday_on(plain, day) is None:
            assert slots_on(quiet, "mira", day) == slots_on(plain, "mira", day) == slots_on(silent, "mira", day)
        else:
            (only,) = slots_on(quiet, "mira", day)
            assert only in slots_on(plain, "mira", day)
            assert slots_on(silent, "mira", day) == ()
    assert occasion_on(plain, date(2027, 12, 25)) == "Christmas Day"


def test_years_that_no_calendar_knows_have_no_holidays() -> None:
    assert occasion_on(cadence(country="IN"), date(2100, 8, 15)) in (None, "Independence Day")
    assert occasion_on(cadence(country="PT"), date(9999, 12, 25)) is None


def test_an_event_is_heard_of_on_its_day_and_changes_no_slot_without_a_post_of_its_own() -> None:
    rule = cadence(events=[FAIR, {"name": "xmas", "day": "2027-12-25", "topic": "her first snow"}], country="PT")
    assert occasion_on(rule, SATURDAY) == "the book fair"
    assert occasion_on(rule, date(2027, 12, 25)) == "her first snow; Christmas Day"
    assert occasion_on(rule, SATURDAY + timedelta(days=1)) is None
    assert a_month(rule, days=300) == a_month(cadence(), days=300)


@pytest.mark.parametrize("says", [{}, {"rest_days": [6]}, {"min_gap_minutes": 60}])
def test_an_events_own_post_is_on_top(says: dict[str, Any]) -> None:
    rule, without = cadence(events=[OWN], **says), cadence(**says)
    slots = slots_on(rule, "mira", SATURDAY)
    (extra,) = [slot for slot in slots if slot.window == "fair"]
    assert extra.id == "mira:2027-05-29:fair"
    assert time(15) <= extra.at.astimezone(rule.zone).time() <= time(16)
    assert [slot.id for slot in slots if slot != extra] == [slot.id for slot in slots_on(without, "mira", SATURDAY)]


def test_an_event_that_crowds_a_window_out_keeps_the_gap() -> None:
    rule = cadence(min_daily=3, max_daily=3, min_gap_minutes=240, events=[{**OWN, "start": "10:00", "end": "11:00"}])
    slots = slots_on(rule, "mira", SATURDAY)
    assert [slot.window for slot in slots] == ["fair", "evening"]
    assert closest(list(slots)) >= rule.gap
    # late in the evening: the next morning makes room for it
    late = cadence(min_daily=3, max_daily=3, min_gap_minutes=300, events=[{**OWN, "start": "23:30", "end": "23:59"}])
    assert closest(a_month(late, first=SATURDAY - timedelta(days=1), days=4)) >= late.gap


def test_nothing_is_posted_on_a_blackout() -> None:
    silence = [{"start": "2027-05-28", "end": "2027-05-30", "because": "mourning"}, {"start": "2027-06-05"}]
    rule = cadence(events=[OWN], blackouts=silence, rest_days=[1])
    found = {slot.day.isoformat() for slot in a_month(rule, first=date(2027, 5, 26), days=12)}
    assert found == {"2027-05-26", "2027-05-27", "2027-06-01", "2027-06-02", "2027-06-03", "2027-06-04", "2027-06-06"}
    assert [closed_on(rule, date(2027, 5, 27) + timedelta(days=n)) for n in range(5)] == [
        None, "blackout: mourning", "blackout: mourning", "blackout: mourning", "rest day",
    ]  # fmt: skip
    assert closed_on(rule, date(2027, 6, 5)) == "blackout"


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ({"holiday_max_daily": 1}, "needs 'country'"),
        ({"holiday_max_daily": -1, "country": "PT"}, "greater than or equal to 0"),
        ({"spread": {"shape": "normal"}}, "'even' or 'triangular'"),
        ({"spread": {"width": 0}}, "greater than 0"),
        ({"spread": {"width": 1.01}}, "less than or equal to 1"),
        ({"spread": {"width": float("nan")}}, "width"),
        ({"events": [{**FAIR, "start": "10:00"}]}, "needs both"),
        ({"events": [{**FAIR, "start": "10:00", "end": "09:00"}]}, "'fair' ends before it starts"),
        ({"events": [{**FAIR, "start": "10:00+02:00", "end": "11:00"}]}, "without a zone"),
        ({"events": [{**FAIR, "day": "2027-02-29"}]}, "day"),
        ({"events": [{**FAIR, "day": 0}]}, "a day as 2027-05-29"),
        ({"events": [{**FAIR, "topic": " "}]}, "topic"),
        ({"events": [{**FAIR, "name": "noon"}]}, "'noon' like a window"),
        ({"events": [FAIR, FAIR]}, "two events on 2027-05-29 have the same name"),
        ({"events": [OWN, {**OWN, "name": "talk"}], "min_gap_minutes": 90}, "do not fit 90 minutes apart"),
        ({"blackouts": [{"start": "2027-08-14", "end": "2027-08-01"}]}, "2027-08-01 is before the start, 2027-08-14"),
        ({"blackouts": [{"end": "2027-08-01"}]}, "start"),
        ({"blackouts": [{"start": "2027-13-01"}]}, "start"),
        ({"windows": [{"name": "a", "start": 830, "end": "10:00"}]}, "write a time as 08:30"),
        ({"windows": [{"name": "a", "start": "830", "end": "10:00"}]}, "write a time as 08:30"),
    ],
)
def test_rules_that_make_no_sense_are_refused_with_the_reason(says: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        cadence(**says)


def test_a_leap_day_is_a_day() -> None:
    rule = cadence(events=[{**OWN, "day": "2028-02-29"}], min_daily=1)
    assert {slot.window for slot in slots_on(rule, "mira", date(2028, 2, 29))} > {"fair"}
    assert [day.day.isoformat() for day in days_ahead(rule, "mira", date(2028, 2, 28), 1)][:3] == [
        "2028-02-28", "2028-02-29", "2028-03-01",
    ]  # fmt: skip


# ---- what is stored stays valid; zones and clocks that change

# drawn before there was a gap or a spread; another draw would leave posts in slots that no cadence has
STORED = [
    ("mira:2027-03-26:morning", "2027-03-26T08:22"),
    ("mira:2027-03-26:evening", "2027-03-26T19:55"),
    ("mira:2027-03-27:morning", "2027-03-27T08:34"),
    ("mira:2027-03-27:noon", "2027-03-27T12:41"),
    ("mira:2027-03-28:evening", "2027-03-28T19:48"),
    ("mira:2027-03-29:morning", "2027-03-29T08:02"),
    ("mira:2027-03-29:noon", "2027-03-29T12:28"),
    ("mira:2027-03-29:evening", "2027-03-29T17:40"),
]


def test_slots_that_are_stored_are_drawn_again() -> None:
    drawn = a_month(cadence(min_daily=1, max_daily=3), first=date(2027, 3, 26), days=4)
    assert [(slot.id, f"{slot.at:%Y-%m-%dT%H:%M}") for slot in drawn] == STORED


def test_a_change_of_the_zone_moves_slots_and_renames_none() -> None:
    here, there = cadence(max_daily=3), cadence(timezone="Pacific/Auckland", max_daily=3)
    before, after = a_month(here), a_month(there)
    assert [slot.id for slot in before] == [slot.id for slot in after]
    moves = [one.at - other.at for one, other in zip(before, after, strict=True)]
    assert all(timedelta(hours=11) <= move <= timedelta(hours=13) for move in moves)
    taken = frozenset(slot.id for slot in before)
    for moment in (before[0].at - timedelta(days=1), before[-1].at):
        free = next_slot(there, "mira", moment, taken)
        assert free is not None
        assert free.id not in taken


@pytest.mark.parametrize("hours", [-24 * 400, -25, -1, 1, 26, 24 * 400])
def test_a_clock_that_jumps_finds_no_slot_twice(hours: int) -> None:
    rule = cadence(min_daily=1, max_daily=3, min_gap_minutes=90)
    now = datetime(2027, 3, 20, 12, tzinfo=UTC)
    taken: set[str] = set()
    for moment in (now, now + timedelta(hours=hours), now):
        for _ in range(20):
            slot = next_slot(rule, "mira", moment, frozenset(taken))
            assert slot is not None
            assert slot.at > moment
            assert slot.id not in taken
            taken.add(slot.id)


def test_what_a_clock_that_slept_has_to_catch_up_is_whole_however_it_is_cut() -> None:
    rule = cadence(min_daily=1, max_daily=3)
    start, end = datetime(2027, 3, 20, 3, 7, tzinfo=UTC), datetime(2027, 11, 9, 17, 40, tzinfo=UTC)
    whole = list(slots_between(rule, "mira", start, end))
    cuts = [start, *(slot.at for slot in whole[3:200:7]), end]
    assert [slot for a, b in itertools.pairwise(cuts) for slot in slots_between(rule, "mira", a, b)] == whole
    assert list(slots_between(rule, "mira", end, start)) == []


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland", "UTC"])
def test_the_ends_of_the_calendar(zone: str) -> None:
    rule = cadence(timezone=zone, min_gap_minutes=60, country="PT")
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    assert next_slot(rule, "mira", last, frozenset()) is None
    found = next_slot(rule, "mira", first, frozenset())
    assert found is not None
    assert found.day.year == 1
    assert len(days_ahead(rule, "mira", date(9999, 12, 30), 4)) == 2


# ---- five personas in five zones

FIVE = {
    "mira": ("Europe/Lisbon", "PT"),
    "noor": ("America/New_York", "US"),
    "theo": ("Australia/Lord_Howe", "AU"),
    "asha": ("Asia/Kathmandu", None),
    "laila": ("Africa/Cairo", "EG"),
}
RULES = {
    name: cadence(
        timezone=zone,
        country=country,
        windows=[*DAY, {"name": "night", "start": "00:10", "end": "03:20"}],
        min_daily=1,
        max_daily=3,
        min_gap_minutes=120,
        spread={"shape": "triangular", "width": 0.8},
        holiday_max_daily=1 if country else None,
    )
    for name, (zone, country) in FIVE.items()
}


@pytest.mark.parametrize(
    "start", [date(2026, 3, 1), date(2026, 9, 20), date(2026, 10, 10), date(2027, 3, 8), date(2027, 4, 10)], ids=str
)
@settings(max_examples=4)
@given(
    steps=st.lists(st.integers(1, 36 * 60), min_size=30, max_size=60),
    naps=st.lists(st.tuples(st.integers(0, 59), st.integers(-26 * 60, 26 * 60)), max_size=5),
)
def test_a_month_of_five_personas_through_clock_changes_loses_no_slot_and_takes_none_twice(
    start: date, steps: list[int], naps: list[tuple[int, int]]
) -> None:
    """Two nodes tick at odd times, sleep, and have their clocks set back: what they take is what the month draws."""
    assert sum(bool(day.clock_shift) for rule in RULES.values() for day in days_ahead(rule, "mira", start, 4)) >= 1
    begin = datetime.combine(start, time(0), tzinfo=UTC)
    end = begin + timedelta(days=31)
    taken: dict[str, Slot] = {}
    for node in (1, 2):
        ticked, moment = begin, begin
        for number, step in enumerate(steps * node):
            moment += timedelta(minutes=step + sum(jump for at, jump in naps if at == number))
            for name, rule in RULES.items():
                # a scan from the earlier of both moments: slots taken before are met again and not taken twice
                for slot in slots_between(rule, name, min(ticked, moment) - timedelta(days=1), min(moment, end)):
                    assert taken.setdefault(slot.id, slot) == slot
            ticked = max(ticked, moment)
        for name, rule in RULES.items():
            for slot in slots_between(rule, name, min(ticked, end) - timedelta(days=1), end):
                assert taken.setdefault(slot.id, slot) == slot
    for name, rule in RULES.items():
        own = sorted((slot for slot in taken.values() if slot.persona == name and slot.at > begin), key=lambda s: s.at)
        assert own == list(slots_between(rule, name, begin, end))
        assert closest(own) >= rule.gap
        for n in range(1, 30):
            _judge(rule, [slot for slot in own if slot.day == start + timedelta(days=n)], start + timedelta(days=n))


def _judge(rule: Cadence, slots: list[Slot], day: date) -> None:
    most = 1 if holiday_on(rule, day) else rule.max_daily
    assert rule.min_daily <= len(slots) <= most
    for slot in slots:
        local = slot.at.astimezone(rule.zone)
        assert local.date() == day
        # a time that the clocks of that day show
        assert local.replace(tzinfo=None).replace(tzinfo=ZoneInfo(rule.timezone), fold=local.fold).astimezone(UTC) == slot.at
        span = next(one for one in rule.windows if one.name == slot.window)
        assert span.start <= local.time() <= span.end
