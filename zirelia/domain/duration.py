"""A stretch of time as people say it.

    duration(7500)      # "2 h 05 min"

Knows no calendar.
"""

from __future__ import annotations


def duration(seconds: float) -> str:
    """The words for so many seconds, from "40 s" over "12 min" to "1 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
