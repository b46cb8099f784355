"""What the emulated servers share: a threaded HTTP server on a free loopback port that ends cleanly.

    class Echo(LoopbackPeer):
        def answer(self, request: Request) -> Reply:
            return Reply.json({"you said": request.path})

    with Echo() as peer:
        httpx.get(peer.url)

Knows no protocol above HTTP.
"""

from __future__ import annotations

import contextlib
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

_LARGEST_REQUEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """One request; header names are lower case, `path` has no query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""

    def json(self) -> Any:
        return json.loads(self.body)

    def asked(self) -> dict[str, str]:
        """The query's parameters; of several with one name the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """One answer.

    announced: a Content-Length other than the body's, to cut the body short or to claim a giant.
    silent: close the connection without a word, as a lost answer looks to the client.
    wait: seconds before it is sent, while the server answers others.
    """

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    silent: bool = False
    wait: float = 0.0

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        return cls(status, json.dumps(value).encode(), headers=headers or {})


class LoopbackPeer(ABC):
    """A server for one `with` block. `url` is its address without a trailing slash; `requests` are all it received.

    `clock` dates its answers; None for the time of this machine.
    """

    clock: Callable[[], datetime] | None = None

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """The reply; called with `lock` held."""

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the peer is not running: use it in a with block")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._server = self._thread = None


def _handler(peer: LoopbackPeer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            if length > _LARGEST_REQUEST:
                self.send_error(413)
                return
            request = Request(
                self.command,
                urlsplit(self.path).path,
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
                urlsplit(self.path).query,
            )
            with peer.lock:
                peer.requests.append(request)
                reply = peer.answer(request)
            self.close_connection = True
            if reply.wait:
                peer.closing.wait(reply.wait)
            if reply.silent:
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.body) if reply.announced is None else reply.announced))
            self.send_header("Connection", "close")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _serve  # noqa: N815 - the names that http.server calls

        def date_time_string(self, timestamp: float | None = None) -> str:
            if timestamp is None and peer.clock is not None:
                timestamp = peer.clock().timestamp()
            return super().date_time_string(timestamp)

        def handle_one_request(self) -> None:
            # a client that died while it was read from or written to is part of the tests
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - overridden; tests stay quiet
            return

    return Handler
