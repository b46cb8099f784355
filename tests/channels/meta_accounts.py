"""Instagram, Threads, a Facebook Page and X for the contract: each on its emulator, by clocks that stand still; Mastodon on a
peer of its own behind a door with such a clock; and the bucket from which pictures are fetched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from zirelia.channels.facebook import FacebookChannel
from zirelia.channels.instagram import InstagramChannel
from zirelia.channels.mastodon import MastodonChannel
from zirelia.channels.threads import ThreadsChannel
from zirelia.channels.wire import Line
from zirelia.channels.x import XChannel
from zirelia.testing.graph_server import GraphServer
from zirelia.testing.mastodon_server import MastodonPeer, MastodonServer
from zirelia.testing.peer_process import PeerProcess
from zirelia.testing.picture_host import PictureHost
from zirelia.testing.social_peer import SocialPeer
from zirelia.testing.x_server import XServer


@dataclass
class Stage:
    """A channel's emulator and what its faults are called there. `publish` is the place of the call that publishes, `before`
    those of calls without effect, `look` of the one that reconcile reads.
    """

    server: Any
    host: PictureHost
    open: Callable[..., Any]
    publish: str
    before: tuple[str, ...]
    look: str
    slept: list[float] = field(default_factory=list)
    name: str = ""

    def plant(self, text: str, at: datetime) -> str:
        """A post that somebody made by hand."""
        server = self.server
        return server.plant(self.name, text, at) if isinstance(server, GraphServer) else server.plant(text, at)


def mastodon_peer() -> MastodonPeer:
    """The process that all tests of this one share: it takes seconds to start. Each test has accounts of its own there."""
    return MastodonPeer.shared()


class Moto(PeerProcess):
    """Amazon's S3 as moto_server is it. It checks no key."""

    name, hint = "moto_server", "pip install 'moto[server]'"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def answers(self) -> bool:
        return httpx.get(f"{self.url}/moto-api/data.json", timeout=5.0, trust_env=False).status_code == 200


def moto_bucket(name: str) -> str:
    """The address of a moto_server that all tests of this process share; there is a bucket of that name then."""
    url = Moto.shared().url
    httpx.put(f"{url}/{name}", timeout=30.0, trust_env=False).raise_for_status()
    return url


@contextmanager
def staged(name: str, now: Callable[[], datetime]) -> Iterator[Stage]:
    """The stage of that channel; `open` takes what is to differ on the line, such as a timeout."""
    server: SocialPeer
    if name == "mastodon":
        server = MastodonServer(mastodon_peer(), now=now)
    else:
        server = XServer(now=now) if name == "x" else GraphServer(now=now)
    with server, PictureHost() as host:
        slept: list[float] = []

        def line(**changes: Any) -> Line:
            usual = {"token": lambda: server.token, "timeout": 10.0, "now": now, "sleep": slept.append}
            return Line(name, server.url, **(usual | changes))

        def opened(**changes: Any) -> Any:
            if isinstance(server, XServer):
                return XChannel(line(**changes), user=server.user, handle="mira")
            if isinstance(server, MastodonServer):
                return MastodonChannel(line(**changes), account=server.account)
            assert isinstance(server, GraphServer)
            if name == "facebook":
                return FacebookChannel(line(**changes), page=server.page)
            kind = InstagramChannel if name == "instagram" else ThreadsChannel
            return kind(line(**changes), account=server.account, host=host.public)

        publish, before, look = {
            "instagram": ("publish", ("quota", "make", "status"), "list"),
            "threads": ("publish", ("quota", "make", "status"), "list"),
            "facebook": ("photo", ("self",), "list"),
            "mastodon": ("post", ("instance", "upload", "media"), "list"),
            "x": ("post", ("initialize", "append", "finalize", "metadata"), "timeline"),
        }[name]
        yield Stage(server, host, opened, publish, before, look, slept, name)


NAMES = ("instagram", "threads", "facebook", "mastodon", "x")
