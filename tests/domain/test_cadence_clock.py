"""Local spans as moments on the days when clocks change, and moments that keep their distance."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.cadence_clock import fits, settle, shift_on, span_on

SPRING, AUTUMN = date(2027, 3, 28), date(2026, 10, 25)


def utc(clock: str, day: date) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "start", "end", "begin", "finish"),
    [
        ("Europe/Lisbon", date(2027, 1, 5), "08:30", "10:00", "08:30", "10:00"),
        # spring: 01:00-02:00 is left out, at 01:00 UTC
        ("Europe/Lisbon", SPRING, "00:30", "02:30", "00:30", "01:30"),
        ("Europe/Lisbon", SPRING, "01:15", "01:45", "01:15", "01:45"),
        ("Europe/Lisbon", SPRING, "01:30", "02:15", "01:00", "01:15"),
        ("Europe/Lisbon", SPRING, "00:30", "01:30", "00:30", "00:59"),
        ("Europe/Lisbon", SPRING, "00:30", "02:00", "00:30", "01:00"),
        ("Europe/Lisbon", SPRING, "01:00", "02:00", "01:00", "01:00"),
        ("Europe/Lisbon", SPRING, "00:59:30", "01:30", "00:59:30", "00:59:30"),
        # autumn: 01:00-02:00 is there twice, at 00:00 and 01:00 UTC
        ("Europe/Lisbon", AUTUMN, "01:15", "01:45", "00:15", "00:45"),
        ("Europe/Lisbon", AUTUMN, "00:30", "01:15", "23:30", "00:15"),
        ("Europe/Lisbon", AUTUMN, "01:50", "02:10", "01:50", "02:10"),
        ("Europe/Lisbon", AUTUMN, "00:30", "02:30", "23:30", "02:30"),
        # half an hour, at 02:00 on 4 October
        ("Australia/Lord_Howe", date(2026, 10, 4), "01:50", "02:40", "15:20", "15:40"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:10", "03:00", "15:30", "16:00"),
    ],
)
def test_spans(zone: str, day: date, start: str, end: str, begin: str, finish: str) -> None:
    span = span_on(ZoneInfo(zone), day, time.fromisoformat(start), time.fromisoformat(end))
    assert span is not None
    assert tuple(moment.time().isoformat("auto") for moment in span) == tuple(
        time.fromisoformat(clock).isoformat("auto") for clock in (begin, finish)
    )
    assert {moment.tzinfo for moment in span} == {UTC}


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Pacific/Apia", date(2011, 12, 30)),  # Samoa went over the date line and had no such day
        ("Europe/Lisbon", date.min),
        ("America/New_York", date.max),
    ],
)
def test_days_without_spans(zone: str, day: date) -> None:
    assert span_on(ZoneInfo(zone), day, time(8), time(22)) is None


def test_a_span_that_would_move_into_the_next_day_is_not_there() -> None:
    # Toronto's clocks went from 23:30 on 30 March 1919 to 00:30
    assert span_on(ZoneInfo("America/Toronto"), date(1919, 3, 30), time(23, 40), time(23, 50)) is None
    assert span_on(ZoneInfo("America/Toronto"), date(1919, 3, 30), time(23, 0), time(23, 50)) is not None


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("Europe/Lisbon", SPRING, 60),
        ("Europe/Lisbon", AUTUMN, -60),
        ("Europe/Lisbon", date(2028, 2, 29), 0),
        ("Australia/Lord_Howe", date(2026, 10, 4), 30),
        ("Africa/Cairo", date(2027, 4, 30), 60),
        ("Asia/Kathmandu", SPRING, 0),
        ("Europe/Lisbon", date.max, 0),
    ],
)
def test_how_far_the_clocks_go(zone: str, day: date, minutes: int) -> None:
    assert shift_on(ZoneInfo(zone), day) == timedelta(minutes=minutes)


NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@given(
    spans=st.lists(st.tuples(st.integers(0, 1400), st.integers(0, 200), st.floats(0, 1)), min_size=1, max_size=8),
    gap=st.integers(0, 300),
)
def test_settled_moments_keep_gap_and_span_and_move_only_when_they_must(spans: list[tuple[int, int, float]], gap: int) -> None:
    apart = timedelta(minutes=gap)
    drawn = sorted((NOON + timedelta(minutes=a), NOON + timedelta(minutes=a + long), share) for a, long, share in spans)
    bounds = [(begin, finish) for begin, finish, _ in drawn]
    wished = [begin + (finish - begin) * share for begin, finish, share in drawn]
    if not fits(bounds, apart):
        assert len(bounds) > 1
        return
    settled = settle(bounds, wished, apart)
    assert all(begin <= at <= finish for at, (begin, finish) in zip(settled, bounds, strict=True))
    pairs = list(itertools.pairwise(settled))
    assert all(later - earlier >= apart for earlier, later in pairs)
    if all(later - earlier >= apart for earlier, later in itertools.pairwise(wished)):
        assert settled == wished
