"""Three column types: a moment in UTC, an amount in whole micro-dollars, a domain value as JSON text.

    due: Mapped[datetime] = mapped_column(UtcDateTime())
    cost: Mapped[float] = mapped_column(MicroUsd())
    brief: Mapped[Brief | None] = mapped_column(JsonValue(Brief))

They mean the same on SQLite and PostgreSQL. Knows nothing of the tables.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

from zirelia.domain.value import Value


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored and given back in UTC; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone; stored moments need one")
        return value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class MicroUsd(TypeDecorator[float]):
    """US dollars, stored as an integer of micro-dollars, so that sums are exact. Rounded up: money is never forgotten."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        return None if value is None else micro_usd(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> float | None:
        return None if value is None else value / 1_000_000


def micro_usd(usd: float) -> int:
    """Whole micro-dollars, rounded up but for the noise of floating point (0.07 is 70 000, not 70 001)."""
    return math.ceil(round(usd * 1_000_000, 3))


class JsonValue(TypeDecorator[Value]):
    """A frozen domain value as JSON text. Text that no longer fits the value raises pydantic's ValidationError."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Value]) -> None:
        super().__init__()
        self.kind = kind

    @override
    def process_bind_param(self, value: Value | None, dialect: Dialect) -> str | None:
        return None if value is None else value.model_dump_json()

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Value | None:
        return None if value is None else self.kind.model_validate_json(value)
