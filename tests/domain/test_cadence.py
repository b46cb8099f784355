"""Slots: in their window, as many as the cadence allows, the same on every machine, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.cadence import Cadence, Slot, Window, holiday_on, next_slot, slots_on

ZONES = ["Europe/Lisbon", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "UTC"]


def window(name: str, start: str, end: str) -> Window:
    return Window(name=name, start=time.fromisoformat(start), end=time.fromisoformat(end))


DAY = (window("morning", "07:30", "09:30"), window("noon", "12:00", "13:30"), window("evening", "18:00", "21:30"))


def cadence(timezone: str = "Europe/Lisbon", windows: tuple[Window, ...] = DAY, **more: object) -> Cadence:
    return Cadence.model_validate({"timezone": timezone, "windows": windows, **more})


def there(clock: datetime, zone: ZoneInfo) -> bool:
    """Whether the zone's clocks ever show that time."""
    return clock.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == clock


def local(slot: Slot, rule: Cadence) -> datetime:
    return slot.at.astimezone(rule.zone)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    """One to five windows of at least a minute, which may overlap."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, 23 * 60 + 57))
        end = draw(st.integers(start + 1, 23 * 60 + 59))
        found.append(Window(name=f"w{number}", start=time(start // 60, start % 60), end=time(end // 60, end % 60)))
    return tuple(found)


@st.composite
def cadences(draw: st.DrawFn) -> Cadence:
    spans = draw(windows())
    low = draw(st.integers(0, len(spans)))
    return Cadence(
        timezone=draw(st.sampled_from(ZONES)),
        windows=spans,
        min_daily=low,
        max_daily=draw(st.integers(low, len(spans))),
        rest_days=tuple(draw(st.sets(st.integers(1, 7), max_size=6))),
    )


days = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@given(rule=cadences(), day=days)
def test_a_day_has_as_many_slots_as_the_range_allows_in_order_and_with_unique_ids(rule: Cadence, day: date) -> None:
    slots = slots_on(rule, "mira", day)
    if day.isoweekday() in rule.rest_days:
        assert slots == ()
        return
    assert rule.min_daily <= len(slots) <= rule.max_daily
    assert len({slot.id for slot in slots}) == len(slots)
    assert [slot.at for slot in slots] == sorted(slot.at for slot in slots)
    assert {slot.window for slot in slots} <= {span.name for span in rule.windows}


@given(rule=cadences(), day=days)
def test_the_same_day_is_drawn_the_same_again(rule: Cadence, day: date) -> None:
    again = Cadence.model_validate_json(rule.model_dump_json())
    assert slots_on(rule, "mira", day) == slots_on(again, "mira", day)


@given(rule=cadences(), day=days)
def test_a_slot_lies_in_its_window_on_its_own_local_day(rule: Cadence, day: date) -> None:
    spans = {span.name: span for span in rule.windows}
    for slot in slots_on(rule, "mira", day):
        start, end = spans[slot.window].start, spans[slot.window].end
        if any(there(datetime.combine(day, edge), rule.zone) for edge in (start, end)):
            assert start <= local(slot, rule).time() <= end
        assert local(slot, rule).date() == slot.day == day
        assert slot.at.tzinfo == UTC


@given(rule=cadences(), day=days)
def test_only_the_order_of_windows_in_the_pack_is_without_effect(rule: Cadence, day: date) -> None:
    turned = rule.model_copy(update={"windows": rule.windows[::-1]})
    assert {slot.id: slot.at for slot in slots_on(rule, "mira", day)} == {s.id: s.at for s in slots_on(turned, "mira", day)}


def test_a_year_uses_the_whole_range_of_volumes_and_every_window() -> None:
    rule = cadence(min_daily=1, max_daily=3)
    year = [slots_on(rule, "mira", date(2027, 1, 1) + timedelta(days=offset)) for offset in range(365)]
    counts = [len(slots) for slots in year]
    assert set(counts) == {1, 2, 3}
    assert all(90 <= counts.count(volume) <= 155 for volume in (1, 2, 3))
    used = [slot.window for slots in year for slot in slots]
    assert all(used.count(span.name) > 180 for span in DAY)


def test_two_personas_with_one_cadence_do_not_post_at_the_same_minutes() -> None:
    rule = cadence(min_daily=3, max_daily=3)
    week = [date(2027, 5, 3) + timedelta(days=offset) for offset in range(7)]
    mira, luna = ([slot.at for day in week for slot in slots_on(rule, name, day)] for name in ("mira", "luna"))
    assert len(set(mira) & set(luna)) <= 2


@pytest.mark.parametrize(
    ("zone", "day", "start", "end", "earliest", "latest"),
    [
        # spring leaves out 01:00-02:00 in Lisbon on 2027-03-28
        ("Europe/Lisbon", date(2027, 3, 28), "00:30", "02:30", "00:30", "02:30"),
        ("Europe/Lisbon", date(2027, 3, 28), "01:15", "01:45", "02:15", "02:45"),
        ("Europe/Lisbon", date(2027, 3, 28), "01:30", "02:15", "02:00", "02:15"),
        ("Europe/Lisbon", date(2027, 3, 28), "00:30", "01:30", "00:30", "00:59"),
        # Cairo's clocks go forward at midnight: 00:00-01:00 is left out on 2027-04-30
        ("Africa/Cairo", date(2027, 4, 30), "00:10", "00:50", "01:10", "01:50"),
        # Lord Howe moves by half an hour
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:00", "02:29", "02:30", "02:59"),
        # autumn has 01:00-02:00 twice in Lisbon on 2026-10-25
        ("Europe/Lisbon", date(2026, 10, 25), "01:15", "01:45", "01:15", "01:45"),
        ("Europe/Lisbon", date(2026, 10, 25), "00:30", "02:30", "00:30", "02:30"),
        # a window that begins in that hour and goes on after it: the clock never shows 01:00-01:49 at a post
        ("Europe/Lisbon", date(2026, 10, 25), "01:50", "02:10", "01:50", "02:10"),
        ("Europe/Lisbon", date(2026, 10, 25), "00:30", "01:15", "00:30", "01:15"),
        # leap day, the last minutes of a year
        ("Asia/Kathmandu", date(2028, 2, 29), "23:00", "23:59", "23:00", "23:59"),
        ("America/New_York", date(2026, 12, 31), "23:58", "23:59", "23:58", "23:59"),
    ],
)
def test_clock_changes(zone: str, day: date, start: str, end: str, earliest: str, latest: str) -> None:
    rule = cadence(zone, (window("only", start, end),))
    for persona in ("mira", "luna", "theo", "ana", "zoe"):
        (slot,) = slots_on(rule, persona, day)
        assert slot.id == f"{persona}:{day}:only"
        assert time.fromisoformat(earliest) <= local(slot, rule).time() <= time.fromisoformat(latest)
        assert local(slot, rule).date() == day


def test_an_hour_that_happens_twice_holds_one_slot_and_not_two() -> None:
    rule = cadence("Europe/Lisbon", (window("night", "01:30", "01:31"),))
    autumn = date(2026, 10, 25)
    slot = next_slot(rule, "mira", datetime(2026, 10, 24, 12, tzinfo=UTC), frozenset())
    assert slot is not None
    assert slot.day == autumn
    after = next_slot(rule, "mira", slot.at, frozenset())
    assert after is not None
    assert after.day == autumn + timedelta(days=1)


@pytest.mark.parametrize("seconds", ["07:30:20", "07:30:59"])
def test_a_window_that_starts_between_two_minutes_is_not_left_by_rounding(seconds: str) -> None:
    rule = cadence(windows=(window("brief", seconds, "07:31:01"),))
    for offset in range(50):
        (slot,) = slots_on(rule, "mira", date(2027, 1, 1) + timedelta(days=offset))
        assert local(slot, rule).time() >= time.fromisoformat(seconds)


def test_rest_days() -> None:
    rule = cadence(rest_days=(6, 7), min_daily=1, max_daily=3)
    found = [slot.day for offset in range(28) for slot in slots_on(rule, "mira", date(2027, 1, 1) + timedelta(days=offset))]
    assert {day.isoweekday() for day in found} == {1, 2, 3, 4, 5}


@given(rule=cadences(), minutes=st.integers(0, 6 * 365 * 24 * 60))
def test_the_next_slot_is_the_first_one_that_is_later_and_free(rule: Cadence, minutes: int) -> None:
    after = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    first = next_slot(rule, "mira", after, frozenset(), horizon_days=10)
    if first is None:
        assert rule.min_daily == 0 or len(set(rule.rest_days)) >= 6
        return
    assert first.at > after
    second = next_slot(rule, "mira", after, frozenset({first.id}), horizon_days=10)
    if second is not None:
        assert second.id != first.id
        assert second.at >= first.at


def test_the_next_slot_is_none_when_every_day_rests_or_the_horizon_is_full() -> None:
    resting = cadence(rest_days=(1, 2, 3, 4, 5, 6, 7))
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert next_slot(resting, "mira", now, frozenset()) is None
    rule = cadence(min_daily=3, max_daily=3)
    taken = frozenset(slot.id for offset in range(4) for slot in slots_on(rule, "mira", now.date() + timedelta(days=offset)))
    assert next_slot(rule, "mira", now, taken, horizon_days=3) is None
    beyond = next_slot(rule, "mira", now, taken, horizon_days=4)
    assert beyond is not None
    assert beyond.day == now.date() + timedelta(days=4)


def test_the_local_day_counts_where_it_is_already_tomorrow() -> None:
    rule = cadence("Pacific/Auckland", (window("morning", "07:00", "07:05"),))
    slot = next_slot(rule, "mira", datetime(2026, 6, 30, 13, 0, tzinfo=UTC), frozenset())  # 01:00 on 1 July there
    assert slot is not None
    assert slot.day == date(2026, 7, 1)
    assert local(slot, rule) == datetime(2026, 7, 1, 7, local(slot, rule).minute, tzinfo=ZoneInfo("Pacific/Auckland"))


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("PT", date(2026, 12, 25), "Christmas Day"),
        ("PT", date(2026, 11, 21), None),
        ("US-CA", date(2026, 11, 26), "Thanksgiving Day"),
        ("DE-BY", date(2026, 1, 6), "Epiphany"),
        ("DE-BE", date(2026, 1, 6), None),
        (None, date(2026, 12, 25), None),
    ],
)
def test_holidays(country: str | None, day: date, name: str | None) -> None:
    assert holiday_on(cadence(country=country), day) == name


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"timezone": "Lisbon"}, "not an IANA time zone such as Europe/Lisbon"),
        ({"timezone": ""}, "not an IANA time zone"),
        ({"timezone": "../etc/passwd"}, "not an IANA time zone"),
        ({"min_daily": 3, "max_daily": 2}, r"min_daily \(3\) is above max_daily \(2\)"),
        ({"max_daily": 4}, r"max_daily \(4\) needs as many windows; there are 3"),
        ({"min_daily": -1}, "min_daily"),
        ({"windows": ()}, "windows"),
        ({"windows": (DAY[0], DAY[0]), "max_daily": 1}, "two windows have the same name"),
        ({"rest_days": (0,)}, "rest days are ISO weekdays"),
        ({"rest_days": (8,)}, "rest days are ISO weekdays"),
        ({"country": "Portugal"}, "country"),
        ({"country": "ZZ"}, "'ZZ' is not a country"),
        ({"country": "DE-QQ"}, "'DE-QQ' is not a country"),
        ({"volume": 3}, "volume"),
    ],
)
def test_an_impossible_cadence_is_refused_with_the_reason(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Cadence.model_validate({"timezone": "Europe/Lisbon", "windows": DAY, **changes})


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("22:00", "02:00", "split a window that crosses midnight in two"),
        ("10:00", "10:00", "ends before it starts"),
        ("10:00+01:00", "11:00+01:00", "without a zone"),
    ],
)
def test_an_impossible_window_is_refused_with_the_reason(start: str, end: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        window("night", start, end)


def test_a_naive_moment_is_no_slot() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Slot(persona="mira", day=date(2027, 1, 1), window="noon", at=datetime(2027, 1, 1, 12))  # noqa: DTZ001 - the point
