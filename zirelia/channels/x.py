"""X by its interface v2: the picture in pieces, its alt text, then the post, labelled as made with AI.

    channel = XChannel(line, user="2244994945", handle="mira_zr")
    channel.price_usd(plan)                     # 0.015, or 0.2 with a link: each post is paid for
    receipt = channel.submit(plan, sending)

Nothing that X makes on the way tells whether the post went out, so after an unclear answer the account's own posts since the
intent are searched by text. That X refuses a duplicate is a hint, not proof. Spoken by httpx: docs/decisions/0023. Protocol:
https://docs.x.com/x-api/posts/create-post, https://docs.x.com/x-api/media/quickstart/media-upload-chunked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from zirelia.channels.own import Seen, earliest, found_among
from zirelia.channels.sealed import check
from zirelia.channels.wire import Line, Unclear, Wire, connected
from zirelia.domain.publication import Receipt
from zirelia.domain.text_length import has_link
from zirelia.errors import ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.network.failures import call_with_retry, map_http_error
from zirelia.ports import BackendFacts, Capabilities, Measured, Plan, Sending, Uncertain

BASE_URL = "https://api.x.com"

_AI_LABEL = {"made_with_ai": True}
_CAPABILITIES = Capabilities(
    caption_limit=280,
    hashtag_limit=10,
    alt_text_limit=1000,
    image_bytes_limit=5_000_000,
    ai_label=True,
    counts="x-weighted",
    image_side=4096,
)
_POST = "post:"
_PIECE = 1_000_000
_LOOKS = 20
_PAGES = 10
_MARGIN = timedelta(minutes=20)
"""How far before the intent the search begins at first, because X's clock is not ours. Each post that it finds is paid for."""
_EPOCH_MS = 1_288_834_974_657
_SCHEME = re.compile(r"https?://(?:www\.)?", re.I)


