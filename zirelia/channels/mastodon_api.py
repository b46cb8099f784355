"""Mastodon's interface, as far as one account needs it: answers and errors told apart, limits, HTML read as text.

    with connected(line) as wire:
        api = Api(wire, waits={})
        status = api.get(f"/api/v1/statuses/{identity}")          # RateLimited before it is sent, where no call is left
        limits_in(api.get("/api/v2/instance")).caption_limit      # 500, or what the instance takes

What other people wrote comes as HTML and is only ever read as text. Knows no publications. Protocol:
https://docs.joinmastodon.org/methods/statuses/, https://docs.joinmastodon.org/api/rate-limits/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, TypeVar

import httpx

from zirelia.channels.own import earliest
from zirelia.channels.wire import Unclear, Wire
from zirelia.errors import ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.network.failures import call_with_retry, map_http_error
from zirelia.ports import Capabilities

_Answer = TypeVar("_Answer")

DEFAULT_LIMITS = Capabilities(
    caption_limit=500,
    hashtag_limit=10,
    alt_text_limit=1500,
    image_bytes_limit=8_000_000,
    ai_label=False,
    counts="links-23",
    image_side=2048,
)
"""What an instance takes unless it says otherwise. A picture above 3840 by 2160 pixels would be made smaller there."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_WAIT = timedelta(hours=3)
_PAGES = 10
_PER_PAGE = 40
_BLOCKS = frozenset({"p", "div", "blockquote", "pre", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"})


class Api:
    """One series of calls.

    Args:
        waits: what is closed until when, by our clock; kept by the channel from one series to the next.
    """

    def __init__(self, wire: Wire, waits: MutableMapping[str, datetime]) -> None:
        self.wire = wire
        self._waits = waits

    @property
    def name(self) -> str:
        return self.wire.line.provider

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """What is there; a read may be done again. Raises ProviderError."""
        return self._again(lambda: self.read(self.call("GET", path, params=params)))

    def listed(self, path: str, **params: str) -> list[dict[str, Any]]:
        """As `get`, for a list."""
        return self._again(lambda: self._rows(self.call("GET", path, params=params)))

    def call(self, method: str, path: str, *, expected: frozenset[int] = frozenset(), **content: Any) -> httpx.Response:
        """A successful answer, or one with an `expected` status. Raises ProviderError, Unclear where the call may have taken
        effect.
        """
        # uploads, posts and reads have limits of their own
        kind, now = method if method == "GET" else f"{method} {path}", self.wire.line.now()
        until = self._waits.get(kind)
        if until is not None and now < until <= now + _LONGEST_WAIT:
            raise RateLimited("no call is left for now", provider=self.name, retry_after=(until - now).total_seconds())
        response = self.wire.call(method, path, **content)
        if response.headers.get("x-ratelimit-remaining") == "0":
            self._waits[kind] = now + self._until_reset(response)
        if not response.is_success and response.status_code not in expected:
            raise self._refusal(response)
        return response

    def read(self, response: httpx.Response) -> dict[str, Any]:
        """Raises Unclear for what cannot be read."""
        body = _json(response)
        if not isinstance(body, dict):
            raise self._unreadable(response)
        return body

    def statuses(self, account: str, *, begun: datetime, replies: bool) -> Iterator[dict[str, Any]]:
        """What the account shows since then by our clock, newest first, and some older ones. Raises ProviderError, also when
        there are too many.
        """
        asked = {"limit": str(_PER_PAGE), "exclude_reblogs": "true"} | ({} if replies else {"exclude_replies": "true"})
        for _ in range(_PAGES):
            page = self.listed(f"/api/v1/accounts/{account}/statuses", **asked)
            yield from page
            since = earliest(begun, self.wire.skew)
            if not page or min(moment(one.get("created_at"), self.name) for one in page) < since:
                return
            asked = {**asked, "max_id": identity(page[-1], self.name)}
        raise ProviderError("the account shows more than can be searched", provider=self.name)

    def _again(self, fn: Callable[[], _Answer]) -> _Answer:
        return call_with_retry(fn, sleep=self.wire.line.sleep, longest_wait=5.0)

    def _rows(self, response: httpx.Response) -> list[dict[str, Any]]:
        body = _json(response)
        if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
            raise self._unreadable(response)
        return body

    def _unreadable(self, response: httpx.Response) -> Unclear:
        return Unclear(f"HTTP {response.status_code} with an answer that cannot be read", provider=self.name)

    def _refusal(self, response: httpx.Response) -> ProviderError:
        """The error that an answer stands for."""
        mapped = map_http_error(response, self.name)
        said, status = self.wire.shown(mapped.message.removeprefix(f"{self.name}: ")), response.status_code
        if isinstance(mapped, RateLimited):
            wait = mapped.retry_after or self._until_reset(response).total_seconds()
            return RateLimited(said, provider=self.name, retry_after=wait)
        if mapped.retryable:
            return Unclear(said, provider=self.name, retry_after=mapped.retry_after)
        reconnect = self.wire.line.reconnect
        if status == 401:
            return TokenRefused(f"the token has expired or was revoked: {said}", provider=self.name, hint=reconnect)
        return ProviderRefused(said, provider=self.name, hint=reconnect if status == 403 else None)

    def _until_reset(self, response: httpx.Response) -> timedelta:
        """Until the limit is set back, by the instance's own clock; five minutes where it does not say."""
        now = self.wire.line.now() + (self.wire.skew or timedelta())
        said = response.headers.get("x-ratelimit-reset", "")
        try:
            # Mastodon writes ISO 8601, some of its relatives seconds since 1970
            at = datetime.fromtimestamp(int(said), UTC) if said.isdigit() else datetime.fromisoformat(said)
            left = at.replace(tzinfo=at.tzinfo or UTC) - now
        except (ValueError, OverflowError, OSError):
            left = timedelta(minutes=5)
        return min(max(left, timedelta()), _LONGEST_WAIT)


def _json(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def identity(entry: Mapping[str, Any], provider: str) -> str:
    """Its id, safe in a path. Raises Unclear: what was written may be there."""
    found = entry.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Unclear("the answer has no id", provider=provider)
    return found


def moment(said: object, provider: str) -> datetime:
    """A time as Mastodon writes it. Raises ProviderError."""
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        raise ProviderError("the answer has no time that can be read", provider=provider) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def limits_in(instance: Mapping[str, Any]) -> Capabilities:
    """What an instance says that it takes, GET /api/v2/instance; the default for what it leaves out."""
    told, usual = instance.get("configuration") or {}, DEFAULT_LIMITS

    def number(group: str, name: str, otherwise: int) -> int:
        found = (told.get(group) or {}).get(name)
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else otherwise

    pixels = number("media_attachments", "image_matrix_limit", usual.image_side**2)
    per_link = number("statuses", "characters_reserved_per_url", 23)
    return Capabilities(
        caption_limit=number("statuses", "max_characters", usual.caption_limit),
        hashtag_limit=usual.hashtag_limit,
        alt_text_limit=number("media_attachments", "description_limit", usual.alt_text_limit),
        image_bytes_limit=number("media_attachments", "image_size_limit", usual.image_bytes_limit),
        ai_label=False,
        counts="links-23" if per_link == 23 else "graphemes",
        image_side=min(usual.image_side, math.isqrt(pixels)),
    )


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - as it is called
        if tag in {"script", "style"}:
            self._hidden += 1
        self.parts.append("\n" if tag == "br" else "\n\n" if tag in _BLOCKS else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._hidden = max(0, self._hidden - 1)
        self.parts.append("\n\n" if tag in _BLOCKS else "")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def is_address(url: str) -> bool:
    return url.startswith(("https://", "http://")) and url.isprintable() and " " not in url


def words_of(content: object) -> str:
    """The text of a status, whose HTML shortens links only for the eye."""
    parser = _Words()
    parser.feed(str(content or ""))
    parser.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(parser.parts)).strip()
