"""What was measured lately and is asked for again, such as a persona's references: by key, the oldest leave first.

    known: Kept[Line] = Kept(32)
    line = known.get(fingerprint(references), lambda: measure(references))

One thread measures and the others wait for it. It does not know what is kept, and nothing outlives the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Measured = TypeVar("Measured")


class Kept(Generic[Measured]):
    """At most `most` values."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Hashable, Measured] = {}
        self._measuring = threading.Lock()

    def get(self, key: Hashable, measure: Callable[[], Measured]) -> Measured:
        """The kept value, or a new one, which is kept. Raises what `measure` raises, and keeps nothing then."""
        with self._measuring:
            if key not in self._values:
                value = measure()
                while len(self._values) >= self._most:
                    self._values.pop(next(iter(self._values)))
                self._values[key] = value
            return self._values[key]
