"""When she posts: windows in her own time zone, a daily volume drawn from a range, holidays, events, days of silence.

    slots_on(cadence, "mira", date(2026, 3, 29))   # the same answer on every machine

A slot's identity is persona + local date + window name: 02:30 happens twice in autumn, a slot does not. Volume, choice of
windows and times come from a hash of that identity, so every node draws the same, and no day depends on another day's draw.
"""

from __future__ import annotations

import hashlib
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from zirelia.domain.cadence_clock import Span, fits, settle, span_on
from zirelia.domain.cadence_holidays import public_holidays
from zirelia.domain.cadence_parts import Blackout, OneOff, Spread, Window, minute_of
from zirelia.domain.value import Instant, Slug, Text, Value

__all__ = [
    "Blackout",
    "Cadence",
    "OneOff",
    "Slot",
    "Spread",
    "Window",
    "closed_on",
    "holiday_on",
    "next_slot",
    "occasion_on",
    "slots_between",
    "slots_on",
]

_DAY = timedelta(days=1)


class Cadence(Value):
    """The posting rule. `country` (ISO 3166, optional `country-subdivision`) names whose holidays are known."""

    timezone: str
    windows: tuple[Window, ...] = Field(min_length=1)
    min_daily: int = Field(default=1, ge=0, le=24)
    max_daily: int = Field(default=1, ge=0, le=24)
    rest_days: tuple[int, ...] = Field(default=(), description="ISO weekdays without posts, 1 = Monday")
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
    holiday_max_daily: int | None = Field(default=None, ge=0, le=24, description="the most posts on a public holiday")
    spread: Spread = Spread()
    # up to half a day, so that only neighbouring days can meet
    min_gap_minutes: int = Field(default=0, ge=0, le=720)
    events: tuple[OneOff, ...] = ()
    blackouts: tuple[Blackout, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"'{name}' is not an IANA time zone such as Europe/Lisbon") from error
        return name

    @field_validator("rest_days")
    @classmethod
    def _weekdays(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= day <= 7 for day in days):
            raise ValueError("rest days are ISO weekdays from 1 (Monday) to 7 (Sunday)")
        return days

    @field_validator("country")
    @classmethod
    def _known_country(cls, country: str | None) -> str | None:
        if country is not None:
            public_holidays(country, 2026)
        return country

    @field_validator("holiday_max_daily")
    @classmethod
    def _whose_holidays(cls, most: int | None, info: ValidationInfo) -> int | None:
        if most is not None and "country" in info.data and info.data["country"] is None:
            raise ValueError("needs 'country', or no holiday is known")
        return most

    @field_validator("min_gap_minutes")
    @classmethod
    def _room(cls, gap: int, info: ValidationInfo) -> int:
        """Any choice of windows must have room for the gap, so that the volume never suffers from it."""
        windows: tuple[Window, ...] = tuple(sorted(info.data.get("windows", ()), key=lambda w: (w.start, w.end, w.name)))
        most = info.data.get("max_daily", 0)
        for number, first in enumerate(windows):
            for further, last in enumerate(windows[number + 1 :], start=1):
                posts = min(most, further + 1)
                if minute_of(first.start) + (posts - 1) * gap > minute_of(last.end):
                    raise ValueError(
                        f"{posts} posts {gap} minutes apart do not fit from '{first.name}' ({first.start:%H:%M}) to "
                        f"'{last.name}' (until {last.end:%H:%M}); widen the windows or lower the gap or max_daily"
                    )
        if windows and most:
            latest, earliest = max(windows, key=lambda w: w.end), windows[0]
            night = 24 * 60 - minute_of(latest.end) + minute_of(earliest.start)
            if night < gap:
                raise ValueError(
                    f"from the end of '{latest.name}' ({latest.end:%H:%M}) to '{earliest.name}' on the next day "
                    f"({earliest.start:%H:%M}) are {night:.0f} minutes, fewer than {gap}"
                )
        return gap

    @field_validator("events")
    @classmethod
    def _apart(cls, events: tuple[OneOff, ...], info: ValidationInfo) -> tuple[OneOff, ...]:
        names = {window.name for window in info.data.get("windows", ())}
        gap = timedelta(minutes=info.data.get("min_gap_minutes", 0))
        days: dict[date, list[OneOff]] = {}
        for one in events:
            if one.name in names:
                raise ValueError(f"an event is called '{one.name}' like a window; a slot's name says which of them it is")
            days.setdefault(one.day, []).append(one)
        for day, same in days.items():
            if len({one.name for one in same}) < len(same):
                raise ValueError(f"two events on {day} have the same name")
            own = [window for one in same if (window := one.window()) is not None]
            utc = zoneinfo.ZoneInfo("UTC")
            spans = sorted(span for w in own if (span := span_on(utc, day, w.start, w.end)) is not None)
            if not fits(spans, gap):
                raise ValueError(f"the events' own posts on {day} do not fit {gap.seconds // 60} minutes apart")
        return events

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_daily > self.max_daily:
            raise ValueError(f"min_daily ({self.min_daily}) is above max_daily ({self.max_daily})")
        if self.max_daily > len(self.windows):
            raise ValueError(f"max_daily ({self.max_daily}) needs as many windows; there are {len(self.windows)}")
        names = [window.name for window in self.windows]
        if len(set(names)) != len(names):
            raise ValueError("two windows have the same name")
        return self

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def gap(self) -> timedelta:
        return timedelta(minutes=self.min_gap_minutes)


