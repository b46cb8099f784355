"""A Facebook Page by Meta's own interface: one photo with its text, published at once.

    channel = FacebookChannel(line, page="100000000000000")
    receipt = channel.submit(plan, sending)

The picture is sent along, nothing fetches it. There is no step before the publication whose id could be kept, so after an
unclear answer the Page's own posts are searched by text and time. The interface has no parameter that says "made by AI".
https://developers.facebook.com/docs/graph-api/reference/page/photos
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zirelia.channels.meta import Graph, graph_of, identity, moment
from zirelia.channels.own import Seen, earliest, found_among
from zirelia.channels.sealed import check
from zirelia.channels.wire import Line, Unclear
from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError
from zirelia.ports import BackendFacts, Capabilities, Measured, Plan, Sending, Uncertain

BASE_URL = "https://graph.facebook.com"
VERSION = "v25.0"

_CAPABILITIES = Capabilities(
    caption_limit=63_206,
    hashtag_limit=30,
    alt_text_limit=1000,
    image_bytes_limit=8_000_000,
    ai_label=False,
    counts="characters",
    image_side=2048,
)
_POST = "post:"


class FacebookChannel:
    """Implements ports.Channel.

    Args:
        line: how to reach the Page's interface; its token is a Page token. page: the Page's numeric id.
    """

    def __init__(self, line: Line, *, page: str, version: str = VERSION) -> None:
        self._line, self._page, self._version = line, page, version

    @property
    def name(self) -> str:
        return self._line.provider

    @property
    def settles_after(self) -> float:
        """A photo may still be worked on for minutes after a lost answer, and nothing but the list of posts tells."""
        return 300.0

    def facts(self) -> BackendFacts:
        details = {"page": self._page, "address": self._line.base_url}
        return BackendFacts("facebook", self._version, local=False, paid=False, details=details)

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        check(plan, self.capabilities(), provider=self.name)
        with self._opened() as graph:
            if sending.created is not None:
                return self._proven(graph, sending.created.removeprefix(_POST))
            form = {"caption": plan.caption, "published": "true"}
            if plan.alt_text:
                form["alt_text_custom"] = plan.alt_text
            graph.get(self._page, fields="id")  # tells how much of the rate limit is left
            graph.check_room()
            try:
                answer = graph.post(
                    f"{self._page}/photos", form, files={"source": ("picture.jpg", plan.image, plan.media_type)}
                )
                post = identity(answer, self.name, "post_id")
            except Unclear as error:
                return Uncertain(because=error.message)
            sending.keep(_POST + post)
            return self._proven(graph, post)

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        with self._opened() as graph:
            if sending.created is not None:
                return self._receipt(graph, sending.created.removeprefix(_POST))
            graph.get(self._page, fields="id")  # tells the platform's time
            since = earliest(sending.begun, graph.skew)
            entries = graph.pages(
                f"{self._page}/published_posts",
                until=since,
                time_field="created_time",
                fields="id,message,created_time",
                limit="50",
            )
            found = found_among(map(self._seen, entries), plan.caption, since=since, provider=self.name)
            return None if found is None else self._receipt(graph, found.id)

    def measure(self, receipt: Receipt) -> Measured | None:
        fields = "reactions.limit(0).summary(total_count),comments.limit(0).summary(total_count),shares"
        with self._opened() as graph:
            seen = graph.get(receipt.platform_id, fields=fields)
        return Measured(
            at=self._line.now(),
            likes=_within(seen, "reactions", "summary", "total_count"),
            comments=_within(seen, "comments", "summary", "total_count"),
            # a post that nobody shared has no such field
            shares=_within(seen, "shares", "count") or 0,
        )

    def _seen(self, entry: Mapping[str, Any]) -> Seen:
        return Seen(str(entry.get("id")), entry.get("message"), moment(entry.get("created_time"), self.name))

    @contextmanager
    def _opened(self) -> Iterator[Graph]:
        with graph_of(self._line, self._version) as graph:
            yield graph

    def _proven(self, graph: Graph, post: str) -> Receipt | Uncertain:
        try:
            return self._receipt(graph, post)
        except ProviderError as error:
            return Uncertain(because=f"it is out as {post}, but could not be read: {error.message}")

    def _receipt(self, graph: Graph, post: str) -> Receipt:
        seen = graph.get(post, fields="id,permalink_url,created_time")
        url = str(seen.get("permalink_url") or f"https://www.facebook.com/{post}")
        return Receipt(platform_id=post, url=url, at=moment(seen.get("created_time"), self.name))


def _within(seen: Any, *names: str) -> int | None:
    for name in names:
        seen = seen.get(name) if isinstance(seen, dict) else None
    return seen if isinstance(seen, int) else None
