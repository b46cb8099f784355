"""Accounts on a real Bluesky server that all tests of this process share, and a view of the network for it to ask."""

from __future__ import annotations

import atexit
import base64
import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from zirelia.channels.bluesky import BlueskyChannel
from zirelia.channels.wire import Line
from zirelia.testing.http_peer import LoopbackPeer, Reply, Request
from zirelia.testing.pds_server import PdsDoor, PdsServer, packages

MUST = os.environ.get("ZIRELIA_TEST_PDS") == "1"
"""Read here, because tests see no setting of the shell."""


def need_pds() -> None:
    """Skips the test where the server is not installed, unless it must be."""
    if packages() is None:
        reason = "the Bluesky server is not installed: make pds"
        if MUST:
            pytest.fail(reason)
        pytest.skip(reason)


class View(LoopbackPeer):
    """What Bluesky's own view of all servers answers: posts by URI, and notifications by the account that asks."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.notifications: dict[str, list[dict[str, Any]]] = {}
        self.page = 100

    def answer(self, request: Request) -> Reply:
        asked = request.asked()
        if request.path.endswith("getPosts"):
            found = self.posts.get(asked["uris"])
            return Reply.json({"posts": [] if found is None else [found]})
        if request.path.endswith("listNotifications"):
            told = request.headers["authorization"].split(".")[1]
            asker = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))["iss"]
            entries = sorted(self.notifications.get(asker, []), key=lambda entry: entry["indexedAt"], reverse=True)
            first = int(asked.get("cursor", "0"))
            more = {"cursor": str(first + self.page)} if len(entries) > first + self.page else {}
            return Reply.json({"notifications": entries[first : first + self.page], **more})
        return Reply.json({"error": "MethodNotImplemented", "message": "Method Not Implemented"}, 501)


@functools.cache
def view() -> View:
    peer = View().__enter__()
    atexit.register(peer.__exit__, None, None, None)
    return peer


def server() -> PdsServer:
    """It takes seconds to start."""
    return PdsServer.shared(view=view().url)


@dataclass
class Stage:
    door: PdsDoor
    now: Callable[[], datetime]
    slept: list[float] = field(default_factory=list)

    def line(self, **changes: Any) -> Line:
        options: dict[str, Any] = {"token": lambda: self.door.token, "now": self.now, "sleep": self.slept.append}
        return Line("bluesky", self.door.url, **{**options, **changes})

    def open(self, **changes: Any) -> BlueskyChannel:
        return BlueskyChannel(self.line(**changes), did=self.door.did, handle=self.door.handle)


@contextmanager
def staged(now: Callable[[], datetime]) -> Iterator[Stage]:
    need_pds()
    with PdsDoor(server(), now=now) as door:
        yield Stage(door, now)
