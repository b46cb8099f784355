"""Instagram's public web site on loopback, as far as instaloader 4.16 reads it without logging in.

    with InstagramWeb(posts=120) as site:
        with InstagramSnapshot(base_url=site.url, sleep=slept.append).visit(site.handle) as account:
            list(account.shown(limit=50, wanted=lambda code: True))
        site.asked("post")                       # 50
        site.fail("post", status=429, after=10)  # the eleventh post from now on is refused, and all after it

Places: start (the page with the tokens), page (a profile), info, list (further posts of a profile), post, login. A request
without the tokens of the start page is refused. Follows the forms that the library reads, not Instagram itself.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request

POST_QUERY, LIST_QUERY = "27128499623469141", "28904005159232689"
_SHOWN = 12


@dataclass
class _Fault:
    reply: Reply
    after: int


class InstagramWeb(LoopbackPeer):
    """One public account. posts: newest first, each a dictionary in Instagram's form that a test may change.

    private: shows none of them. counted: whether its page tells followers and posts; otherwise `info` does.
    """

    def __init__(self, *, handle: str = "mira.zr", posts: int = 30, newest: datetime | None = None) -> None:
        super().__init__()
        self.handle = handle
        self.private = False
        self.counted = True
        self.followers = 1203
        self.number = "52300000001"
        self.csrf, self.lsd = secrets.token_hex(8), secrets.token_hex(6)
        newest = newest or datetime(2026, 11, 20, 18, tzinfo=UTC)
        self.posts = [self._post(n, newest - timedelta(days=n)) for n in range(posts)]
        self.places: list[str] = []
        self._faults: dict[str, _Fault] = {}

    def asked(self, place: str) -> int:
        return self.places.count(place)

    def fail(self, place: str, *, after: int = 0, status: int = 200, body: bytes | None = None, **how: Any) -> None:
        """From the `after`-th further request at that place on it answers so; `how` goes to `Reply`."""
        said = json.dumps({"message": "scripted", "status": "fail"}).encode() if body is None else body
        self._faults[place] = _Fault(Reply(status, said, **how), after)

    def heal(self) -> None:
        self._faults.clear()

    def _post(self, number: int, at: datetime) -> dict[str, Any]:
        caption = f"Day {number}: the tram hums by the river, and the tea is still warm. #lisbon #tea{number}"
        return {
            "code": f"C{number:04d}",
            "pk": str(3_500_000_000_000_000_000 - number),
            "media_type": 2 if number % 10 == 9 else 1,
            "taken_at": int(at.timestamp()),
            "user": {"pk": self.number, "username": self.handle},
            "caption": {"text": caption},
            "like_count": 100 + number,
            "comment_count": number,
        }

    def answer(self, request: Request) -> Reply:
        place, reply = self._route(request)
        self.places.append(place)
        fault = self._faults.get(place)
        if fault is None:
            return reply()
        if fault.after > 0:
            fault.after -= 1
            return reply()
        return fault.reply

    def _route(self, request: Request) -> tuple[str, Callable[[], Reply]]:
        method, path = request.method, request.path
        if path.startswith("/accounts/") or "sessionid=;" not in f"{request.headers.get('cookie', 'sessionid=')};":
            return "login", lambda: Reply.json({"status": "fail"}, 403)
        if (method, path) == ("GET", "/"):
            return "start", self._start
        if (method, path) == ("GET", "/api/v1/users/web_profile_info/"):
            return "info", lambda: self._info(request.asked().get("username", ""))
        if (method, path) == ("POST", "/api/graphql"):
            form = dict(parse_qsl(request.body.decode()))
            known = {LIST_QUERY: ("list", self._list), POST_QUERY: ("post", self._single)}
            place, found = known.get(form.get("doc_id", ""), ("other", lambda _: Reply.json({}, 400)))
            if (request.headers.get("x-csrftoken"), form.get("lsd")) != (self.csrf, self.lsd):
                return place, lambda: Reply.json({"message": "CSRF token missing", "status": "fail"}, 403)
            return place, lambda: found(json.loads(form.get("variables", "{}")))
        if method == "GET" and path.count("/") == 2 and path.endswith("/"):
            return "page", lambda: self._page(path.strip("/"))
        return "other", lambda: Reply.json({"status": "fail"}, 404)

    def _start(self) -> Reply:
        tokens = [["LSD", [], {"token": self.lsd}, 323], ["CurrentUserInitialData", [], {"IG_USER_EIMU": "0"}, 270]]
        page = f"<html><script>{json.dumps(tokens, separators=(',', ':'))}</script></html>"
        cookie = f"csrftoken={self.csrf}; Path=/; Secure"
        return Reply(200, page.encode(), "text/html", headers={"Set-Cookie": cookie})

    def _page(self, handle: str) -> Reply:
        if handle != self.handle:
            return Reply(404, b"<html>not found</html>", "text/html")
        counts = {"follower_count": self.followers, "all_media_count": len(self.posts)} if self.counted else {}
        user = {"id": f"178{self.number}", "pk": self.number, "username": self.handle, "is_private": self.private, **counts}
        shown = user if self.private else user | {"polaris_ordered_timeline_connection": self._connection(0)}
        scripts = "".join(
            f'<script type="application/json" data-sjs>{json.dumps(_embedded(one))}</script>' for one in (user, shown)
        )
        return Reply(200, f"<html><body>{scripts}</body></html>".encode(), "text/html; charset=utf-8")

    def _connection(self, begin: int) -> dict[str, Any]:
        end = begin + _SHOWN
        return {
            "edges": [{"node": {"code": post["code"]}} for post in self.posts[begin:end]],
            "page_info": {"has_next_page": end < len(self.posts), "end_cursor": str(end)},
        }

    def _list(self, variables: dict[str, Any]) -> Reply:
        return Reply.json(
            {"data": {"node": {"polaris_ordered_timeline_connection": self._connection(int(variables["after"]))}}}
        )

    def _single(self, variables: dict[str, Any]) -> Reply:
        items = [post for post in self.posts if post["code"] == variables["shortcode"] and not post.get("gone")]
        return Reply.json({"data": {"xdt_api__v1__media__shortcode__web_info": {"items": items} if items else None}})

    def _info(self, handle: str) -> Reply:
        if handle != self.handle:
            return Reply.json({"status": "fail"}, 404)
        user = {
            "id": self.number,
            "username": self.handle,
            "is_private": self.private,
            "edge_followed_by": {"count": self.followers},
            "edge_owner_to_timeline_media": {"count": len(self.posts)},
        }
        return Reply.json({"data": {"user": user}, "status": "ok"})


def _embedded(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "require": [["ScheduledServerJS", "handle", None, [{"__bbox": {"result": {"data": {"xig_user_by_username": user}}}}]]]
    }
