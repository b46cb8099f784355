"""Where posts go and mentions come from: one account on one platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from zirelia.domain.post import Post
from zirelia.domain.publication import Receipt
from zirelia.domain.reply import Mention, Reply
from zirelia.ports.facts import Describable


@dataclass(frozen=True)
class Capabilities:
    """A channel's limits. Lengths are in the unit the platform counts: graphemes unless `counts` says otherwise.

    ai_label: whether the platform has a label of its own for what an AI made. caption_bytes: what the caption may have in UTF-8
    besides. image_side: most pixels a side. aspects: narrowest and widest shape, width over height.
    """

    caption_limit: int
    hashtag_limit: int
    alt_text_limit: int
    image_bytes_limit: int
    ai_label: bool
    counts: str = "graphemes"
    caption_bytes: int | None = None
    image_side: int = 2048
    aspects: tuple[float, float] | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that will be sent, fixed before anything is sent. `language` is the persona's, ISO 639-1."""

    publication_id: str
    post: Post
    caption: str
    alt_text: str
    image: bytes
    media_type: str
    sidecar: dict[str, object]
    hashtags: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True)
class Sending:
    """A publication on its way, as it is stored.

    begun: when the intent was stored; what the platform has of it is not older. created: what an earlier try had the platform
    make. keep: stores what the platform made, committed when it returns.
    """

    begun: datetime
    created: str | None = None
    keep: Callable[[str], None] = lambda _created: None


@dataclass(frozen=True)
class Uncertain:
    """The call may or may not have published; `reconcile` must look before anybody sends again."""

    because: str


@dataclass(frozen=True)
class Measured:
    """What a platform counts of one publication; None is what it does not tell."""

    at: datetime
    views: int | None = None
    likes: int | None = None
    comments: int | None = None
    shares: int | None = None
    saves: int | None = None


class Channel(Describable, Protocol):
    """One account on one platform."""

    @property
    def name(self) -> str: ...

    @property
    def settles_after(self) -> float:
        """Seconds after the intent from which `reconcile` may be believed when it finds nothing: until then the call may still
        be on its way, or the platform may not show it yet. 0 where nothing can be on its way.
        """
        ...

    def capabilities(self) -> Capabilities: ...

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        """Publishes. A second call with the same publication id publishes nothing and answers the first receipt, where
        the platform allows that. Raises ProviderError only when certainly nothing was published.
        """
        ...

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        """Reads the platform: the receipt when the publication is there, None when it certainly is not.
        Raises ProviderError when that cannot be known.
        """
        ...

    def measure(self, receipt: Receipt) -> Measured | None:
        """What became of it, as the platform counts it now; None where it tells nothing. Raises ProviderError."""
        ...


@dataclass(frozen=True)
class Heard:
    """Mentions, oldest first, and where to go on from the next time."""

    mentions: tuple[Mention, ...]
    cursor: str | None


class Inbox(Protocol):
    """A channel whose platform lets mentions be read and answered. Its `Channel` has these as well."""

    def mentions(self, persona: str, cursor: str | None) -> Heard:
        """What was said to the account since `cursor`; the latest few for None. Raises ProviderError."""
        ...

    def answer(self, reply: Reply, sending: Sending) -> Receipt | Uncertain:
        """Sends the reply. As `Channel.submit`."""
        ...

    def answered(self, reply: Reply, sending: Sending) -> Receipt | None:
        """As `Channel.reconcile`."""
        ...
