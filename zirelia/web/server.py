"""A web server in a thread of the daemon, for as long as the block lasts.

    with serving(node, store, roster, settings, log) as address:        # "http://127.0.0.1:8750"
        ...

On loopback unless `web.host` says otherwise. Knows nothing of what is served.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from zirelia.engine.nodes import Node
from zirelia.engine.roster import Roster
from zirelia.errors import ConfigurationError
from zirelia.settings import Settings
from zirelia.store.sql import SqlStore
from zirelia.web.health import health_app

_START_SECONDS = 15.0
_STOP_SECONDS = 3
_BACKLOG = 128


@contextmanager
def serving(
    node: Node, store: SqlStore, roster: Roster, settings: Settings, log: Callable[..., None], *, stop_s: int = _STOP_SECONDS
) -> Iterator[str]:
    """The address that it listens on. At the end, requests that run have `stop_s` seconds more.

    Raises ConfigurationError when the address cannot be listened on.
    """
    with listening(settings.web.host, settings.web.port) as bound:
        config = uvicorn.Config(
            health_app(node, store, roster, settings, log),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=stop_s,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="web", daemon=True)
        thread.start()
        try:
            _wait_for(server, thread)
            address = _address(bound)
            log("listening", address=address)
            yield address
        finally:
            server.should_exit = True
            thread.join(stop_s + 2)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens. Raises ConfigurationError."""
    try:
        # a name may stand for several addresses: the first one is taken
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"'{host}' is no address to listen on", hint="set ZIRELIA_WEB_HOST, such as 127.0.0.1"
        ) from error
    with socket.socket(family, kind, protocol) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(place)
            bound.listen(_BACKLOG)
        except OSError as error:
            raise _refused(host, port, error) from error
        yield bound


def _refused(host: str, port: int, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"port {port} is taken by another program",
            hint="set ZIRELIA_WEB_PORT to another one (0 takes a free one), or leave web out of --roles",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigurationError(f"{host} is no address of this machine", hint="set ZIRELIA_WEB_HOST, such as 127.0.0.1")
    return ConfigurationError(f"nothing can listen on {host}:{port}: {error.strerror}", hint="set ZIRELIA_WEB_PORT above 1023")


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise ConfigurationError(
                "the web server does not start", hint="see the log; --roles without web goes on without it"
            )
        time.sleep(0.01)


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"
