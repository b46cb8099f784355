"""ZIRELIA_OFFLINE at the socket: whoever opens it, and however the other side is named."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import requests

from zirelia.errors import OfflineViolation
from zirelia.network import connections_outside, forbid_outside_connections, is_loopback_url, outside_allowed

OUTSIDE = "203.0.113.7"  # TEST-NET-3: belongs to nobody


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    with connections_outside(allowed=False):
        yield


def _tcp(address: object, family: int = socket.AF_INET, method: str = "connect") -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        getattr(sock, method)(address)


def _udp(*args: object, family: int = socket.AF_INET) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", *args)  # type: ignore[call-overload]


def _message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"x"], [], 0, (OUTSIDE, 53))


def _below_the_socket_module() -> None:
    sock = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.connect((OUTSIDE, 80))
    finally:
        sock.close()


async def _asyncio(host: str) -> None:
    await asyncio.open_connection(host, 80)


async def _asyncio_udp() -> None:
    """asyncio hands an error of a send to its protocol."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    lost: asyncio.Future[Exception] = loop.create_future()

    class Protocol(asyncio.DatagramProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(exc or AssertionError("it was sent"))

    transport, _ = await loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
    transport.sendto(b"x", (OUTSIDE, 53))
    transport.close()
    raise await lost


async def _httpx_async() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get("https://example.com")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "tcp": lambda: _tcp((OUTSIDE, 80)),
    "tcp by name": lambda: _tcp(("example.com", 80)),
    "connect_ex": lambda: _tcp((OUTSIDE, 80), method="connect_ex"),
    "connect_ex by name": lambda: _tcp(("example.com", 80), method="connect_ex"),
    "ipv6": lambda: _tcp(("2001:db8::1", 80, 0, 0), socket.AF_INET6),
    "ipv4 in ipv6": lambda: _tcp((f"::ffff:{OUTSIDE}", 80, 0, 0), socket.AF_INET6),
    "private": lambda: _tcp(("192.168.0.1", 80)),
    "link-local": lambda: _tcp(("169.254.169.254", 80)),
    "udp": lambda: _udp((OUTSIDE, 53)),
    "udp with flags": lambda: _udp(0, (OUTSIDE, 53)),
    "udp by name": lambda: _udp(("example.com", 53)),
    "sendmsg": _message,
    "_socket": _below_the_socket_module,
    "create_connection": lambda: socket.create_connection((OUTSIDE, 80), timeout=1),
    "getaddrinfo": lambda: socket.getaddrinfo("example.com", 443),
    "getaddrinfo bytes": lambda: socket.getaddrinfo(b"example.com", 443),
    "gethostbyname": lambda: socket.gethostbyname("example.com"),
    "gethostbyaddr": lambda: socket.gethostbyaddr(OUTSIDE),
    "getnameinfo": lambda: socket.getnameinfo((OUTSIDE, 80), 0),
    "a name that begins like loopback": lambda: socket.getaddrinfo("127.0.0.1.example.com", 80),
    "localhost as a prefix": lambda: socket.getaddrinfo("localhost.example.com", 80),
    "httpx": lambda: httpx.get("https://example.com", trust_env=False),
    "httpx by number": lambda: httpx.get(f"http://{OUTSIDE}", trust_env=False),
    "httpx async": lambda: asyncio.run(_httpx_async()),
    "requests": lambda: requests.get("https://example.com", timeout=1),
    "urllib": lambda: urllib.request.urlopen("https://example.com", timeout=1),
    "asyncio": lambda: asyncio.run(_asyncio("example.com")),
    "asyncio by number": lambda: asyncio.run(_asyncio(OUTSIDE)),
    "asyncio udp": lambda: asyncio.run(_asyncio_udp()),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_nothing_leaves_this_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(OfflineViolation, match="ZIRELIA_OFFLINE=1"):
        ATTEMPTS[name]()


def test_loopback_works_as_before(peer) -> None:
    url = peer.say("/", body=b"here")
    assert httpx.get(url, trust_env=False).content == b"here"
    assert requests.get(f"http://localhost:{peer.port}/", timeout=5).content == b"here"

    async def ask() -> bytes:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url)).content

    assert asyncio.run(ask()) == b"here"


def test_loopback_udp_ipv6_and_unix(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        to.bind(("127.0.0.1", 0))
        out.sendto(b"x", to.getsockname())
        out.sendmsg([b"y"], [], 0, to.getsockname())
        assert to.recv(1) + to.recv(1) == b"xy"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
    if socket.has_ipv6:
        with contextlib.suppress(OSError):  # nobody listens, or no IPv6: what matters is that it was tried
            _tcp(("::1", 1, 0, 0), socket.AF_INET6)
    assert socket.getaddrinfo("0.0.0.0", 80, flags=socket.AI_PASSIVE)  # noqa: S104


def test_a_connected_socket_may_send_on(peer) -> None:
    peer.say("/", body=b"here")
    with socket.create_connection(("127.0.0.1", peer.port)) as sock:
        sock.sendmsg([b"GET / HTTP/1.0\r\n\r\n"])
        assert sock.recv(20).startswith(b"HTTP/1.0 200")


def test_the_switch_is_idempotent_and_the_block_restores_it() -> None:
    connect = socket.socket.connect
    forbid_outside_connections()
    forbid_outside_connections()
    assert socket.socket.connect is connect
    assert not outside_allowed()
    with connections_outside(allowed=True):
        assert outside_allowed()
        with connections_outside(allowed=False):
            assert not outside_allowed()
        assert outside_allowed()
    assert not outside_allowed()


def test_the_audit_layer_alone_is_enough_where_a_number_is_given() -> None:
    with pytest.raises(OfflineViolation):
        _socket.getaddrinfo("example.com", 80)


@pytest.mark.parametrize(
    ("url", "this_machine"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.8.0.1", True),
        ("http://[::1]:80", True),
        ("http://localhost:11434", True),
        ("https://LOCALHOST/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://[::1", False),
        ("no url", False),
        ("", False),
        (None, False),
    ],
)
def test_which_base_urls_mean_this_machine(url, this_machine):
    assert is_loopback_url(url) is this_machine
