"""What a call that takes long or costs money reports to."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of progress inside one step: a fraction in [0, 1] and a short note such as "step 4 of 16"."""

    def __call__(self, fraction: float, note: str) -> None: ...


class PaidCall(Protocol):
    """The ledger row of the call in progress."""

    @property
    def external_id(self) -> str | None:
        """Set when an earlier try of the same call already created something at the provider."""
        ...

    def created(self, external_id: str) -> None:
        """Commits the provider's id before anything else happens. Whoever creates has looked first for what an earlier try of
        the call had created, and found it or nothing.
        """
        ...