class XChannel:
    """Implements ports.Channel.

    Args:
        line: how to reach the interface; its token is one of the user's (OAuth 2). user: the account's numeric id.
        handle: its name without @, for addresses. post_usd, link_usd: what X takes for a post, and for one with a link.
    """

    def __init__(
        self, line: Line, *, user: str, handle: str | None = None, post_usd: float = 0.015, link_usd: float = 0.2
    ) -> None:
        self._line, self._user, self._handle = line, user, handle
        self._post_usd, self._link_usd = post_usd, link_usd

    @property
    def name(self) -> str:
        return self._line.provider

    @property
    def settles_after(self) -> float:
        """The upload may take minutes; what was posted is listed within seconds of it."""
        return 300.0

    def facts(self) -> BackendFacts:
        return BackendFacts("x", "v2", local=False, paid=True, details={"user": self._user, "address": self._line.base_url})

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def price_usd(self, plan: Plan) -> float:
        """What publishing it costs; a host name that may pass for a link counts as one."""
        return self._link_usd if has_link(plan.caption) else self._post_usd

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        check(plan, self.capabilities(), provider=self.name)
        if sending.created is not None:
            return self._receipt(sending.created.removeprefix(_POST))
        with connected(self._line) as wire:
            media = self._uploaded(wire, plan)
            if plan.alt_text:
                about = {"id": media, "metadata": {"alt_text": {"text": plan.alt_text}}}
                self._answer(wire, wire.call("POST", "/2/media/metadata", json=about))
            body = {"text": plan.caption, "media": {"media_ids": [media]}, **_AI_LABEL}
            try:
                post = self._id(self._answer(wire, wire.call("POST", "/2/tweets", json=body)))
            except Unclear as error:
                return Uncertain(because=error.message)
        sending.keep(_POST + post)
        return self._receipt(post)

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        if sending.created is not None:
            return self._receipt(sending.created.removeprefix(_POST))
        with connected(self._line) as wire:
            start = sending.begun - _MARGIN
            shown = list(self._shown(wire, start))
            since = earliest(sending.begun, wire.skew)
            if since < start:
                shown = list(self._shown(wire, since))
        found = found_among(shown, _SCHEME.sub("", plan.caption), since=since, provider=self.name)
        return None if found is None else self._receipt(found.id)

    def measure(self, receipt: Receipt) -> Measured | None:
        with connected(self._line) as wire:
            answer = self._read(wire, f"/2/tweets/{receipt.platform_id}", {"tweet.fields": "public_metrics"})
        counts = answer.get("data", {}).get("public_metrics", {})
        passed_on = [counts[name] for name in ("retweet_count", "quote_count") if name in counts]
        return Measured(
            at=self._line.now(),
            views=counts.get("impression_count"),
            likes=counts.get("like_count"),
            comments=counts.get("reply_count"),
            shares=sum(passed_on) if passed_on else None,
            saves=counts.get("bookmark_count"),
        )

    def _uploaded(self, wire: Wire, plan: Plan) -> str:
        """The id of the picture, whole and ready. Raises ProviderError."""
        kind = {"media_type": plan.media_type, "media_category": "tweet_image", "total_bytes": len(plan.image)}
        media = self._id(self._answer(wire, wire.call("POST", "/2/media/upload/initialize", json=kind)))
        for number, start in enumerate(range(0, len(plan.image), _PIECE)):
            piece = plan.image[start : start + _PIECE]
            # the same piece again replaces itself
            call_with_retry(lambda n=number, p=piece: self._append(wire, media, n, p), sleep=self._line.sleep, longest_wait=5.0)  # type: ignore[misc]
        done = self._answer(wire, wire.call("POST", f"/2/media/upload/{media}/finalize")).get("data", {})
        for _ in range(_LOOKS):
            working = done.get("processing_info") or {}
            if working.get("state") in {None, "succeeded"}:
                break
            if working.get("state") == "failed":
                raise ProviderRefused("the picture could not be processed", provider=self.name)
            self._line.sleep(min(float(working.get("check_after_secs") or 1), 10.0))
            done = self._read(wire, "/2/media/upload", {"command": "STATUS", "media_id": media}).get("data", {})
        else:
            raise ProviderError("the picture is still being processed", provider=self.name, retryable=True)
        size = done.get("size")
        if isinstance(size, int) and size != len(plan.image):
            raise ProviderError(f"{size} of {len(plan.image)} bytes arrived", provider=self.name, retryable=True)
        return media

    def _append(self, wire: Wire, media: str, number: int, piece: bytes) -> None:
        response = wire.call(
            "POST",
            f"/2/media/upload/{media}/append",
            data={"segment_index": str(number)},
            files={"media": ("piece", piece, "application/octet-stream")},
        )
        if not response.is_success:
            raise self._refusal(wire, response)

    def _shown(self, wire: Wire, start: datetime) -> Iterator[Seen]:
        """The account's own posts since then. Raises ProviderError, also when there are too many."""
        asked = {
            "start_time": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "max_results": "100",
            "exclude": "retweets",
            "tweet.fields": "created_at,entities",
        }
        for _ in range(_PAGES):
            answer = self._read(wire, f"/2/users/{self._user}/tweets", asked)
            for one in answer.get("data") or ():
                yield Seen(str(one["id"]), _as_written(one), _moment(str(one["id"])))
            token = (answer.get("meta") or {}).get("next_token")
            if not token:
                return
            asked = {**asked, "pagination_token": str(token)}
        raise ProviderError("the account shows more than can be searched", provider=self.name)

    def _receipt(self, post: str) -> Receipt:
        where = self._handle or "i"
        return Receipt(platform_id=post, url=f"https://x.com/{where}/status/{post}", at=_moment(post))

    def _id(self, answer: Mapping[str, Any]) -> str:
        """Raises Unclear: what was written may be there."""
        found = (answer.get("data") or {}).get("id")
        if not isinstance(found, str) or not found.isdigit():
            raise Unclear("the answer has no id", provider=self.name)
        return found

    def _read(self, wire: Wire, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        return call_with_retry(
            lambda: self._answer(wire, wire.call("GET", path, params=params)), sleep=self._line.sleep, longest_wait=5.0
        )

    def _answer(self, wire: Wire, response: httpx.Response) -> dict[str, Any]:
        if not response.is_success:
            raise self._refusal(wire, response)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Unclear(f"HTTP {response.status_code} with an answer that cannot be read", provider=self.name)
        return body

    def _refusal(self, wire: Wire, response: httpx.Response) -> ProviderError:
        """The error that an answer stands for."""
        mapped = map_http_error(response, self.name)
        said, status = wire.shown(mapped.message.removeprefix(f"{self.name}: ")), response.status_code
        if isinstance(mapped, RateLimited):
            return RateLimited(said, provider=self.name, retry_after=mapped.retry_after or self._until_reset(wire, response))
        if mapped.retryable:
            return Unclear(said, provider=self.name, retry_after=mapped.retry_after)
        if status == 403 and "duplicate" in said.lower():
            return Unclear(f"X has this text already, from this try or another: {said}", provider=self.name)
        if status == 401:
            return TokenRefused(f"the token has expired or was revoked: {said}", provider=self.name, hint=self._line.reconnect)
        hint = "no credit is left: buy some in X's developer console" if status == 402 else mapped.hint
        return ProviderRefused(said, provider=self.name, hint=hint)

    def _until_reset(self, wire: Wire, response: httpx.Response) -> float:
        """Seconds until the limit is set back, by X's own clock."""
        said = response.headers.get("x-rate-limit-reset", "")
        now = self._line.now() + (wire.skew or timedelta())
        return max(0.0, float(said) - now.timestamp()) if said.isdigit() else 900.0


def _moment(post: str) -> datetime:
    """When a post was made, as its id tells it: milliseconds since November 2010 above the lowest 22 bits."""
    return datetime.fromtimestamp(((int(post) >> 22) + _EPOCH_MS) / 1000, UTC)


def _as_written(entry: Mapping[str, Any]) -> str:
    """The text with its own links in place of X's short ones, without that of the picture, without https://."""
    text = str(entry.get("text", ""))
    for link in (entry.get("entities") or {}).get("urls") or ():
        shows_picture = "media_key" in link or "/photo/" in str(link.get("expanded_url", ""))
        text = text.replace(str(link.get("url", "")), "" if shows_picture else str(link.get("expanded_url", "")))
    return _SCHEME.sub("", text)
