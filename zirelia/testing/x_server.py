"""X's interface v2 on loopback, for one user: pictures in pieces, alt texts, posts, the user's timeline.

    with XServer() as server:
        XChannel(Line("x", server.url, token=lambda: server.token), user=server.user).submit(plan, sending)
        server.published[0]["ai"]               # True
        server.charged                          # US dollars, as X's price list has it
        server.loses = 1000                     # so many bytes of the next picture do not arrive
        server.fail("post", after=True, silent=True)

Places of faults: initialize, append, finalize, status, metadata, post, timeline, read. The same text again within 12 hours is
refused with 403, as a duplicate. Links come back as t.co ones. Follows docs.x.com as of 2026.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from zirelia.domain.text_length import length
from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.social_peer import Route, SocialPeer, form_of, jpeg_size

_EPOCH_MS = 1_288_834_974_657
_DUPLICATES = timedelta(hours=12)
_LARGEST_PIECE = 5 * 1024 * 1024
_LONGEST_ALT = 1000
_LONGEST_POST = 280
_LINK = re.compile(r"https?://\S+")
_POST_USD, _LINK_USD, _READ_USD = 0.015, 0.2, 0.005


@dataclass
class _Media:
    total: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    looks: int = 0
    done: bool = False
    alt_text: str | None = None

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces[number] for number in sorted(self.pieces))


class XServer(SocialPeer):
    """`user` is the account's id. `looks`: how often a picture is asked for before it is ready; 0 for at once. `processing`:
    how that ends, succeeded or failed. `hides`: seconds for which a post is out, but not in the timeline.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.user = "2244994945"
        self.looks = 0
        self.processing = "succeeded"
        self.loses = 0
        self.hides = 0.0
        self.charged = 0.0
        self._media: dict[str, _Media] = {}
        self._published: dict[str, dict[str, Any]] = {}

    @property
    def published(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._published.values())

    def plant(self, text: str, at: datetime) -> str:
        """A post that somebody made in the app."""
        count = len(self._published) + 1
        identity = str(((int(at.timestamp() * 1000) - _EPOCH_MS) << 22) + count)
        self._published[identity] = {"id": identity, "text": text, "at": at, "media": None}
        return identity

    def refused(self, token: str) -> Reply:
        # echoes the token, as no server should: whoever asked must not repeat it
        return _problem(401, "Unauthorized", f"Unauthorized: {token}")

    def route(self, request: Request) -> Route:
        method, path, asked = request.method, request.path, request.asked()
        if (method, path) == ("POST", "/2/media/upload/initialize"):
            return "initialize", lambda: self._initialize(request.json())
        if match := re.fullmatch(r"/2/media/upload/(\d+)/(append|finalize)", path):
            known = self._media.get(match[1])
            if known is None:
                return "read", _missing
            if match[2] == "append":
                return "append", lambda: self._append(known, request)
            return "finalize", lambda: self._finalize(match[1], known)
        if (method, path) == ("GET", "/2/media/upload") and asked.get("command") == "STATUS":
            return "status", lambda: self._status(asked.get("media_id", ""))
        if (method, path) == ("POST", "/2/media/metadata"):
            return "metadata", lambda: self._metadata(request.json())
        if (method, path) == ("POST", "/2/tweets"):
            return "post", lambda: self._post(request.json())
        if (method, path) == ("GET", f"/2/users/{self.user}/tweets"):
            return "timeline", lambda: self._timeline(asked)
        if match := re.fullmatch(r"/2/tweets/(\d+)", path):
            return "read", lambda: self._read(match[1])
        return "read", _missing

    def _initialize(self, body: dict[str, Any]) -> Reply:
        if body.get("media_type") != "image/jpeg" or body.get("media_category") != "tweet_image":
            return _problem(400, "Invalid Request", "media type unrecognized")
        identity = self.number()
        self._media[identity] = _Media(int(body["total_bytes"]))
        return Reply.json({"data": {"id": identity, "media_key": f"3_{identity}", "expires_after_secs": 86400}})

    def _append(self, known: _Media, request: Request) -> Reply:
        fields, files = form_of(request)
        piece = files.get("media", b"")
        if not piece or len(piece) > _LARGEST_PIECE or known.done:
            return _problem(400, "Invalid Request", "segments do not add up")
        known.pieces[int(fields["segment_index"])] = piece[: len(piece) - self.loses]
        self.loses = 0
        return Reply.json({"data": {"expires_at": 1}})

    def _finalize(self, identity: str, known: _Media) -> Reply:
        if sum(map(len, known.pieces.values())) == known.total and jpeg_size(known.data) is None:
            return _problem(400, "Invalid Request", "the file is no picture")
        known.done = True
        return self._about(identity, known)

    def _status(self, identity: str) -> Reply:
        known = self._media.get(identity)
        if known is None:
            return _missing()
        known.looks += 1
        return self._about(identity, known)

    def _about(self, identity: str, known: _Media) -> Reply:
        about: dict[str, Any] = {"id": identity, "media_key": f"3_{identity}", "size": len(known.data)}
        if self.looks:
            ready = known.looks >= self.looks
            about["processing_info"] = {"state": self.processing if ready else "in_progress", "check_after_secs": 1}
        return Reply.json({"data": about})

    def _metadata(self, body: dict[str, Any]) -> Reply:
        known, text = self._media.get(str(body.get("id"))), body["metadata"]["alt_text"]["text"]
        if known is None or not known.done or len(text) > _LONGEST_ALT:
            return _problem(400, "Invalid Request", "alt_text is not valid")
        known.alt_text = text
        return Reply.json({"data": {"id": body["id"], "associated_metadata": body["metadata"]}})

    def _post(self, body: dict[str, Any]) -> Reply:
        (media,) = body["media"]["media_ids"]
        known, text = self._media.get(media), str(body["text"])
        if known is None or not known.done or len(known.data) != known.total:
            return _problem(400, "Invalid Request", "Your media IDs are invalid.")
        if length(text, "x-weighted") > _LONGEST_POST:
            return _problem(403, "Forbidden", "Your Tweet text is too long.")
        if any(one["text"] == text and self.time() - one["at"] < _DUPLICATES for one in self._published.values()):
            return _problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        self.charged += _LINK_USD if _LINK.search(text) else _POST_USD
        identity = self.plant(text, self.time())
        self._published[identity] |= {"media": media, "alt_text": known.alt_text, "ai": body.get("made_with_ai")}
        return Reply.json({"data": {"id": identity, "text": text}}, 201)

    def _timeline(self, asked: dict[str, str]) -> Reply:
        start = datetime.fromisoformat(asked["start_time"])
        if start > self.time():
            return _problem(400, "Invalid Request", "'start_time' must be in the past")
        latest = self.time() - timedelta(seconds=self.hides)
        ours = sorted(
            (one for one in self._published.values() if start <= one["at"] <= latest), key=lambda one: int(one["id"])
        )[::-1]
        first, count = int(asked.get("pagination_token", "0")), int(asked.get("max_results", "10"))
        page = ours[first : first + count]
        self.charged += _READ_USD * len(page)
        meta: dict[str, Any] = {"result_count": len(page)}
        if first + count < len(ours):
            meta["next_token"] = str(first + count)
        return Reply.json({**({"data": [self._shown(one) for one in page]} if page else {}), "meta": meta})

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        urls: list[dict[str, Any]] = []

        def shortened(match: re.Match[str]) -> str:
            urls.append({"url": f"https://t.co/{one['id'][-6:]}{len(urls)}", "expanded_url": match[0]})
            return str(urls[-1]["url"])

        text = html.escape(_LINK.sub(shortened, one["text"]), quote=False)
        if one["media"]:
            photo = f"https://x.com/mira/status/{one['id']}/photo/1"
            urls.append({"url": f"https://t.co/p{one['id'][-6:]}", "expanded_url": photo, "media_key": f"3_{one['media']}"})
            text = f"{text} {urls[-1]['url']}"
        stamp = one["at"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {"id": one["id"], "text": text, "created_at": stamp, "entities": {"urls": urls}}

    def _read(self, identity: str) -> Reply:
        one = self._published.get(identity)
        if one is None:
            return _missing()
        self.charged += _READ_USD
        counts = {"retweet_count": 1, "reply_count": 2, "like_count": 3, "quote_count": 4, "bookmark_count": 5}
        return Reply.json({"data": {**self._shown(one), "public_metrics": {**counts, "impression_count": 60}}})


def _missing() -> Reply:
    return _problem(404, "Not Found Error", "Could not find it.")


def _problem(status: int, title: str, detail: str) -> Reply:
    return Reply.json({"title": title, "type": "about:blank", "status": status, "detail": detail}, status)
