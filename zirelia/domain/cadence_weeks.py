"""The days ahead as a cadence draws them: slots, occasions, closed days, changes of the clock.

    for day in days_ahead(cadence, "mira", date(2027, 3, 22), weeks=2): ...

A forecast and a record of the past alike: the same days are drawn again whenever they are asked for. Knows no posts.
"""

from __future__ import annotations

from datetime import date

from zirelia.domain.cadence import Cadence, Slot, closed_on, occasion_on, slots_on
from zirelia.domain.cadence_clock import shift_on
from zirelia.domain.value import Text, Value


class CalendarDay(Value):
    """One local day. clock_shift: minutes by which the clocks go forward (above zero) or back during it."""

    day: date
    slots: tuple[Slot, ...] = ()
    occasion: Text | None = None
    closed: Text | None = None
    clock_shift: int = 0


def days_ahead(cadence: Cadence, persona: str, first: date, weeks: int) -> tuple[CalendarDay, ...]:
    """Seven days a week from the local day `first` on, to the end of the calendar at the latest."""
    last = min(first.toordinal() + 7 * weeks - 1, date.max.toordinal())
    return tuple(_day(cadence, persona, date.fromordinal(number)) for number in range(first.toordinal(), last + 1))


def _day(cadence: Cadence, persona: str, day: date) -> CalendarDay:
    return CalendarDay(
        day=day,
        slots=slots_on(cadence, persona, day),
        occasion=occasion_on(cadence, day),
        closed=closed_on(cadence, day),
        clock_shift=int(shift_on(cadence.zone, day).total_seconds() // 60),
    )
