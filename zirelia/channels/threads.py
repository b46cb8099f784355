"""Threads by Meta's own interface.

    channel = ThreadsChannel(line, account="25000000000000000", host=hosting.public)
    receipt = channel.submit(plan, sending)

Threads fetches the picture, as Instagram does, and publishes in the same two steps: `containers`. Its interface has no
parameter that says "made by AI", so the disclosure line of the caption and the label inside the picture say it alone.
https://developers.facebook.com/documentation/threads/posts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from zirelia.channels.containers import ContainerChannel, Dialect, Host, counts_in
from zirelia.channels.wire import Line
from zirelia.domain.publication import Receipt
from zirelia.ports import Capabilities, Measured, Plan

BASE_URL = "https://graph.threads.net"
VERSION = "v1.0"

_CAPABILITIES = Capabilities(
    caption_limit=500,
    hashtag_limit=1,  # a post has one topic; every further hashtag is plain text
    alt_text_limit=1000,
    image_bytes_limit=8_000_000,
    ai_label=False,
    counts="emoji-bytes",
    image_side=1440,
    aspects=(0.1, 10.0),
)


class ThreadsChannel(ContainerChannel):
    """Implements ports.Channel; see ContainerChannel."""

    dialect: ClassVar[Dialect] = Dialect(
        make="threads",
        publish="threads_publish",
        shown="threads",
        quota="threads_publishing_limit",
        status="status",
        text="text",
    )

    def __init__(self, line: Line, *, account: str, host: Host, version: str = VERSION) -> None:
        super().__init__(line, version=version, account=account, host=host)

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def _form(self, plan: Plan, url: str) -> Mapping[str, str]:
        alt_text = {"alt_text": plan.alt_text} if plan.alt_text else {}
        return {"media_type": "IMAGE", "image_url": url, "text": plan.caption, **alt_text}

    def measure(self, receipt: Receipt) -> Measured | None:
        """Raises ProviderError, also without the permission to read insights."""
        with self._opened() as graph:
            counts = counts_in(graph.get(f"{receipt.platform_id}/insights", metric="views,likes,replies,reposts,quotes,shares"))
        passed_on = [counts[name] for name in ("reposts", "quotes", "shares") if name in counts]
        return Measured(
            at=self._line.now(),
            views=counts.get("views"),
            likes=counts.get("likes"),
            comments=counts.get("replies"),
            shares=sum(passed_on) if passed_on else None,
        )
