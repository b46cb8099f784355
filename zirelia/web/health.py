"""Is this process alive, is it ready, and what do the numbers say: GET /healthz, /readyz, /metrics.

    app = health_app(node, store, roster, settings, log)      # an ASGI application for `web.server`

/healthz answers 503 when the process's heart has not beaten for `SILENT` seconds; a database that is away does not make it
unhealthy, because starting the process anew would not help. /readyz is about the database, its schema and the engine; a pause
is no lack of readiness, and is told. Nothing here needs a password, so nothing here is worth one: no names of hosts, no texts
of posts, no errors in words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zirelia.engine.nodes import Node
from zirelia.engine.pause import Pauses
from zirelia.engine.roster import Roster
from zirelia.settings import Settings
from zirelia.store.sql import SqlStore
from zirelia.web.fresh import Fresh
from zirelia.web.metrics import Metrics
from zirelia.web.pictures import picture_routes

SILENT = 60.0
"""Seconds: a heartbeat that waits for a database that is cut off takes up to 50."""

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class _Ready:
    schema: bool
    paused: bool


class Health:
    """The three answers. silent: seconds without a heartbeat after which the process is not healthy."""

    def __init__(
        self,
        node: Node,
        store: SqlStore,
        roster: Roster,
        settings: Settings,
        log: Callable[..., None],
        *,
        silent: float = SILENT,
    ) -> None:
        self._node = node
        self._silent = silent
        self._metrics = Metrics(node, store, roster, settings)
        self._pauses = Pauses(settings)
        self._store = store
        self._ready = Fresh(self._look, seconds=1.0, patience=4.0)
        self._counts = Fresh(
            self._metrics.look,
            seconds=5.0,
            patience=4.0,
            stale=120.0,
            failed=lambda error: log("metrics not collected", problem=type(error).__name__, level="warning"),
        )

    async def healthz(self, _request: Request) -> Response:
        age = time.monotonic() - self._node.beaten
        alive = age < self._silent
        return JSONResponse({"alive": alive, "heartbeat_s": round(age, 1)}, 200 if alive else 503)

    async def readyz(self, _request: Request) -> Response:
        seen = await self._ready.get()
        engine = "stopping" if self._node.stopping.is_set() else "launched" if self._node.launched.is_set() else "starting"
        ready = seen is not None and seen.schema and engine == "launched"
        told = {
            "ready": ready,
            "database": "answers" if seen is not None else "does not answer",
            "schema": None if seen is None else "current" if seen.schema else "another",
            "engine": engine,
            "paused": None if seen is None else seen.paused,
        }
        return JSONResponse(told, 200 if ready else 503)

    async def metrics(self, _request: Request) -> Response:
        reachable = await self._ready.get() is not None
        look = await self._counts.get() if reachable else None
        return Response(self._metrics.page(look, reachable=reachable), media_type=_PROMETHEUS)

    def _look(self) -> _Ready:
        return _Ready(schema=self._store.schema_is_current(), paused=self._pauses.reason() is not None)


class _Headers:
    """Middleware: the same headers on every answer, those of errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


def health_app(
    node: Node, store: SqlStore, roster: Roster, settings: Settings, log: Callable[..., None], *, silent: float = SILENT
) -> Starlette:
    """The application. Anything but GET and HEAD of the three paths, and of hosted pictures, is refused."""
    health = Health(node, store, roster, settings, log, silent=silent)
    ways = {"/healthz": health.healthz, "/readyz": health.readyz, "/metrics": health.metrics}
    routes = [Route(path, answer, methods=["GET"]) for path, answer in ways.items()]
    return Starlette(routes=[*routes, *picture_routes(settings)], middleware=[Middleware(_Headers)])
