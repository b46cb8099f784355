"""An OpenAI-compatible server on loopback that does what a test tells it to, faults included.

    with ChatServer() as server:                               # fills any schema with valid values
        server.script(rate_limited(0.0), says("no JSON"))      # the next two answers; then the default again
        chat = open_chat("any", base_url=server.base_url, vision=True)
        server.requests[-1].body["messages"]

Serves /v1/chat/completions (text, pictures, response_format, tools), /v1/embeddings and /v1/models. No streaming. Knows
nothing of Zirelia's prompts but that a schema may stand in one.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from zirelia.testing.chat_behaviours import (
    INJECTION,
    Behaviour,
    Question,
    Reply,
    answers,
    completion,
    cuts_off,
    drips,
    embeds,
    error_reply,
    fails,
    fills_schema,
    injects,
    json_reply,
    no_choices,
    not_a_completion,
    rate_limited,
    refuses,
    says,
    slow,
    truncated,
    withholds,
    wrong_schema,
)
from zirelia.testing.schema_filler import schema_filler

__all__ = [
    "INJECTION",
    "Behaviour",
    "ChatServer",
    "Question",
    "Reply",
    "answers",
    "completion",
    "cuts_off",
    "drips",
    "embeds",
    "error_reply",
    "fails",
    "fills_schema",
    "injects",
    "json_reply",
    "no_choices",
    "not_a_completion",
    "rate_limited",
    "refuses",
    "says",
    "schema_filler",
    "slow",
    "truncated",
    "withholds",
    "wrong_schema",
]


class ChatServer:
    """Starts listening at once on a free port of 127.0.0.1; `close` (or leaving the block) ends everything.

    Args:
        default: what it does when the script is used up.
        key: demanded as bearer token; None takes anybody.
        models: names that /v1/models lists.
    """

    def __init__(
        self, default: Behaviour | None = None, *, key: str | None = None, models: tuple[str, ...] = ("test",)
    ) -> None:
        self._default, self._key, self._models = default or fills_schema(), key, models
        self._scripts: dict[str, deque[Behaviour]] = {"/v1/chat/completions": deque(), "/v1/embeddings": deque()}
        self._requests: list[Question] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _Listener(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="chat-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def requests(self) -> tuple[Question, ...]:
        """All POST requests so far, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def script(self, *behaviours: Behaviour) -> None:
        """Appends what the next chat completions do, one each."""
        with self._lock:
            self._scripts["/v1/chat/completions"].extend(behaviours)

    def script_embeddings(self, *behaviours: Behaviour) -> None:
        with self._lock:
            self._scripts["/v1/embeddings"].extend(behaviours)

    def close(self) -> None:
        """Ends waits and connections. A second call does nothing."""
        if not self._closing.is_set():
            self._closing.set()
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()

    def list_models(self) -> Reply:
        return json_reply({"object": "list", "data": [{"id": name, "object": "model"} for name in self._models]})

    def reply(self, question: Question) -> Reply:
        with self._lock:
            self._requests.append(question)
            waiting = self._scripts.get(question.path)
            behaviour = waiting.popleft() if waiting else None
        if self._key is not None and question.key != self._key:
            return error_reply(401, "Incorrect API key provided", {})
        if waiting is None:
            return error_reply(404, f"no such path: {question.path}", {})
        if question.body.get("stream"):
            return error_reply(400, "this server does not stream", {})
        if behaviour is None:
            behaviour = embeds if question.path.endswith("/embeddings") else self._default
        return behaviour(question)

    def wait(self, seconds: float) -> bool:
        """Waits, and says whether the server was closed meanwhile."""
        return self._closing.wait(seconds)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True

    def __init__(self, address: tuple[str, int], server: ChatServer) -> None:
        self.chat_server = server
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the tests; nothing is printed."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    # One question a connection: a closed server leaves no idle connection behind.
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        known = self.path == "/v1/models"
        self._send(self.server.chat_server.list_models() if known else error_reply(404, f"no such path: {self.path}", {}))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        try:
            body = json.loads(raw)
        except ValueError:
            self._send(error_reply(400, "the body is not JSON", {}))
            return
        self._send(self.server.chat_server.reply(Question(self.path, body, key)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that the base class gives it)
        """Nothing is printed."""

    def _send(self, reply: Reply) -> None:
        if reply.wait and self.server.chat_server.wait(reply.wait):
            return
        self.send_response(reply.status)
        for name, value in {"Content-Type": reply.media_type, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.drip:
            self._drip(reply)
        else:
            self.wfile.write(reply.body if reply.keep is None else reply.body[: reply.keep])
        if reply.keep is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def _drip(self, reply: Reply) -> None:
        for byte in reply.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.chat_server.wait(reply.drip):
                return
