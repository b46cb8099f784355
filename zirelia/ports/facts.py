"""What every adapter can say of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class BackendFacts:
    """For `zirelia doctor`: which backend and model stand behind a port, whether a call costs money or leaves the machine."""

    backend: str
    model: str
    local: bool
    paid: bool
    details: dict[str, str] = field(default_factory=dict)


class Describable(Protocol):
    def facts(self) -> BackendFacts: ...
