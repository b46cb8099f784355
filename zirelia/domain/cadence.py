"""When she posts: windows in her own time zone, a daily volume drawn from a range, holidays known.

    slots_on(cadence, "mira", date(2026, 3, 29))   # the same answer on every machine

A slot's identity is persona + local date + window name: 02:30 happens twice in autumn, a slot does not. Volume, choice of
windows and jitter come from a hash of that identity, so every node draws the same.
"""

from __future__ import annotations

import hashlib
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from zirelia.domain.value import Instant, Slug, Text, Value


class Window(Value):
    """A span of the local day in which one post may appear; `end` is later than `start` on the same day."""

    name: Slug
    start: time
    end: time

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("a window's times are local to the persona: write them without a zone")
        if self.end <= self.start:
            raise ValueError(f"window '{self.name}' ends before it starts; split a window that crosses midnight in two")
        return self


class Cadence(Value):
    """The posting rule. `country` (ISO 3166, optional `country-subdivision`) names whose holidays are known."""

    timezone: str
    windows: tuple[Window, ...] = Field(min_length=1)
    min_daily: int = Field(default=1, ge=0, le=24)
    max_daily: int = Field(default=1, ge=0, le=24)
    rest_days: tuple[int, ...] = Field(default=(), description="ISO weekdays without posts, 1 = Monday")
    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")

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
            _calendar(country, 2026)
        return country

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


class Slot(Value):
    """One dated opening for a post. `at` is in UTC."""

    persona: Slug
    day: date
    window: Slug
    at: Instant

    @property
    def id(self) -> str:
        return f"{self.persona}:{self.day.isoformat()}:{self.window}"


def _draw(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def _at(cadence: Cadence, day: date, window: Window, fraction: float) -> datetime:
    start = datetime.combine(day, window.start, tzinfo=cadence.zone).astimezone(UTC)
    end = datetime.combine(day, window.end, tzinfo=cadence.zone).astimezone(UTC)
    # a window that begins inside the hour which spring leaves out would begin after its end: what is left of it is its end
    start = min(start, end)
    moment = start + (end - start) * fraction
    return max(start, moment.replace(second=0, microsecond=0))


def slots_on(cadence: Cadence, persona: str, day: date) -> tuple[Slot, ...]:
    """The slots of one local day, in order of time; empty on a rest day."""
    if day.isoweekday() in cadence.rest_days:
        return ()
    key = (persona, day.isoformat())
    volume = cadence.min_daily + int(_draw(*key, "volume") * (cadence.max_daily - cadence.min_daily + 1))
    ranked = sorted(cadence.windows, key=lambda window: _draw(*key, window.name, "rank"))
    slots = [
        Slot(
            persona=persona,
            day=day,
            window=window.name,
            at=_at(cadence, day, window, _draw(*key, window.name, "jitter")),
        )
        for window in ranked[:volume]
    ]
    return tuple(sorted(slots, key=lambda slot: slot.at))


def next_slot(cadence: Cadence, persona: str, after: datetime, taken: frozenset[str], horizon_days: int = 60) -> Slot | None:
    """The first slot later than `after` whose id is not in `taken`; None when the horizon holds none."""
    first = after.astimezone(cadence.zone).date()
    for offset in range(horizon_days + 1):
        for slot in slots_on(cadence, persona, first + timedelta(days=offset)):
            if slot.at > after and slot.id not in taken:
                return slot
    return None


def holiday_on(cadence: Cadence, day: date) -> Text | None:
    """The public holiday's name on that local day in the persona's country, in English where known; None without one.

    Source of the calendar: the `holidays` package.
    """
    if cadence.country is None:
        return None
    return _calendar(cadence.country, day.year).get(day)


def _calendar(country: str, year: int) -> Mapping[date, str]:
    """The public holidays of a year. Raises ValueError for a country or subdivision without a calendar."""
    import holidays

    code, _, subdivision = country.partition("-")
    try:
        return dict(holidays.country_holidays(code, subdiv=subdivision or None, years=year, language="en_US"))
    except NotImplementedError as error:
        raise ValueError(f"'{country}' is not a country or country-subdivision whose holidays are known") from error
