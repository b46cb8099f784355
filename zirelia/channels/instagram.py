"""Instagram by Meta's own interface, for a professional account.

    channel = InstagramChannel(line, account="17841400000000000", host=hosting.public)
    receipt = channel.submit(plan, sending)

Instagram fetches the picture, so it must lie at a public address while the container is made. How a resend is made safe:
`containers`. Limits and label: https://developers.facebook.com/documentation/instagram-platform/content-publishing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from zirelia.channels.containers import ContainerChannel, Dialect, Host, counts_in
from zirelia.channels.wire import Line
from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderRefused
from zirelia.ports import Capabilities, Measured, Plan

BASE_URL = "https://graph.instagram.com"
VERSION = "v25.0"

_AI_LABEL = {"is_ai_generated": "true"}
"""Puts the "AI info" label on the post: in Meta's changelog of 22 June 2026, for every version of the interface."""

_CAPABILITIES = Capabilities(
    caption_limit=2200,
    hashtag_limit=30,
    alt_text_limit=1000,
    image_bytes_limit=8_000_000,
    ai_label=True,
    counts="characters",
    image_side=1440,
    aspects=(0.8, 1.91),
)


class InstagramChannel(ContainerChannel):
    """Implements ports.Channel; see ContainerChannel. line.base_url is BASE_URL, or https://graph.facebook.com for an account
    that is reached by a Facebook login.
    """

    dialect: ClassVar[Dialect] = Dialect(
        make="media",
        publish="media_publish",
        shown="media",
        quota="content_publishing_limit",
        status="status_code",
        text="caption",
    )

    def __init__(self, line: Line, *, account: str, host: Host, version: str = VERSION) -> None:
        super().__init__(line, version=version, account=account, host=host)

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def _form(self, plan: Plan, url: str) -> Mapping[str, str]:
        alt_text = {"alt_text": plan.alt_text} if plan.alt_text else {}
        return {"image_url": url, "caption": plan.caption, **alt_text, **_AI_LABEL}

    def measure(self, receipt: Receipt) -> Measured | None:
        """Likes and comments; views, shares and saves where the account may read its insights."""
        with self._opened() as graph:
            seen = graph.get(receipt.platform_id, fields="like_count,comments_count")
            try:
                counts = counts_in(graph.get(f"{receipt.platform_id}/insights", metric="views,shares,saved"))
            except ProviderRefused:  # too few viewers, or no permission to read insights
                counts = {}
        return Measured(
            at=self._line.now(),
            views=counts.get("views"),
            likes=_count(seen.get("like_count")),
            comments=_count(seen.get("comments_count")),
            shares=counts.get("shares"),
            saves=counts.get("saved"),
        )


def _count(said: object) -> int | None:
    return said if isinstance(said, int) else None
