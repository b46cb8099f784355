"""The act of publishing one post on one channel, and the receipt it ends with.

    intent `sending` is committed before the call → receipt | not_published | unknown

`unknown` means that a person, or a reconciliation that reads the platform, must look; it is never sent again blindly.
"""

from __future__ import annotations

from enum import StrEnum

from zirelia.domain.value import Instant, Slug, Text, Value


class PublicationState(StrEnum):
    SENDING = "sending"
    PUBLISHED = "published"
    NOT_PUBLISHED = "not_published"
    UNKNOWN = "unknown"


class Receipt(Value):
    """The platform's proof: its id, an address to look at, when."""

    platform_id: Text
    url: Text
    at: Instant


class Publication(Value):
    """One post on one channel; the id makes a second attempt find the first."""

    post_id: int
    channel: Slug
    state: PublicationState
    at: Instant
    receipt: Receipt | None = None
    note: str | None = None

    @property
    def id(self) -> str:
        return publication_id(self.post_id, self.channel)


def publication_id(post_id: int, channel: str) -> str:
    return f"pub-{post_id}-{channel}"
