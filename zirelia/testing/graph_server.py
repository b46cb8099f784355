"""Meta's interfaces on loopback: an Instagram account, a Threads profile and a Facebook Page behind one address.

    with GraphServer() as server, PictureHost() as host:
        line = Line("instagram", server.url, token=lambda: server.token)
        InstagramChannel(line, account=server.account, host=host.public).submit(plan, sending)
        server.published                        # what is out, of all three
        server.looks = 3                        # a container is looked at so often before it is FINISHED
        server.ending = "ERROR"                 # or EXPIRED: how the next containers end
        server.fail("publish", after=True, silent=True)

Places of faults: make, publish, status, quota, list, read, photo, insights. Fetches the picture as Meta does, and takes none
but a JPEG of at most 8 MB; Instagram's between 4:5 and 1.91:1. Follows the content publishing guides of Instagram and Threads,
the reference of Page photos, and Instagram's list of error codes, as of 2026.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from zirelia.errors import ProviderError
from zirelia.network.fetch import fetch_bytes
from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.social_peer import Route, SocialPeer, form_of, jpeg_size

Ending = Literal["FINISHED", "ERROR", "EXPIRED"]

_LIFE = timedelta(hours=24)
_LARGEST = 8 * 1024 * 1024
_ROUNDED = 0.01
_KINDS = {"media": "instagram", "threads": "threads", "media_publish": "instagram", "threads_publish": "threads"}
_QUOTAS = {"content_publishing_limit": 100, "threads_publishing_limit": 250}


@dataclass
class _Container:
    kind: str
    fields: dict[str, str]
    at: datetime
    ending: Ending
    looks: int = 0
    status: str = "IN_PROGRESS"


@dataclass
class _Usage:
    """What is told of rate limits with every answer; percent, minutes."""

    app: float = 0.0
    use_case: float = 0.0
    regained_in: int = 0
    told: bool = False


class GraphServer(SocialPeer):
    """Takes `self.token` for all three accounts.

    `account` is the id of the Instagram account and of the Threads profile, `page` the Page's. `quota_used`: posts of the last
    24 hours besides those made here. `expired`: the subcode that every call is refused with (463: expired, 460: revoked).
    `hides`: seconds for which a post is out, but not listed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.account, self.page = "17841400000000000", "100000000000000"
        self.looks = 1
        self.ending: Ending = "FINISHED"
        self.quota_used = 0
        self.expired: int | None = None
        self.usage = _Usage()
        self.hides = 0.0
        self._containers: dict[str, _Container] = {}
        self._published: dict[str, dict[str, Any]] = {}

    @property
    def published(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._published.values())

    @property
    def containers(self) -> int:
        """How many were made."""
        return len(self._containers)

    def plant(self, kind: str, text: str | None, at: datetime) -> str:
        """A post that somebody made in the app. kind: instagram, threads or facebook."""
        identity = self.number()
        if kind == "facebook":
            identity = f"{self.page}_{identity}"
        self._published[identity] = {"kind": kind, "id": identity, "text": text, "at": at, "likes": 3}
        return identity

    def refused(self, token: str) -> Reply:
        # echoes the token, as no server should: whoever asked must not repeat it
        return _error(190, f"Error validating access token {token}: it is not valid", 467, status=401)

    def answer(self, request: Request) -> Reply:
        if self.expired is not None:
            said = f"Error validating access token: session of {self.token} has expired or was revoked"
            return _error(190, said, self.expired, status=400)
        reply = super().answer(request)
        if not self.usage.told:
            return reply
        headers = {
            "X-App-Usage": f'{{"call_count":{self.usage.app},"total_time":1,"total_cputime":1}}',
            "X-Business-Use-Case-Usage": (
                f'{{"{self.account}":[{{"type":"instagram","call_count":{self.usage.use_case},"total_cputime":1,"total_time":1,'
                f'"estimated_time_to_regain_access":{self.usage.regained_in}}}]}}'
            ),
        }
        return Reply(
            reply.status, reply.body, reply.media_type, {**reply.headers, **headers}, silent=reply.silent, wait=reply.wait
        )

    def route(self, request: Request) -> Route:
        match = re.fullmatch(r"/v\d+\.\d+/([\w-]+)(?:/(\w+))?", request.path)
        node, edge = (match[1], match[2]) if match else ("", None)
        asked = request.asked()
        if request.method == "POST":
            return self._written(request, node, edge)
        if edge in _QUOTAS and node == self.account:
            return "quota", lambda: self._quota(edge)
        if edge in {"media", "threads", "published_posts"} and node in {self.account, self.page}:
            kind = _KINDS.get(edge, "facebook")
            return "list", lambda: self._listed(kind, asked)
        if edge == "insights":
            return "insights", lambda: self._insights(node, asked.get("metric", ""))
        if edge is None and node in self._containers:
            return "status", lambda: self._looked(node, self._containers[node])
        if edge is None and node in {self.account, self.page}:
            return "self", lambda: Reply.json({"id": node})
        return "read", lambda: self._read(node)

    def _written(self, request: Request, node: str, edge: str | None) -> Route:
        fields, files = form_of(request)
        if edge in {"media", "threads"} and node == self.account:
            return "make", lambda: self._make(_KINDS[edge], fields)
        if edge in {"media_publish", "threads_publish"} and node == self.account:
            return "publish", lambda: self._publish(_KINDS[edge], fields.get("creation_id", ""))
        if edge == "photos" and node == self.page:
            return "photo", lambda: self._photo(fields, files)
        return "read", lambda: _missing(node)

    def _make(self, kind: str, fields: dict[str, str]) -> Reply:
        text = fields.get("caption" if kind == "instagram" else "text", "")
        if len(text) > (2200 if kind == "instagram" else 500):
            return _error(100, "The caption was too long", 2207010)
        if text.count("#") > 30:
            return _error(100, "Too many hashtags", 2207040)
        if kind == "threads" and fields.get("media_type") != "IMAGE":
            return _error(100, "Param media_type must be one of TEXT, IMAGE, VIDEO")
        if fields.get("is_ai_generated") not in ({None, "true", "false"} if kind == "instagram" else {None}):
            return _error(100, "Invalid parameter is_ai_generated")
        if refusal := self._fetched(kind, fields.get("image_url", "")):
            return refusal
        identity = self.number()
        self._containers[identity] = _Container(kind, {**fields, "shown": text}, self.time(), self.ending)
        return Reply.json({"id": identity})

    def _fetched(self, kind: str, url: str) -> Reply | None:
        try:
            data = fetch_bytes(
                url, provider="meta", limit=_LARGEST, media_types={"image/jpeg"}, allow_loopback=True, timeout=5.0
            )
        except ProviderError as error:
            if "larger" in error.message:
                return _error(36000, "The image size is too large.", 2207004)
            return _error(9004, "The media could not be fetched from this URI", 2207052)
        size = jpeg_size(data)
        if size is None:
            return _error(36001, "The image format is not supported", 2207005)
        shape = size[0] / size[1]
        if kind == "instagram" and not 0.8 - _ROUNDED <= shape <= 1.91 + _ROUNDED:
            return _error(36003, "The aspect ratio is not supported", 2207009)
        return None

    def _looked(self, identity: str, container: _Container) -> Reply:
        container.looks += 1
        if container.status == "IN_PROGRESS" and container.looks >= self.looks:
            container.status = container.ending
        if container.status in {"IN_PROGRESS", "FINISHED"} and self.time() - container.at > _LIFE:
            container.status = "EXPIRED"
        return Reply.json({"id": identity, "status_code" if container.kind == "instagram" else "status": container.status})

    def _publish(self, kind: str, identity: str) -> Reply:
        container = self._containers.get(identity)
        if container is None or container.kind != kind:
            return _error(100, "The media builder could not be found", 2207008)
        if container.status == "PUBLISHED":
            return _error(100, "The container was published already")
        if container.status != "FINISHED":
            return _error(9007, "The media is not ready to be published", 2207027)
        if self._used() >= _QUOTAS["content_publishing_limit" if kind == "instagram" else "threads_publishing_limit"]:
            return _error(9, "The user has reached the maximum number of posts", 2207042, status=403)
        container.status = "PUBLISHED"
        media = self.plant(kind, container.fields["shown"], self.time())
        ai = container.fields.get("is_ai_generated") == "true"
        self._published[media] |= {"alt_text": container.fields.get("alt_text"), "ai": ai, "container": identity}
        return Reply.json({"id": media})

    def _photo(self, fields: dict[str, str], files: dict[str, bytes]) -> Reply:
        if jpeg_size(files.get("source", b"")) is None:
            return _error(1, "An unknown error occurred") if not files else _error(324, "Missing or invalid image file")
        post = self.plant("facebook", fields.get("caption"), self.time())
        self._published[post] |= {"alt_text": fields.get("alt_text_custom"), "bytes": len(files["source"])}
        return Reply.json({"id": self.number(), "post_id": post})

    def _used(self) -> int:
        return self.quota_used + sum("container" in one for one in self._published.values())

    def _quota(self, edge: str) -> Reply:
        config = {"quota_total": _QUOTAS[edge], "quota_duration": 86400}
        return Reply.json({"data": [{"quota_usage": self._used(), "config": config}]})

    def _listed(self, kind: str, asked: dict[str, str]) -> Reply:
        hidden = self.time() - timedelta(seconds=self.hides) if self.hides else None
        ours = [one for one in self._published.values() if one["kind"] == kind and not (hidden and one["at"] > hidden)]
        ours.sort(key=lambda one: one["at"], reverse=True)
        start, limit = int(asked.get("after", "0")), int(asked.get("limit", "25"))
        page = [self._shown(one) for one in ours[start : start + limit]]
        body: dict[str, Any] = {"data": page}
        if start + limit < len(ours):
            after = str(start + limit)
            # the real answer has the token in this address too
            body["paging"] = {"cursors": {"after": after}, "next": f"{self.url}/next?access_token={self.token}&after={after}"}
        return Reply.json(body)

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        stamp = one["at"].strftime("%Y-%m-%dT%H:%M:%S%z")
        identity, text = one["id"], one["text"]
        if one["kind"] == "facebook":
            shown = {"id": identity, "created_time": stamp, "permalink_url": f"https://www.facebook.com/{identity}"}
            return shown if text is None else {**shown, "message": text}
        where = "www.instagram.com/p" if one["kind"] == "instagram" else "www.threads.net/@mira/post"
        shown = {"id": identity, "timestamp": stamp, "permalink": f"https://{where}/{identity}/"}
        return shown if text is None else {**shown, "caption" if one["kind"] == "instagram" else "text": text}

    def _read(self, node: str) -> Reply:
        one = self._published.get(node)
        if one is None:
            return _missing(node)
        more = {"like_count": one["likes"], "comments_count": 1} if one["kind"] == "instagram" else {}
        if one["kind"] == "facebook":
            total = {"summary": {"total_count": one["likes"]}}
            more = {"reactions": total, "comments": {"summary": {"total_count": 1}}}
        return Reply.json({**self._shown(one), **more})

    def _insights(self, node: str, metric: str) -> Reply:
        if node not in self._published:
            return _missing(node)
        counted = [{"name": name, "period": "lifetime", "values": [{"value": 7}]} for name in metric.split(",")]
        return Reply.json({"data": counted})


def _missing(node: str) -> Reply:
    return _error(100, f"Unsupported request. Object with ID '{node}' does not exist", 33)


def _error(code: int, message: str, subcode: int | None = None, *, status: int = 400, transient: bool = False) -> Reply:
    """An error in Meta's form."""
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "is_transient": transient}
    if subcode is not None:
        error["error_subcode"] = subcode
    return Reply.json({"error": {**error, "fbtrace_id": "A6LJylpZRKw2xKLFsAP-cJh"}}, status)


def meta_error(code: int, message: str = "scripted", subcode: int | None = None) -> dict[str, Any]:
    """The body of such an error, for `fail`."""
    body: dict[str, Any] = json.loads(_error(code, message, subcode).body)
    return body
