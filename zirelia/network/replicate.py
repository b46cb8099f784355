"""The genuine replicate client, made to speak in our errors and to leave retrying to us.

    with connected(token, base_url, timeout=30, what="training on Replicate") as client:
        training = ask(lambda: client.trainings.get(id))

The client's own transport would repeat a GET up to ten times and drop `Retry-After`; errors are raised below it. Imported by
the adapters that need it alone, because it needs httpx. Knows nothing of pictures or trainings.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from zirelia.errors import BadAnswer, ConfigurationError, MissingExtra, ProviderRefused, ZireliaError
from zirelia.network.certificates import trusted
from zirelia.network.failures import cleaned, map_http_error, map_transport_error
from zirelia.network.offline import is_loopback_url

PROVIDER = "replicate"
_DEFAULT_URL = "https://api.replicate.com"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REFERENCE = re.compile(rf"^(?:(?P<model>{_NAME}/{_NAME})(?::(?P<version>[0-9a-f]{{64}}))?|(?P<bare>[0-9a-f]{{64}}))$")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Reference:
    """A hosted model: `owner/name` with or without a version, or a version alone."""

    model: str | None
    version: str | None

    def __str__(self) -> str:
        return ":".join(part for part in (self.model, self.version) if part)


def parse_reference(text: str) -> Reference:
    """From `owner/name:version`, `owner/name` or a version of 64 hexadecimal digits. Raises ConfigurationError otherwise."""
    match = _REFERENCE.match(text.strip())
    if match is None:
        raise ConfigurationError(
            f"'{cleaned(text)}' is no Replicate model version",
            hint="write owner/name:version (64 hexadecimal digits), owner/name, or the version alone",
        )
    return Reference(match["model"], match["version"] or match["bare"])


def checked_base_url(base_url: str | None) -> str:
    """Without a trailing /v1, which the client adds. Raises ConfigurationError for plain http to another machine."""
    url = (base_url or _DEFAULT_URL).rstrip("/").removesuffix("/v1")
    if not (url.startswith("https://") or is_loopback_url(url)):
        raise ConfigurationError(
            f"the Replicate address {cleaned(url)} is not https: the token would be readable on the way",
            hint="use https, or an address of this machine",
        )
    return url


class Missing(ProviderRefused):
    """What was asked for is not there (HTTP 404)."""


class Exists(ProviderRefused):
    """What was to be made is there already (HTTP 409)."""


_KINDS: dict[int, type[ProviderRefused]] = {404: Missing, 409: Exists}


class _Plain(httpx.BaseTransport):
    """Turns failures into ProviderError before the client's retrying transport sees them."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport(verify=trusted())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._inner.handle_request(request)
        except httpx.TransportError as error:
            raise map_transport_error(error, PROVIDER) from error
        if response.status_code < 400:
            return response
        try:
            mapped = map_http_error(response, PROVIDER)
        finally:
            response.close()
        if kind := _KINDS.get(response.status_code):
            raise kind(mapped.message.removeprefix(f"{PROVIDER}: "), provider=PROVIDER, hint=mapped.hint)
        raise mapped

    def close(self) -> None:
        self._inner.close()


@contextmanager
def connected(token: SecretStr, base_url: str, *, timeout: float, what: str) -> Iterator[Any]:
    """A replicate client for one block; its connections are closed at the end.

    Args:
        timeout: seconds for one answer.
        what: what it is for, as MissingExtra says it where the package is not installed.
    """
    if importlib.util.find_spec("replicate") is None:
        raise MissingExtra("replicate", what)
    from replicate.client import Client

    transport = _Plain()
    limits = httpx.Timeout(timeout, connect=min(10.0, timeout))
    try:
        yield Client(
            api_token=token.get_secret_value(), base_url=base_url, timeout=limits, transport=transport, trust_env=False
        )
    finally:
        transport.close()


def ask(question: Callable[[], Answer]) -> Answer:
    """What the client answers. Raises ProviderError, or BadAnswer for an answer that is not the protocol's."""
    from replicate.exceptions import ReplicateException

    try:
        return question()
    except ZireliaError:
        raise
    except httpx.HTTPError as error:
        raise map_transport_error(error, PROVIDER) from error
    except (ReplicateException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadAnswer("the answer is not what its API describes", provider=PROVIDER, raw=cleaned(error)) from error
