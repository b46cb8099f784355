"""How an account of a Mastodon instance is connected: the app registered, a person sent to agree, the code made a token.

    app = register("https://example.social", redirect="http://127.0.0.1:8751/callback")
    visit = begin(app)                                   # visit.url is opened in a browser
    code = code_in(query_of_the_callback, visit)         # ProviderRefused when the person said no
    token = exchange(app, visit, code)                   # a SecretStr
    whoami("https://example.social", token).id           # what MastodonChannel(account=...) takes

PKCE with S256 (RFC 7636): a code that somebody else caught is worth nothing without the verifier, which stays here until the
exchange. Mastodon takes it since 4.3; older instances ignore it. Listens on no port, stores nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from zirelia.channels.mastodon_api import identity, is_address
from zirelia.channels.wire import Line
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused
from zirelia.network.failures import cleaned, map_http_error, map_transport_error
from zirelia.network.offline import is_loopback_url

NAME = "mastodon"
SCOPES = ("read:accounts", "read:statuses", "read:notifications", "write:accounts", "write:media", "write:statuses")
"""What the channel does and no more; write:accounts sets the bot label."""


@dataclass(frozen=True)
class App:
    """One installation, as the instance knows it."""

    instance: str
    redirect: str
    client_id: str
    client_secret: SecretStr


@dataclass(frozen=True)
class Visit:
    """One person's way to the instance and back. state, verifier: must be those of the same visit when the code comes."""

    url: str = field(repr=False)
    state: SecretStr
    verifier: SecretStr


@dataclass(frozen=True)
class Owner:
    """Whose token it is. handle: without @ and instance."""

    id: str
    handle: str
    url: str | None
    bot: bool


def register(instance: str, *, redirect: str, app_name: str = "Zirelia", timeout: float = 30.0) -> App:
    """Makes this installation known to the instance. redirect: where the browser comes back, on this machine.

    Raises ConfigurationError for addresses that cannot be used, and ProviderError.
    """
    _secure(instance)
    if not is_loopback_url(redirect):
        raise ConfigurationError(
            f"the browser cannot come back to {cleaned(redirect)}",
            hint="use an address of this machine, http://127.0.0.1:PORT/",
        )
    form = {"client_name": app_name, "redirect_uris": redirect, "scopes": " ".join(SCOPES)}
    answer = _called("POST", instance, "/api/v1/apps", data=form, timeout=timeout)
    return App(instance, redirect, _word(answer, "client_id"), SecretStr(_word(answer, "client_secret")))


def begin(app: App) -> Visit:
    """The address at which the account's owner is asked, and what must come back."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect,
        "scope": " ".join(SCOPES),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    url = f"{app.instance.rstrip('/')}/oauth/authorize?{urlencode(asked)}"
    return Visit(url=url, state=SecretStr(state), verifier=SecretStr(verifier))


def challenge(verifier: str) -> str:
    """What is shown of the verifier beforehand."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def code_in(query: Mapping[str, str], visit: Visit) -> SecretStr:
    """The code that the browser brought back. Raises ProviderRefused for a no, and for an answer to another question."""
    came = query.get("state", "").encode()
    if not hmac.compare_digest(came, visit.state.get_secret_value().encode()):
        raise ProviderRefused("the browser brought an answer to another question", provider=NAME, hint=_again())
    if query.get("error"):
        said = query.get("error_description") or query["error"]
        raise ProviderRefused(f"the account was not connected: {cleaned(said)}", provider=NAME, hint=_again())
    if not query.get("code"):
        raise ProviderRefused("the browser came back without a code", provider=NAME, hint=_again())
    return SecretStr(query["code"])


def exchange(app: App, visit: Visit, code: SecretStr, *, timeout: float = 30.0) -> SecretStr:
    """The account's token; Mastodon's do not expire. Raises ProviderError."""
    form = {
        "grant_type": "authorization_code",
        "code": code.get_secret_value(),
        "client_id": app.client_id,
        "client_secret": app.client_secret.get_secret_value(),
        "redirect_uri": app.redirect,
        "code_verifier": visit.verifier.get_secret_value(),
    }
    answer = _called("POST", app.instance, "/oauth/token", data=form, timeout=timeout)
    granted = str(answer.get("scope") or " ".join(SCOPES)).split()
    missing = [scope for scope in SCOPES if scope not in granted and scope.partition(":")[0] not in granted]
    if missing:
        raise ProviderRefused(f"not allowed: {', '.join(missing)}", provider=NAME, hint=_again())
    return SecretStr(_word(answer, "access_token"))


def whoami(instance: str, token: SecretStr, *, timeout: float = 30.0) -> Owner:
    """Raises ProviderRefused for a token that is not taken."""
    _secure(instance)
    answer = _called("GET", instance, "/api/v1/accounts/verify_credentials", token=token, timeout=timeout)
    url = str(answer.get("url") or "")
    return Owner(
        id=identity(answer, NAME),
        handle=_word(answer, "username"),
        url=url if is_address(url) else None,
        bot=answer.get("bot") is True,
    )


def _secure(instance: str) -> None:
    """Raises ConfigurationError for an instance to which a secret would go in the clear."""
    Line(NAME, instance, token=str)


def _called(
    method: str,
    instance: str,
    path: str,
    *,
    timeout: float,
    data: Mapping[str, str] | None = None,
    token: SecretStr | None = None,
) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    hidden = [value for key, value in (data or {}).items() if key in {"code", "client_secret", "code_verifier"}]
    hidden += [] if token is None else [token.get_secret_value()]
    url = instance.rstrip("/") + path
    try:
        with httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as client:
            response = client.request(method, url, data=data, headers=headers)
    except httpx.HTTPError as error:
        raise map_transport_error(error, NAME) from error
    if not response.is_success:
        content = response.content
        for secret in hidden:
            content = content.replace(secret.encode(), b"[secret]")
        mapped = map_http_error(httpx.Response(response.status_code, content=content, request=response.request), NAME)
        said = cleaned(mapped.message.removeprefix(f"{NAME}: "))
        if mapped.retryable:
            raise ProviderError(said, provider=NAME, retryable=True, retry_after=mapped.retry_after)
        raise ProviderRefused(said, provider=NAME, hint=_again())
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ProviderError("the answer cannot be read", provider=NAME, hint=f"is {cleaned(instance)} a Mastodon instance?")
    return body


def _word(answer: Mapping[str, Any], name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not found or not found.isprintable():
        raise ProviderError(f"the answer has no {name}", provider=NAME, hint="is it a Mastodon instance?")
    return found


def _again() -> str:
    return f"zirelia connect {NAME}"
