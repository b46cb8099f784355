"""Who is told what happens while it happens."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Told what happens while it happens, to show it to a person. Never decides anything."""

    def step(self, name: str, note: str = "") -> None:
        """A step began."""
        ...

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None:
        """Something worth a line within the present step."""
        ...

    def done(self, note: str = "") -> None:
        """The present step ended well."""
        ...

    def failed(self, note: str) -> None:
        """The present step ended badly."""
        ...
