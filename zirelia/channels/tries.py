"""What a try to publish in two steps leaves for the next one, as `Sending.created` keeps it; and how long a step is waited for.

    steps = Steps(first="container", last="media")
    sending.keep(steps.made("1789", source="5e1c0d"))    # "container:1789:5e1c0d": made, but not out
    sending.keep(steps.out("1790"))                      # "media:1790": it is out
    steps.read(sending.created)                          # Left(out="1790")

Databases hold these words. Knows no platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_PAUSES = (1.0, 2.0, 3.0, 5.0, 5.0, 10.0, 10.0, 15.0, 15.0, 30.0)
"""Seconds between looks; all together about a minute and a half."""


@dataclass(frozen=True)
class Left:
    """made: the id of what was made on the way. source: what that was made from. out: the id of what was published."""

    made: str | None = None
    source: str | None = None
    out: str | None = None


@dataclass(frozen=True)
class Steps:
    """What a platform calls the thing that is made first, and the one that is published."""

    first: str
    last: str

    def made(self, identity: str, *, source: str) -> str:
        return f"{self.first}:{identity}:{source}"

    def out(self, identity: str) -> str:
        return f"{self.last}:{identity}"

    def read(self, created: str | None) -> Left:
        """Nothing left for words that are of other steps."""
        kind, _, rest = (created or "").partition(":")
        if kind == self.first:
            made, _, source = rest.partition(":")
            return Left(made=made or None, source=source or None)
        return Left(out=rest or None) if kind == self.last else Left()


def looks(sleep: Callable[[float], None]) -> Iterator[None]:
    """One turn for each look at what a platform works on, with a pause between two."""
    yield
    for pause in _PAUSES:
        sleep(pause)
        yield