class Slot(Value):
    """One dated opening for a post. `at` is in UTC; `window` is the name of a window or of an event with a post of its own."""

    persona: Slug
    day: date
    window: Slug
    at: Instant

    @property
    def id(self) -> str:
        return f"{self.persona}:{self.day.isoformat()}:{self.window}"


def slots_on(cadence: Cadence, persona: str, day: date) -> tuple[Slot, ...]:
    """The slots of one local day, in order of time; empty on a blackout, and on a rest day without an event's own post.

    Events come first, then as many windows as the volume asks, in an order that is drawn. On a day whose clocks change, or
    beside an event, the gap may leave room for fewer: the gap is kept.
    """
    key = (persona, day.isoformat())
    chosen = _chosen(cadence, key, day)
    names = sorted(chosen, key=lambda name: (chosen[name], name))
    moments = [_moment(chosen[name], cadence.spread.place(_draw(*key, name, "jitter"))) for name in names]
    if cadence.gap:
        moments = settle([chosen[name] for name in names], moments, cadence.gap)
    slots = (Slot(persona=persona, day=day, window=name, at=at) for name, at in zip(names, moments, strict=True))
    return tuple(sorted(slots, key=lambda slot: slot.at))


def slots_between(cadence: Cadence, persona: str, after: datetime, until: datetime) -> Iterator[Slot]:
    """The slots later than `after` and not later than `until`, in order of time: what a clock that slept has to catch up."""
    for number in range(_local_day(cadence, after).toordinal(), _local_day(cadence, until).toordinal() + 1):
        for slot in slots_on(cadence, persona, date.fromordinal(number)):
            if after < slot.at <= until:
                yield slot


def next_slot(cadence: Cadence, persona: str, after: datetime, taken: frozenset[str], horizon_days: int = 60) -> Slot | None:
    """The first slot later than `after` whose id is not in `taken`; None when the horizon holds none."""
    first = _local_day(cadence, after).toordinal()
    for number in range(first, min(first + horizon_days, date.max.toordinal()) + 1):
        for slot in slots_on(cadence, persona, date.fromordinal(number)):
            if slot.at > after and slot.id not in taken:
                return slot
    return None


def holiday_on(cadence: Cadence, day: date) -> Text | None:
    """The public holiday's name on that local day in the persona's country, in English where known; None without one."""
    return None if cadence.country is None else public_holidays(cadence.country, day.year).get(day)


def occasion_on(cadence: Cadence, day: date) -> Text | None:
    """What is special on that local day: the topics of its events, then the public holiday; None on an ordinary day."""
    said = [one.topic for one in cadence.events if one.day == day]
    holiday = holiday_on(cadence, day)
    return "; ".join([*said, *([holiday] if holiday else [])]) or None


def closed_on(cadence: Cadence, day: date) -> Text | None:
    """Why the day's windows are closed: "blackout", with its reason, or "rest day"; None on a day with posts."""
    for blackout in cadence.blackouts:
        if blackout.covers(day):
            return "blackout" + (f": {blackout.because}" if blackout.because else "")
    return "rest day" if day.isoweekday() in cadence.rest_days else None


def _chosen(cadence: Cadence, key: tuple[str, str], day: date) -> dict[str, Span]:
    """The day's events and drawn windows, by name: all of them together have room for the gap."""
    events, windows = _openings(cadence, day)
    earliest = _earliest(cadence, day)
    chosen: dict[str, Span] = {}

    def take(window: Window) -> bool:
        span = span_on(cadence.zone, day, window.start, window.end)
        if span is None or span[1] < earliest:
            return False
        span = max(span[0], earliest), span[1]
        if not fits(sorted([*chosen.values(), span]), cadence.gap):
            return False
        chosen[window.name] = span
        return True

    for event in events:
        take(event)
    room = _volume(cadence, key, day)
    for window in sorted(windows, key=lambda window: _draw(*key, window.name, "rank")):
        if room == 0:
            break
        room -= take(window)
    return chosen


def _openings(cadence: Cadence, day: date) -> tuple[list[Window], list[Window]]:
    """The spans of events' own posts, and the windows, that are open on that day."""
    if any(blackout.covers(day) for blackout in cadence.blackouts):
        return [], []
    events = [window for one in cadence.events if one.day == day and (window := one.window()) is not None]
    return events, [] if day.isoweekday() in cadence.rest_days else list(cadence.windows)


def _volume(cadence: Cadence, key: tuple[str, str], day: date) -> int:
    volume = cadence.min_daily + int(_draw(*key, "volume") * (cadence.max_daily - cadence.min_daily + 1))
    most = cadence.holiday_max_daily
    return min(volume, most) if most is not None and holiday_on(cadence, day) else volume


def _earliest(cadence: Cadence, day: date) -> datetime:
    """From when on a slot keeps the gap to whatever the day before may hold; its draw is not asked, only its windows."""
    beginning = datetime.min.replace(tzinfo=UTC)
    if not cadence.gap or day == date.min:
        return beginning
    events, windows = _openings(cadence, day - _DAY)
    spans = (span_on(cadence.zone, day - _DAY, one.start, one.end) for one in (*events, *windows))
    return max((span[1] + cadence.gap for span in spans if span is not None), default=beginning)


def _moment(span: Span, fraction: float) -> datetime:
    """The whole minute at that share of the span."""
    moment = span[0] + (span[1] - span[0]) * fraction
    return max(span[0], moment.replace(second=0, microsecond=0))


def _local_day(cadence: Cadence, moment: datetime) -> date:
    try:
        return moment.astimezone(cadence.zone).date()
    except OverflowError:  # the first or the last hours of the calendar, in a zone where it is another day
        return moment.date()


def _draw(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
