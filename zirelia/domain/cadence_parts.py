"""What a posting rule is made of: windows, the way times spread in them, one-off events, days of silence.

    OneOff(name="book-fair", day=date(2027, 5, 29), topic="the book fair in the park", start=time(16), end=time(17))

Times and dates are the persona's own. Knows no zone and draws nothing; see `domain.cadence`.
"""

from __future__ import annotations

import math
from datetime import date, time
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from zirelia.domain.value import Slug, Text, Value


def _written(said: object) -> object:
    """A number would be read as seconds since midnight or since 1970, which nobody means who writes 830 or 2027."""
    if isinstance(said, int | float) or (isinstance(said, str) and said.strip().isdecimal()):
        raise ValueError("write a time as 08:30 and a day as 2027-05-29")
    return said


LocalTime = Annotated[time, BeforeValidator(_written)]
LocalDay = Annotated[date, BeforeValidator(_written)]


def minute_of(clock: time) -> float:
    """Minutes since midnight."""
    return clock.hour * 60 + clock.minute + (clock.second + clock.microsecond / 1e6) / 60


class Window(Value):
    """A span of the local day in which one post may appear; `end` is later than `start` on the same day."""

    name: Slug
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("a window's times are local to the persona: write them without a zone")
        if self.end <= self.start:
            raise ValueError(f"window '{self.name}' ends before it starts; split a window that crosses midnight in two")
        return self


class Spread(Value):
    """How times spread inside a window: `even`, or `triangular` with its peak in the window's middle.

    width: the share of the window, around its middle, in which times fall; above 0, at most 1.
    """

    shape: Literal["even", "triangular"] = "even"
    width: float = Field(default=1.0, gt=0, le=1)

    def place(self, drawn: float) -> float:
        """Where in the window, from 0 (start) to 1 (end), an even number in [0, 1) puts the post."""
        if self.shape == "triangular":
            # the inverse of the symmetric triangular distribution function
            drawn = math.sqrt(drawn / 2) if drawn < 0.5 else 1 - math.sqrt((1 - drawn) / 2)
        return (1 - self.width) / 2 + self.width * drawn


class OneOff(Value):
    """Something that happens once: on that day the planner hears of `topic`.

    With `start` and `end` it has a post of its own in that span, on top of the day's volume, on rest days and holidays too.
    """

    name: Slug
    day: LocalDay
    topic: Text
    start: LocalTime | None = None
    end: LocalTime | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError(f"event '{self.name}' has 'start' or 'end' alone; a post of its own needs both")
        self.window()
        return self

    def window(self) -> Window | None:
        """The span of its own post; None without one. Raises ValueError for times that are no window."""
        if self.start is None or self.end is None:
            return None
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("an event's times are local to the persona: write them without a zone")
        if self.end <= self.start:
            raise ValueError(f"event '{self.name}' ends before it starts; its post must fall on one day")
        return Window(name=self.name, start=self.start, end=self.end)


class Blackout(Value):
    """Days without any post, not even an event's: `start` to `end`, both included; without `end` the one day."""

    start: LocalDay
    end: LocalDay | None = None
    because: Text | None = None

    @field_validator("end")
    @classmethod
    def _later(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if end is not None and start is not None and end < start:
            raise ValueError(f"{end} is before the start, {start}")
        return end

    def covers(self, day: date) -> bool:
        return self.start <= day <= (self.end or self.start)
