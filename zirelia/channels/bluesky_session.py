"""Sessions of a Bluesky account: from an app password to tokens, and from a refresh token to new ones.

    session = sign_in("https://bsky.social", "mira.bsky.social", SecretStr("abcd-efgh-ijkl-mnop"), timeout=30.0)
    session = renew(session.service, session.refresh, timeout=30.0)       # the refresh token changes as well

The access token holds for about two hours, the refresh token for weeks; a used one is taken again for a while, so that an
answer that is lost costs nothing. `service` is where the account lives, which signing in may name. Keeps nothing. Protocol:
https://docs.bsky.app/docs/api/com-atproto-server-create-session.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from zirelia.channels.oauth import ask
from zirelia.errors import ProviderError, ProviderRefused, TokenRefused
from zirelia.network.failures import cleaned
from zirelia.network.offline import is_loopback_url

PROVIDER = "bluesky"
SERVICE = "https://bsky.social"

_HOLDS = "AtprotoPersonalDataServer"
_RECONNECT = f"zirelia connect {PROVIDER}"
_APP_PASSWORD = "use an app password: Bluesky → Settings → Privacy and security → App passwords"  # noqa: S105 - says where one is made
_ENDED = frozenset({"ExpiredToken", "InvalidToken"})


@dataclass(frozen=True)
class Session:
    """expires: when the access token ends; None where it does not say. service: the server that keeps the account."""

    did: str
    handle: str
    access: SecretStr
    refresh: SecretStr
    expires: datetime | None
    service: str


def sign_in(service: str, handle: str, password: SecretStr, timeout: float) -> Session:
    """Raises TokenRefused when handle and password are not taken, RateLimited (30 tries in 5 minutes), another ProviderError.

    Args:
        password: an app password; the account's own is taken too, but not where a second factor is asked for.
    """
    asked = {"identifier": handle.strip().removeprefix("@"), "password": password.get_secret_value()}
    return _session(service, "createSession", password, timeout, hint=_APP_PASSWORD, json=asked)


def renew(service: str, refresh: SecretStr, timeout: float) -> Session:
    """New tokens for a refresh token. Raises TokenRefused when it has ended or was revoked, another ProviderError otherwise."""
    bearer = refresh.get_secret_value()
    if not bearer or not bearer.isascii() or not bearer.isprintable() or " " in bearer:
        raise TokenRefused("the stored refresh token is empty or damaged", provider=PROVIDER, hint=_RECONNECT)
    return _session(service, "refreshSession", refresh, timeout, hint=_RECONNECT, bearer=bearer)


def _session(service: str, method: str, secret: SecretStr, timeout: float, *, hint: str, **more: Any) -> Session:
    base, hidden = service.rstrip("/"), (secret.get_secret_value(),)
    url = f"{base}/xrpc/com.atproto.server.{method}"
    said = ask("POST", url, provider=PROVIDER, timeout=timeout, secrets=hidden, lenient=True, **more)
    told = said.body
    if not said.ok:
        if said.status == 401 or str(told.get("error")) in _ENDED:
            raise TokenRefused(said.words, provider=PROVIDER, hint=hint)
        raise ProviderRefused(said.words, provider=PROVIDER)
    did, handle, access, again = (told.get(key) for key in ("did", "handle", "accessJwt", "refreshJwt"))
    if not (isinstance(did, str) and did.startswith("did:") and isinstance(access, str) and isinstance(again, str)):
        raise ProviderError("the answer has no session", provider=PROVIDER, retryable=True)
    if told.get("active") is False:
        raise ProviderRefused(
            f"the account is {cleaned(told.get('status') or 'not active')}",
            provider=PROVIDER,
            hint="look at it in Bluesky's app",
        )
    home = _home(told.get("didDoc"), base)
    return Session(did, str(handle or did), SecretStr(access), SecretStr(again), _end(access), home)


def _end(token: str) -> datetime | None:
    """When a token ends, as it says of itself; believed for nothing but when to ask for the next one."""
    try:
        part = token.split(".")[1]
        end = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get("exp")
        return datetime.fromtimestamp(float(end), UTC)
    except (IndexError, ValueError, TypeError, AttributeError, OverflowError, OSError, binascii.Error):
        return None


def _home(document: object, asked: str) -> str:
    """Where the account lives, as its document says; the server that was asked where that says nothing of use."""
    entries = document.get("service") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        place = entry.get("serviceEndpoint") if isinstance(entry, dict) and entry.get("type") == _HOLDS else None
        if isinstance(place, str) and (place.startswith("https://") or (is_loopback_url(place) and is_loopback_url(asked))):
            return place.rstrip("/")
    return asked
