"""What a persona may spend: caps on money and pictures, each over a month, a day or a post.

    cap = Cap(period=Period.DAY, unit=Unit.IMAGES, limit=3, since=beginning(Period.DAY, now, zone))
    check(cap, 3.0, entry)             # BudgetExceeded: 3 of 3 pictures today

A day and a month are those of the persona's own calendar. Knows no settings and no tables: what was spent so far is told.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, tzinfo
from enum import StrEnum

from pydantic import Field

from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.value import Instant, Value
from zirelia.errors import BudgetExceeded

_NOISE = 5e-7
"""Half of the smallest amount that is stored, in US dollars: sums of floating-point numbers differ by less."""


class Period(StrEnum):
    MONTH = "month"
    DAY = "day"
    POST = "post"


class Unit(StrEnum):
    USD = "usd"
    IMAGES = "images"


class Spent(Value):
    """What was charged or may have been: US dollars, and pictures made or maybe made, free ones too."""

    usd: float = Field(default=0.0, ge=0)
    images: int = Field(default=0, ge=0)

    def of(self, unit: Unit) -> float:
        return self.usd if unit is Unit.USD else self.images


class Cap(Value):
    """One limit. `since`: the first moment that counts, None for all time; `post_id`: the only post that counts."""

    period: Period
    unit: Unit
    limit: float = Field(ge=0)
    since: Instant | None = None
    post_id: int | None = None

    @property
    def setting(self) -> str:
        return f"budget.{self.period}_{self.unit}"

    def covers(self, moment: datetime) -> bool:
        return self.since is None or moment >= self.since


def beginning(period: Period, now: datetime, zone: tzinfo) -> datetime | None:
    """The first moment of the local month or day that `now` is in, in UTC; None for a post, of which everything counts.

    Where a change of the clock leaves a day without a midnight, it is the moment of the change; of two midnights the first.
    """
    if period is Period.POST:
        return None
    day = now.astimezone(zone).date()
    first = day.replace(day=1) if period is Period.MONTH else day
    return datetime.combine(first, time(), zone).astimezone(UTC)


def adds(unit: Unit, entry: LedgerEntry) -> float:
    """What the call may add to a cap of that unit. A free call adds no money, and is not refused for want of it."""
    return entry.estimate_usd if unit is Unit.USD else float(entry.makes_picture)


def check(cap: Cap, so_far: float, entry: LedgerEntry) -> None:
    """Raises BudgetExceeded when the call would go beyond the cap. so_far: spent in its period without this call."""
    more = adds(cap.unit, entry)
    beyond = so_far + more - cap.limit
    if more > 0 and beyond > _NOISE:
        raise BudgetExceeded(_said(cap, so_far, entry, beyond), hint=_way_out(cap))


def _said(cap: Cap, so_far: float, entry: LedgerEntry, beyond: float) -> str:
    who = entry.persona if cap.post_id is None else f"post {cap.post_id}"
    when = {Period.MONTH: " this month", Period.DAY: " today", Period.POST: ""}[cap.period]
    if cap.unit is Unit.IMAGES:
        return f"{who} has {so_far:.0f} of {cap.limit:.0f} pictures{when}; the next one is {beyond:.0f} beyond {cap.setting}"
    verb = "spent" if cap.post_id is None else "cost"
    return (
        f"{who} has {verb} {dollars(so_far)} of {dollars(cap.limit)}{when}; "
        f"the next call may cost {dollars(entry.estimate_usd)}, which is {dollars(beyond)} beyond {cap.setting}"
    )


def _way_out(cap: Cap) -> str:
    wait = "decide on the post as it is" if cap.period is Period.POST else f"wait for the next {cap.period}"
    return f"raise ZIRELIA_BUDGET_{cap.period.name}_{cap.unit.name}, or {wait}"


def dollars(usd: float) -> str:
    """Cents, and as many more digits as a small amount needs."""
    whole, _, part = f"{usd:.6f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"
