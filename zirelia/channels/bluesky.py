"""Bluesky: a picture with its text as one record, under a key that is known before it is sent.

    channel = BlueskyChannel(line, did="did:plc:…", handle="mira.bsky.social")
    receipt = channel.submit(plan, sending)              # at://did:plc:…/app.bsky.feed.post/3m4…
    channel.reconcile(plan, sending)                     # the same, or None: exact, by the key and not by the text

The key follows from the publication's id, and the server refuses a second record under it, so no post can be there twice
whatever becomes of a call. The line's address is the server that keeps the account (`Session.service`). Spoken by httpx:
docs/decisions/0024.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from zirelia.channels.bluesky_facets import facets_of
from zirelia.channels.bluesky_inbox import answering, hear
from zirelia.channels.bluesky_repo import POST, Record, Repo, Taken, moment, record_key, written
from zirelia.channels.sealed import check
from zirelia.channels.wire import Line, Unclear, connected
from zirelia.domain.publication import Receipt
from zirelia.domain.reply import Reply
from zirelia.errors import ProviderError, ProviderRefused
from zirelia.ports import BackendFacts, Capabilities, Heard, Measured, Plan, Sending, Uncertain

_CAPABILITIES = Capabilities(
    caption_limit=300,
    hashtag_limit=10,
    alt_text_limit=2000,
    # newer servers take twice as much, and those that people run themselves are not all new
    image_bytes_limit=1_000_000,
    ai_label=False,
    caption_bytes=3000,
    image_side=2000,
)


class BlueskyChannel:
    """Implements ports.Channel and ports.Inbox.

    Args:
        line: how to reach the server that keeps the account; its token is the session's access token.
        did: the account. handle: its name, for addresses. service: the server as people know it; None: the line's address.
    """

    def __init__(self, line: Line, *, did: str, handle: str | None = None, service: str | None = None) -> None:
        self._line, self._did, self._handle = line, did, handle
        self._service = service or line.base_url

    @property
    def name(self) -> str:
        return self._line.provider

    @property
    def settles_after(self) -> float:
        """What is on its way could still arrive; what has arrived is shown at once."""
        return 60.0

    def facts(self) -> BackendFacts:
        details = {"account": self._did, "address": self._line.base_url}
        return BackendFacts("bluesky", self._service, local=False, paid=False, details=details)

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        check(plan, self.capabilities(), provider=self.name)
        size = _size(plan.image, self.name)

        def record(repo: Repo) -> dict[str, Any]:
            picture = {"alt": plan.alt_text, "image": repo.upload(plan.image, plan.media_type), "aspectRatio": size}
            embed = {"$type": "app.bsky.embed.images", "images": [picture]}
            return _post(repo, plan.caption, sending) | {"langs": [plan.language], "embed": embed}

        return self._sent(record_key(plan.publication_id, plan.post.created), record)

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:  # noqa: ARG002 - the key says it all
        return self._shown(record_key(plan.publication_id, plan.post.created))

    def measure(self, receipt: Receipt) -> Measured | None:
        with self._opened() as repo:
            answer = repo.view("app.bsky.feed.getPosts", {"uris": receipt.platform_id})
        post = next(iter((answer or {}).get("posts") or ()), None)
        if post is None:
            return None
        passed_on = [post[name] for name in ("repostCount", "quoteCount") if name in post]
        return Measured(
            at=self._line.now(),
            likes=post.get("likeCount"),
            comments=post.get("replyCount"),
            shares=sum(passed_on) if passed_on else None,
            saves=post.get("bookmarkCount"),
        )

    def mentions(self, persona: str, cursor: str | None) -> Heard:
        with self._opened() as repo:
            return hear(repo, channel=self.name, persona=persona, cursor=cursor)

    def answer(self, reply: Reply, sending: Sending) -> Receipt | Uncertain:
        def record(repo: Repo) -> dict[str, Any]:
            return _post(repo, reply.text or "", sending) | {"reply": answering(repo, reply.mention.id, provider=self.name)}

        return self._sent(record_key(reply.publication_id, reply.mention.at), record)

    def answered(self, reply: Reply, sending: Sending) -> Receipt | None:  # noqa: ARG002 - the key says it all
        return self._shown(record_key(reply.publication_id, reply.mention.at))

    @contextmanager
    def _opened(self) -> Iterator[Repo]:
        with connected(self._line) as wire:
            yield Repo(wire, self._did)

    def _sent(self, key: str, record: Callable[[Repo], dict[str, Any]]) -> Receipt | Uncertain:
        """What is there under the key, or the new record."""
        with self._opened() as repo:
            there = repo.record(POST, key)
            if there is not None:
                return self._receipt(there)
            value = record(repo)
            try:
                return self._receipt(repo.put(POST, key, value))
            except (Unclear, Taken) as error:
                because = error.message
            try:
                there = repo.record(POST, key)
            except ProviderError as error:
                because = f"{because}; then: {error.message}"
            return Uncertain(because=because) if there is None else self._receipt(there)

    def _shown(self, key: str) -> Receipt | None:
        with self._opened() as repo:
            there = repo.record(POST, key)
        return None if there is None else self._receipt(there)

    def _receipt(self, record: Record) -> Receipt:
        key = record.uri.rpartition("/")[2]
        where = f"https://bsky.app/profile/{self._handle or self._did}/post/{key}"
        return Receipt(platform_id=record.uri, url=where, at=moment(record.value.get("createdAt"), self.name))


def _post(repo: Repo, text: str, sending: Sending) -> dict[str, Any]:
    post: dict[str, Any] = {"$type": POST, "text": text, "createdAt": written(sending.begun)}
    facets = facets_of(text, resolve=repo.resolve)
    return post | {"facets": facets} if facets else post


def _size(image: bytes, provider: str) -> dict[str, int]:
    """Width and height, which apps want to know before they have the picture. Raises ProviderRefused."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=("JPEG",)) as opened:
            return {"width": opened.width, "height": opened.height}
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ProviderRefused("the picture cannot be read", provider=provider) from error
