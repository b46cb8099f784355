"""Whom the engine works for, and with what: the studio answers, the engine asks.

Knows no settings and no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zirelia.domain.persona import Persona
from zirelia.ports import Watcher
from zirelia.workflow.kit import Kit, Subject


class Roster(Protocol):
    """The personas that are run here. Called from several threads."""

    def names(self) -> Sequence[str]:
        """All of them, as their packs are now."""
        ...

    def persona(self, name: str) -> Persona:
        """The pack as it is now. Raises ConfigurationError for one that cannot be used."""
        ...

    def desk(self, name: str, watcher: Watcher) -> tuple[Kit, Subject]:
        """What a turn of this persona works with. Raises ConfigurationError."""
        ...

    def draws_here(self, name: str) -> bool:
        """Whether the persona's pictures are made on this machine's device, and so one at a time."""
        ...
