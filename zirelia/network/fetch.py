"""Downloads a file that a provider names, and nothing else: not a private machine, not a giant, not the wrong kind.

    fetch_bytes(url, provider="replicate", limit=20_000_000, media_types={"image/png", "image/webp"}, timeout=30)

The address is resolved here, checked, and then connected to by number (a name cannot change its meaning in between); the
certificate is still checked against the name. Every redirect is checked the same way. Proxies of the environment are not
used. Tells the media type by the header alone: whoever decodes the picture checks its first bytes.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from zirelia.errors import ProviderError, ProviderRefused, ProviderTimeout
from zirelia.network.certificates import trusted
from zirelia.network.failures import map_http_error, map_transport_error
from zirelia.network.offline import is_loopback

if TYPE_CHECKING:
    import httpx

_REDIRECTS = 3
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SHORTEST_WAIT = 0.01


def fetch_bytes(
    url: str,
    *,
    provider: str,
    limit: int,
    media_types: Collection[str],
    allow_loopback: bool = False,
    timeout: float = 30.0,
) -> bytes:
    """The body behind `url`.

    Args:
        provider: shown in errors.
        limit: largest body in bytes.
        media_types: accepted types such as "image/png", lower case, without parameters.
        allow_loopback: also take http and https addresses of this machine (a server of one's own, a test).
        timeout: seconds for the whole download, redirects included.

    Raises ProviderRefused for an address, type or size that is not accepted, ProviderTimeout, another ProviderError as the
    server's status says, and OfflineViolation.
    """
    import httpx

    deadline = time.monotonic() + timeout
    with httpx.Client(verify=trusted(), trust_env=False, follow_redirects=False) as client:
        for _ in range(_REDIRECTS + 1):
            request = _request(client, url, provider, allow_loopback, deadline)
            try:
                response = client.send(request, stream=True)
            except httpx.HTTPError as error:
                raise map_transport_error(error, provider) from error
            try:
                if response.is_redirect:
                    url = str(httpx.URL(url).join(response.headers["location"]))
                    continue
                if response.status_code != 200:
                    raise map_http_error(response, provider)
                return _body(response, provider, limit, media_types, deadline)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise map_transport_error(error, provider) from error
            finally:
                response.close()
    raise ProviderRefused(f"more than {_REDIRECTS} redirects", provider=provider)


def _request(client: httpx.Client, url: str, provider: str, allow_loopback: bool, deadline: float) -> httpx.Request:
    """A request to the checked number behind the name, with the name kept for the Host header and the certificate."""
    import httpx

    try:
        parsed = httpx.URL(url)
        port = parsed.port or {"https": 443, "http": 80}.get(parsed.scheme, 0)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise map_transport_error(httpx.InvalidURL(str(error)), provider) from error
    if not host or parsed.userinfo or parsed.scheme not in ("https", "http"):
        raise ProviderRefused(f"the file's address is not a plain https one: {_shown(parsed)}", provider=provider)
    address = _checked_address(host, port, provider, allow_loopback)
    if parsed.scheme == "http" and not is_loopback(address):
        raise ProviderRefused(f"the file's address is not https: {_shown(parsed)}", provider=provider)
    left = _time_left(deadline, provider)
    return client.build_request(
        "GET",
        parsed.copy_with(host=address),
        headers={"Host": parsed.netloc.decode("ascii"), "Accept-Encoding": "identity", "User-Agent": "zirelia"},
        timeout=left,
        extensions={"sni_hostname": host},
    )


def _checked_address(host: str, port: int, provider: str, allow_loopback: bool) -> str:
    """The first address of `host`; refused when any of its addresses is not one that a public file may have."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ProviderError(f"the name {host!r} cannot be resolved", provider=provider, retryable=True) from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not (is_public(address) or (allow_loopback and is_loopback(address))):
            raise ProviderRefused(f"the file's address is not public: {host} is {address}", provider=provider)
    if not addresses:
        raise ProviderError(f"the name {host!r} has no address", provider=provider, retryable=True)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether the literal address belongs to the public internet, also by the IPv4 address that it may carry inside."""
    try:
        outer = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [outer]
    if isinstance(outer, ipaddress.IPv6Address):
        if outer.ipv4_mapped is not None:
            inner = [outer.ipv4_mapped]
        if outer.sixtofour is not None:
            inner.append(outer.sixtofour)
        if outer.teredo is not None:
            inner.extend(outer.teredo)
        if outer in _NAT64:
            inner.append(ipaddress.IPv4Address(int(outer) & 0xFFFFFFFF))
    return all(one.is_global and not one.is_multicast for one in inner)


def _body(response: httpx.Response, provider: str, limit: int, media_types: Collection[str], deadline: float) -> bytes:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise ProviderRefused(
            f"the file is {media_type or 'of no stated type'}, wanted {', '.join(sorted(media_types))}", provider=provider
        )
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProviderRefused("the file came compressed though asked for as it is", provider=provider)
    too_large = ProviderRefused(f"the file is larger than {limit} bytes", provider=provider)
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large
    received = bytearray()
    for chunk in response.iter_raw():
        received += chunk
        if len(received) > limit:
            raise too_large
        _time_left(deadline, provider)
    return bytes(received)


def _time_left(deadline: float, provider: str) -> float:
    left = deadline - time.monotonic()
    if left < _SHORTEST_WAIT:
        raise ProviderTimeout("the file did not arrive in time", provider=provider)
    return left


def _shown(url: httpx.URL) -> str:
    """Scheme, host and path: a query may hold a signature."""
    return f"{url.scheme}://{url.host}{url.path}"
