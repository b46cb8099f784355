"""Local spans as moments, whatever the clocks do, and moments that keep their distance.

    span_on(lisbon, date(2027, 3, 28), time(0, 30), time(1, 30))    # 00:30-00:59: spring leaves out 01:00-02:00
    settle(spans, wished, timedelta(hours=2))

Knows no persona and draws nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
"""First and last moment, in UTC, both included."""

_NONE = timedelta(0)
_MINUTE = timedelta(minutes=1)


def span_on(zone: ZoneInfo, day: date, start: time, end: time) -> Span | None:
    """The moments of a local day at which its clock shows `start` to `end`, in one piece.

    A span that lies whole in the hour which spring leaves out is moved behind it; one that begins or ends there keeps what is
    left of it. In the hour that autumn has twice the first one counts, unless the span goes on after it: then the second
    one, so that the clock never shows a time outside the span. None where the zone leaves out the day itself, and on the
    first and last day of the calendar, which have no whole day around them.
    """
    if day in (date.min, date.max):
        return None
    first, last = datetime.combine(day, start, tzinfo=zone), datetime.combine(day, end, tzinfo=zone)
    if _jump(first) < _NONE <= _jump(last):
        first = first.replace(fold=1)
    begin, finish = first.astimezone(UTC), last.astimezone(UTC)
    if _jump(first) > _NONE >= _jump(last):
        begin = _change(first)
    elif _jump(last) > _NONE >= _jump(first):
        finish = _change(last) - _MINUTE
    span = begin, max(begin, finish)
    return span if all(moment.astimezone(zone).date() == day for moment in span) else None


def _jump(local: datetime) -> timedelta:
    """Above zero for a local time that spring leaves out, below for one that autumn has twice."""
    return (local.replace(fold=1).utcoffset() or _NONE) - (local.replace(fold=0).utcoffset() or _NONE)


def _change(left_out: datetime) -> datetime:
    """The moment at which the clocks jump over that local time."""
    before, after = left_out.replace(fold=0).utcoffset() or _NONE, left_out.replace(fold=1).utcoffset() or _NONE
    earliest = (left_out.replace(tzinfo=None) - after).replace(tzinfo=UTC)
    # the clocks change between the two readings of the time that was left out
    seconds = range(int((after - before).total_seconds()) + 1)
    zone = left_out.tzinfo
    return earliest + timedelta(
        seconds=bisect_left(seconds, 1, key=lambda s: (earliest + timedelta(seconds=s)).astimezone(zone).utcoffset() == after)
    )


def shift_on(zone: ZoneInfo, day: date) -> timedelta:
    """How far the clocks go forward (above zero) or back during that local day; zero on an ordinary day."""
    if day == date.max:
        return _NONE
    midnights = (datetime.combine(one, time(0), tzinfo=zone).utcoffset() or _NONE for one in (day, day + timedelta(days=1)))
    before, after = midnights
    return after - before


def fits(spans: Sequence[Span], gap: timedelta) -> bool:
    """Whether one moment in each span, in the spans' order, can keep the gap."""
    earliest: datetime | None = None
    for begin, finish in spans:
        earliest = begin if earliest is None else max(begin, earliest + gap)
        if earliest > finish:
            return False
    return True


def settle(spans: Sequence[Span], wished: Sequence[datetime], gap: timedelta) -> list[datetime]:
    """The wished moments, moved no further than the gap asks, each in its span. The spans fit."""
    latest: list[datetime] = []
    for _, finish in reversed(spans):
        latest.append(min(finish, latest[-1] - gap) if latest else finish)
    settled: list[datetime] = []
    for (begin, _), wish, last in zip(spans, wished, reversed(latest), strict=True):
        earliest = max(begin, settled[-1] + gap) if settled else begin
        settled.append(min(max(wish, earliest), last))
    return settled
