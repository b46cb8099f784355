"""The offline switch, enforced at the socket: once thrown, nothing but loopback and unix sockets can be reached.

    forbid_outside_connections()
    httpx.get("https://example.com")        # OfflineViolation, before any DNS query

    with connections_outside(allowed=False):   # the same for one block; the earlier state comes back
        ...

Two layers. An audit hook sees every connect, send and lookup that Python's own socket code makes, whoever imported what
and when. Methods of `socket.socket` are wrapped besides, because CPython resolves a name given to `connect` before it
tells the audit hook. It does not see sockets that native libraries or child processes open by themselves.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from zirelia.errors import OfflineViolation

_LOCAL_NAMES = frozenset({"localhost", "localhost."})
_LOCAL_FAMILIES = frozenset(getattr(socket, name) for name in ("AF_UNIX", "AF_NETLINK", "AF_ALG") if hasattr(socket, name))
_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})

_forbidden = False
_installed = False


def forbid_outside_connections() -> None:
    """From now on any address but loopback raises OfflineViolation, in every thread. Calling it again changes nothing."""
    global _forbidden
    _install()
    _forbidden = True


def outside_allowed() -> bool:
    """Whether this process may connect to other machines."""
    return not _forbidden


@contextlib.contextmanager
def connections_outside(*, allowed: bool) -> Iterator[None]:
    """Sets the switch for a block, for all threads, and puts the earlier state back. Meant for tests and for doctor."""
    global _forbidden
    before = _forbidden
    _install()
    _forbidden = not allowed
    try:
        yield
    finally:
        _forbidden = before


def _install() -> None:
    """Puts both layers in place, once a process: an audit hook can never be taken out, so the switch is a flag."""
    global _installed
    if _installed:
        return
    _installed = True
    sys.addaudithook(_audit)
    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        if hasattr(socket.socket, name):
            setattr(socket.socket, name, _guarded(getattr(socket.socket, name), name))


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _forbidden:
        return
    if event in _SENDS:
        _check_address(args[0], args[1])
    elif event in _LOOKUPS:
        _check_lookup(args[0])
    elif event == "socket.getnameinfo":
        _check_host(args[0][0])


def _guarded(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    # sendmsg(buffers, ancillary, flags, address); sendto(data, [flags,] address); connect(address)
    place = 3 if name == "sendmsg" else -1

    @functools.wraps(original)
    def method(self: socket.socket, *args: Any) -> Any:
        if _forbidden and (place < 0 or len(args) > place):
            _check_address(self, args[place])
        return original(self, *args)

    return method


def _check_address(sock: Any, address: Any) -> None:
    """`address` is None for a message on a socket that is connected already, and so was checked."""
    if address is None or sock.family in _LOCAL_FAMILIES:
        return
    if not isinstance(address, tuple) or not address:
        raise _violation(address)
    _check_host(address[0])


def _check_lookup(host: Any) -> None:
    """A lookup may also name the wildcard address, which servers bind to and which asks no DNS."""
    if host is None or host in ("", b"", "0.0.0.0", "::", b"0.0.0.0", b"::"):  # noqa: S104 - compared, not bound
        return
    _check_host(host)


def _check_host(host: Any) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host
    if not isinstance(name, str) or not (name.lower() in _LOCAL_NAMES or is_loopback(name)):
        raise _violation(name)


def is_loopback(host: str) -> bool:
    """Whether `host` is a literal loopback address (IPv4, IPv6, or IPv4 inside IPv6). A name is not, whatever it means."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def is_loopback_url(url: str | None) -> bool:
    """Whether a base URL means this machine: a loopback address or `localhost`. None, and what is no URL, does not."""
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return False
    return host == "localhost" or is_loopback(host)


def _violation(host: object) -> OfflineViolation:
    return OfflineViolation(
        f"a connection to {host!r} was stopped: ZIRELIA_OFFLINE=1 allows this machine only",
        hint="unset ZIRELIA_OFFLINE, or choose the embedded backends (zirelia doctor shows them)",
    )
