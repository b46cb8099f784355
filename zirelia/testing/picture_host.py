"""A public place for pictures, on loopback: what lies there can be fetched by whoever knows the address, while it lies there.

with PictureHost() as host, host.public(jpeg, "image/jpeg") as url:
httpx.get(url)      # 200, image/jpeg; 404 after the block
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request


class PictureHost(LoopbackPeer):
    """`fetched` counts the pictures that were given out; `down` makes it answer 503."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0
        self.down = False
        self._lying: dict[str, tuple[bytes, str]] = {}

    @contextmanager
    def public(self, data: bytes, media_type: str) -> Iterator[str]:
        path = f"/{secrets.token_urlsafe(24)}.jpg"
        self._lying[path] = (data, media_type)
        try:
            yield self.url + path
        finally:
            del self._lying[path]

    def answer(self, request: Request) -> Reply:
        if self.down:
            return Reply(503)
        if request.path not in self._lying:
            return Reply(404)
        self.fetched += 1
        data, media_type = self._lying[request.path]
        return Reply(200, data, media_type)
