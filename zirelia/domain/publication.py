"""The act of publishing one post on one channel, and the receipt it ends with.

    intent `sending` is committed before the call → receipt | not_published | unknown

`unknown` means that a person, or a reconciliation that reads the platform, must look; it is never sent again blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

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
    """One post on one channel; the id makes a second attempt find the first.

    at: of the intent, while the outcome is open. created: what the platform made on the way, such as a container's id, so that
    a second attempt goes on with it.
    """

    post_id: int
    channel: Slug
    state: PublicationState
    at: Instant
    receipt: Receipt | None = None
    note: str | None = None
    created: str | None = None

    @property
    def id(self) -> str:
        return publication_id(self.post_id, self.channel)


def publication_id(post_id: int, channel: str) -> str:
    return f"pub-{post_id}-{channel}"


class AccountLimits(Value):
    """What one account takes from the daemon: posts in any 24 hours, and minutes between two."""

    daily: int = Field(ge=1)
    gap_minutes: int = Field(ge=0)


DAY = timedelta(hours=24)


def earliest(sent: Sequence[datetime], limits: AccountLimits, now: datetime) -> datetime:
    """When the account takes the next post: `now`, or later. sent: when it was sent something, at least in the last 24 hours;
    what may have gone out counts.
    """
    moments = sorted(sent)
    at = now
    if moments:
        at = max(at, moments[-1] + timedelta(minutes=limits.gap_minutes))
    if len(moments) >= limits.daily:
        at = max(at, moments[-limits.daily] + DAY)
    return at
