"""A Mastodon of this machine: the package mastodon_mock as a process of its own, and a door in front of it that misbehaves.

    with MastodonPeer() as peer, MastodonServer(peer) as server:
        MastodonChannel(Line("mastodon", server.url, token=lambda: server.token), account=server.account)
        server.published[0]["text"]
        server.fail("post", after=True, silent=True)

The peer keeps accounts, posts, pictures, mentions and idempotency keys; it needs the package `mastodon_mock`. The door adds
what it cannot do: faults, a clock of its own, lost bytes, pictures that take a while (`looks`), keys that are forgotten
(`forgets`), posts that are listed late (`hides`), a picture's size, and that a picture in a post is not there by itself any
more. Places of faults: instance, upload, media, post, list, read, mentions, self.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx

from zirelia.network.certificates import trusted
from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.peer_process import PeerProcess
from zirelia.testing.social_peer import Route, SocialPeer, form_of, jpeg_size

_PASSED_ON = ("authorization", "content-type", "idempotency-key")


class MastodonPeer(PeerProcess):
    """The process, for one block. Its database and media lie in its folder."""

    name, hint = "mastodon_mock", "pip install mastodon_mock"
    patience = 90.0

    def command(self) -> Sequence[str]:
        words = ["serve", "--in-memory", "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"]
        return [sys.executable, "-m", "mastodon_mock", *words]

    def answers(self) -> bool:
        answer = httpx.get(f"{self.url}/api/v2/instance", timeout=5.0, trust_env=False)
        return bool(answer.headers.get("server") == "Mastodon")

    def new_account(self, name: str | None = None) -> tuple[str, str]:
        """Its id and a token of its own. name: as it is written behind the @."""
        asked = {"username": name or f"mira_{secrets.token_hex(4)}"}
        made = httpx.post(f"{self.url}/api/v1/_mock/dev_user", json=asked, timeout=30.0, trust_env=False).raise_for_status()
        return str(made.json()["id"]), str(made.json()["access_token"])


class MastodonServer(SocialPeer):
    """The door to a new account of the peer. `account` is its id, `handle` its name."""

    def __init__(self, peer: MastodonPeer, **options: Any) -> None:
        super().__init__(**options)
        self.handle = f"mira_{secrets.token_hex(4)}"
        self.account, self.token = peer.new_account(self.handle)
        self.looks = 0
        self.loses = 0
        self.hides = 0.0
        self.forgets = False
        self.says: dict[str, Any] = {}
        self._behind = httpx.Client(base_url=peer.url, timeout=30.0, verify=trusted(), trust_env=False)
        self._times: dict[str, datetime] = {}
        self._sizes: dict[str, tuple[int, int] | None] = {}
        self._looked: dict[str, int] = {}
        self._posted: set[str] = set()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._behind.close()

    @property
    def published(self) -> tuple[dict[str, Any], ...]:
        """As the peer itself tells it."""
        shown: list[dict[str, Any]] = []
        asked = {"limit": "40"}
        while page := self._own("GET", f"/api/v1/accounts/{self.account}/statuses", params=asked):
            shown += page
            asked["max_id"] = page[-1]["id"]
        return tuple(
            {
                "id": one["id"],
                "text": self._own("GET", f"/api/v1/statuses/{one['id']}/source")["text"],
                "at": self._times.get(one["id"]),
                "alt_text": next((picture["description"] for picture in one["media_attachments"]), None),
                "reply_to": one["in_reply_to_id"],
                "visibility": one["visibility"],
                "language": one["language"],
            }
            for one in reversed(shown)
        )

    def plant(self, text: str, at: datetime) -> str:
        """A post that somebody made in the app."""
        made = str(self._own("POST", "/api/v1/statuses", json={"status": text})["id"])
        self._times[made] = at
        return made

    def refused(self, token: str) -> Reply:
        # echoes the token, as no server should: whoever asked must not repeat it
        return Reply.json({"error": f"The access token is invalid: {token}"}, 401)

    def route(self, request: Request) -> Route:
        method, path = request.method, request.path
        kind, _, identity = path.removeprefix("/api/v1/").partition("/")
        if path == "/api/v2/instance":
            return "instance", lambda: self._instance(request)
        if (method, path) == ("POST", "/api/v2/media"):
            return "upload", lambda: self._upload(request)
        if kind == "media":
            return "media", lambda: self._media(request, identity)
        if (method, path) == ("POST", "/api/v1/statuses"):
            return "post", lambda: self._post(request)
        if kind == "accounts" and path.endswith("/statuses"):
            return "list", lambda: self._list(request)
        if kind == "notifications":
            return "mentions", lambda: self._passed(request)
        return "self" if kind == "accounts" else "read", lambda: self._passed(request)

    def _own(self, method: str, path: str, **content: Any) -> Any:
        answer = self._behind.request(method, path, headers={"Authorization": f"Bearer {self.token}"}, **content)
        return answer.raise_for_status().json()

    def _forwarded(self, request: Request, *, body: bytes | None = None) -> httpx.Response:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        if self.forgets:
            headers.pop("idempotency-key", None)
        path = request.path + (f"?{request.query}" if request.query else "")
        return self._behind.request(request.method, path, headers=headers, content=request.body if body is None else body)

    def _passed(self, request: Request) -> Reply:
        answer = self._forwarded(request)
        return Reply.json(self._dated(answer.json()), answer.status_code)

    def _dated(self, said: Any) -> Any:
        """The answer with times by this clock, for what was made through this door."""
        if isinstance(said, list):
            return [self._dated(one) for one in said]
        if isinstance(said, dict) and (at := self._times.get(str(said.get("id")))) is not None:
            return said | {"created_at": at.isoformat()}
        return said

    def _instance(self, request: Request) -> Reply:
        told = self._forwarded(request).json()
        for group, limits in self.says.items():
            told["configuration"][group] = told["configuration"].get(group, {}) | limits
        return Reply.json(told)

    def _upload(self, request: Request) -> Reply:
        body, lost = request.body, self.loses
        (picture,) = form_of(request)[1].values()
        if lost:
            self.loses = 0
            body, picture = body.replace(picture, picture[:-lost]), picture[:-lost]
        answer = self._forwarded(request, body=body)
        made = answer.json()
        self._sizes[made["id"]] = jpeg_size(picture)
        self._looked[made["id"]] = 0
        return Reply.json(made | {"url": None}, 202) if self.looks else Reply.json(self._sized(made), answer.status_code)

    def _sized(self, media: dict[str, Any]) -> dict[str, Any]:
        size = self._sizes.get(media["id"])
        return media if size is None else media | {"meta": {"original": {"width": size[0], "height": size[1]}}}

    def _media(self, request: Request, identity: str) -> Reply:
        if identity in self._posted:
            return Reply.json({"error": "Record not found"}, 404)
        if identity in self._sizes and self._sizes[identity] is None:
            return Reply.json({"error": "Error processing thumbnail for uploaded media"}, 422)
        answer = self._forwarded(request)
        if answer.status_code != 200:
            return Reply.json(answer.json(), answer.status_code)
        self._looked[identity] = self._looked.get(identity, 0) + 1
        if self._looked[identity] <= self.looks:
            return Reply.json(answer.json() | {"url": None}, 206)
        return Reply.json(self._sized(answer.json()))

    def _post(self, request: Request) -> Reply:
        answer = self._forwarded(request)
        said = answer.json()
        if answer.status_code == 200:
            self._times.setdefault(said["id"], self.time())
            self._posted |= {picture["id"] for picture in said["media_attachments"]}
        return Reply.json(self._dated(said), answer.status_code)

    def _list(self, request: Request) -> Reply:
        page = self._forwarded(request).json()
        now = self.time().timestamp()
        hidden = {key for key, at in self._times.items() if now - self.hides < at.timestamp() <= now}
        return Reply.json(self._dated([one for one in page if not (self.hides and one["id"] in hidden)]))
