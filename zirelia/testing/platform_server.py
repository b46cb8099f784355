"""A social platform on loopback that behaves badly: it posts what it is given, twice if asked twice, and may not say so.

    with PlatformServer(Path("posts.jsonl"), Manners(silent=0.1, lag=0.5), seed=7) as platform:
        httpx.post(f"{platform.url}/posts", json={"publication": "pub-1-loopback", "caption": "Tea"})  # {"id": …, "url": …, …}
        httpx.get(f"{platform.url}/publications/pub-1-loopback")                                   # {"posts": […]}

    python -m zirelia.testing.platform_server posts.jsonl 7     # says its address; ends when its standard input does

Every post is a line of the file, written before it is answered. In a process of its own it outlives those that post. Knows no
channel.
"""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request

_FOREVER = 3600.0
_PUBLICATIONS = "/publications/"


@dataclass(frozen=True)
class Manners:
    """How badly it behaves. Shares of the calls, 0 to 1, that

    silent: are accepted, posted, and never answered · cut: are posted, then the line is cut · gateway: are posted, then
    answered 502
    · broken: are answered 500 and not posted · busy: are answered 429 and not posted · blind: listings answered 503.

    delay: seconds before an answer at most. lag: seconds at most until a post is listed. retry_after: seconds, said with 429.
    """

    silent: float = 0.05
    cut: float = 0.05
    gateway: float = 0.03
    broken: float = 0.05
    busy: float = 0.03
    blind: float = 0.05
    delay: float = 0.1
    lag: float = 0.5
    retry_after: float = 1.0


GOOD = Manners(silent=0, cut=0, gateway=0, broken=0, busy=0, blind=0, delay=0, lag=0)
"""Posts once a call, lists at once."""


class PlatformServer(LoopbackPeer):
    """One account. POST /posts makes a post; GET /publications/ID lists those that were made with that publication's id.

    Args:
        book: where every post is written, a JSON object a line. seed: of its moods.
    """

    def __init__(self, book: Path, manners: Manners = GOOD, *, seed: int = 0) -> None:
        super().__init__()
        self.manners = manners
        self._book = book
        self._draw = random.Random(seed)  # noqa: S311 - moods, not secrets
        self._shown: dict[str, float] = {}

    @property
    def posts(self) -> list[dict[str, Any]]:
        """All that was posted, oldest first, listed or not."""
        return posts_in(self._book)

    def answer(self, request: Request) -> Reply:
        if request.method == "POST" and request.path == "/posts":
            return self._post(request)
        if request.method == "GET" and request.path.startswith(_PUBLICATIONS):
            return self._list(request.path.removeprefix(_PUBLICATIONS))
        return Reply.json({"error": "no such path"}, 404)

    def _post(self, request: Request) -> Reply:
        try:
            publication = str(request.json()["publication"])
        except (ValueError, KeyError, TypeError):
            return Reply.json({"error": "a post names its publication"}, 400)
        manners, mood, wait = self.manners, self._draw.random(), self._draw.uniform(0, self.manners.delay)
        if (mood := mood - manners.busy) < 0:
            return Reply.json({"error": "slow down"}, 429, {"Retry-After": f"{manners.retry_after:g}"})
        if (mood := mood - manners.broken) < 0:
            return Reply(500, b"broken", "text/plain", wait=wait)
        post = {
            "id": uuid.uuid4().hex,
            "publication": publication,
            "at": datetime.now(UTC).isoformat(),
            "caption": request.json().get("caption"),
        }
        with self._book.open("a") as book:
            book.write(json.dumps(post) + "\n")
        self._shown[post["id"]] = time.monotonic() + self._draw.uniform(0, manners.lag)
        if (mood := mood - manners.silent) < 0:
            return Reply(silent=True, wait=_FOREVER)
        if (mood := mood - manners.cut) < 0:
            return Reply(silent=True, wait=wait)
        if mood < manners.gateway:
            return Reply(502, b"bad gateway", "text/plain", wait=wait)
        return Reply(201, json.dumps(self._told(post)).encode(), wait=wait)

    def _list(self, publication: str) -> Reply:
        if self._draw.random() < self.manners.blind:
            return Reply(503, b"later", "text/plain")
        now = time.monotonic()
        found = [post for post in self.posts if post["publication"] == publication and self._shown.get(post["id"], now) <= now]
        return Reply.json({"posts": [self._told(post) for post in found]})

    def _told(self, post: dict[str, Any]) -> dict[str, Any]:
        return {"id": post["id"], "url": f"{self.url}/{post['id']}", "at": post["at"]}


def posts_in(book: Path) -> list[dict[str, Any]]:
    """What a platform wrote into its file."""
    return [json.loads(line) for line in book.read_text().splitlines()] if book.exists() else []


def main(book: str, seed: str) -> None:
    with PlatformServer(Path(book), Manners(), seed=int(seed)) as platform:
        sys.stdout.write(f"{platform.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
