"""One series of calls to a platform's HTTP interface, with the token in a header and nowhere else.

    line = Line("instagram", "https://graph.instagram.com", token=read_token)
    with connected(line) as wire:
        answer = wire.call("GET", "/v25.0/me", params={"fields": "id"})    # an httpx.Response, whatever its status
        wire.skew                                                          # how far the platform's clock is ahead

Whether a call that failed may have taken effect all the same is told apart here: `Unclear` when it may have, any other
ProviderError when it certainly has not. Knows no platform's protocol.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from zirelia.errors import ConfigurationError, ProviderError, TokenRefused
from zirelia.network.certificates import trusted
from zirelia.network.failures import cleaned, map_transport_error
from zirelia.network.offline import is_loopback_url

NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
"""Failures after which certainly nothing arrived there."""


class Unclear(ProviderError):
    """The call may have taken effect: no answer, half an answer, or a fault of the platform's own."""

    def __init__(self, message: str, *, provider: str, retry_after: float | None = None) -> None:
        super().__init__(message, provider=provider, retryable=True, retry_after=retry_after)


def check_secure(url: str, provider: str) -> None:
    """Raises ConfigurationError for an address at which a token could be read on the way."""
    if not (url.startswith("https://") or is_loopback_url(url)):
        raise ConfigurationError(
            f"the {provider} address {cleaned(url)} is not https: the token would be readable on the way",
            hint="use https, or an address of this machine",
        )


def without(response: httpx.Response, secrets: Iterable[str]) -> httpx.Response:
    """The same answer, in whose body none of the secrets stands."""
    content = response.content
    for secret in secrets:
        content = content.replace(secret.encode(), b"[secret]")
    if content == response.content:
        return response
    headers = {name: text for name, text in response.headers.items() if name not in {"content-length", "content-encoding"}}
    return httpx.Response(response.status_code, headers=headers, content=content, request=response.request)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Line:
    """How to reach one account.

    provider: the channel's name, as errors show it. token: the access token as it is now; asked once a series; may raise
    ConfigurationError. refused: told when the platform did not take it; whether a new one will be had. timeout: seconds for one
    answer. now, sleep: replaced in tests.
    """

    provider: str
    base_url: str
    token: Callable[[], str] = field(repr=False)
    refused: Callable[[], bool] = field(default=lambda: False, repr=False, kw_only=True)
    timeout: float = 30.0
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        check_secure(self.base_url, self.provider)

    @property
    def reconnect(self) -> str:
        """What to do about a token that is not taken."""
        return f"zirelia connect {self.provider}"


class Wire:
    """See `connected`. skew: the platform's clock minus ours, from its last answer; None while it has not said."""

    def __init__(self, line: Line, client: httpx.Client, token: str) -> None:
        self.line = line
        self.skew: timedelta | None = None
        self._client = client
        self._token = token

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The whole answer, in which the token stands nowhere. Raises Unclear, or ProviderError when nothing arrived there."""
        authorized = {**(headers or {}), "Authorization": f"Bearer {self._token}"}
        try:
            response = self._client.request(
                method, path, params=params, json=json, data=data, files=files, content=content, headers=authorized
            )
        except httpx.HTTPError as error:
            mapped = map_transport_error(error, self.line.provider)
            if isinstance(error, NEVER_LEFT) or not isinstance(mapped, ProviderError):
                raise mapped from error
            raise Unclear(mapped.message.removeprefix(f"{self.line.provider}: "), provider=self.line.provider) from error
        self._read_clock(response)
        return without(response, (self._token,))

    def shown(self, text: object) -> str:
        """A platform's words made safe to show."""
        return cleaned(text, secret=self._token)

    def _read_clock(self, response: httpx.Response) -> None:
        try:
            said = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
        except (ValueError, TypeError):
            return
        self.skew = (said if said.tzinfo else said.replace(tzinfo=UTC)) - self.line.now()


@contextmanager
def connected(line: Line) -> Iterator[Wire]:
    """Connections for one block. Raises TokenRefused, before anything is sent, where there is no token that can be used."""
    try:
        token = line.token()
    except ConfigurationError as error:
        raise TokenRefused(error.message, provider=line.provider, hint=error.hint) from error
    # a header cannot hold anything else, and the library's complaint about it would show the token
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenRefused("the stored token is empty or damaged", provider=line.provider, hint=line.reconnect)
    with httpx.Client(
        base_url=line.base_url,
        timeout=httpx.Timeout(line.timeout),
        verify=trusted(),
        trust_env=False,
        follow_redirects=False,
    ) as client:
        try:
            yield Wire(line, client, token)
        except TokenRefused as error:
            error.retryable = line.refused()
            raise
