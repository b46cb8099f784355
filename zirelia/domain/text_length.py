"""How long a text is, as the platform that takes it counts.

    length("👩‍🚀 go", "graphemes")      # 4: the astronaut is one
    length("👩‍🚀 go", "utf-16")         # 8

Knows no platform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import regex

from zirelia.errors import ConfigurationError

_COUNTERS: Mapping[str, Callable[[str], int]] = {
    "graphemes": lambda text: len(regex.findall(r"\X", text)),
    "characters": len,
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}


def length(text: str, counts: str) -> int:
    """The length in that unit. Raises ConfigurationError for a unit that nobody knows here."""
    counter = _COUNTERS.get(counts)
    if counter is None:
        raise ConfigurationError(f"texts are not counted in '{counts}'", hint=f"known units: {', '.join(_COUNTERS)}")
    return counter(text)
