"""What the store keeps of posts that were not published here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from zirelia.domain.history import PastPost, Snapshot


class History(Protocol):
    """Posts of a persona's accounts that were not published here, and looks at those accounts."""

    def add_past(self, persona: str, post: PastPost, *, at: datetime) -> bool:
        """Keeps it; False when a post of that channel and code is kept already, which stays as it is."""
        ...

    def past(self, persona: str, *, limit: int) -> tuple[PastPost, ...]:
        """Newest first, of all channels."""
        ...

    def known_codes(self, persona: str, channel: str) -> frozenset[str]: ...

    def past_vectors(self, persona: str, embedder: str) -> dict[str, bytes]:
        """Code → vector that this embedder made."""
        ...

    def keep_past_vectors(self, persona: str, embedder: str, vectors: Mapping[str, bytes]) -> None:
        """By code, in place of another embedder's."""
        ...

    def forget_past(self, persona: str, channel: str) -> int:
        """Takes the posts and the looks away; how many posts there were."""
        ...

    def last_snapshot(self, persona: str, channel: str) -> Snapshot | None: ...

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        """In place of the last one."""
        ...

    def published_urls(self, persona: str, channel: str) -> tuple[str, ...]:
        """Addresses of what was published here on that channel."""
        ...
