"""How an account of a Mastodon instance is connected: the app registered, a person sent to agree, the code made a token.

    desk = register("https://example.social", redirect="http://127.0.0.1:8751/callback")
    consent = desk.consent()                                            # a person opens consent.url
    (found,) = desk.accounts(consent.code_in(address), consent.verifier)
    found.account                                                       # what MastodonChannel(account=...) takes

PKCE with S256 (RFC 7636): a code that somebody else caught is worth nothing without the verifier, which stays here until the
exchange. Mastodon takes it since 4.3; older instances ignore it. Its tokens do not expire. Listens on no port, stores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from zirelia.channels.mastodon_api import identity
from zirelia.channels.oauth import App, Consent, Found, Said, ask
from zirelia.domain.connection import Grant, Secrets
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused
from zirelia.network.failures import cleaned
from zirelia.network.offline import is_loopback_url

NAME = "mastodon"
SCOPES = ("read:accounts", "read:statuses", "read:notifications", "write:accounts", "write:media", "write:statuses")
"""What the channel does and no more; write:accounts sets the bot label."""

_AGAIN = f"zirelia connect {NAME}"


@dataclass(frozen=True)
class MastodonDesk:
    """One instance's ways for one installation. See `register`."""

    instance: str
    app: App = field(repr=False)
    timeout: float = 30.0

    def consent(self) -> Consent:
        return Consent.new(NAME, f"{self.instance}/oauth/authorize", self.app, scopes=SCOPES)

    def accounts(self, code: str, verifier: str) -> tuple[Found, ...]:
        """The account that the person let us use. Raises ProviderError, ProviderRefused where it allows too little."""
        # who registered was given one
        secret = self.app.secret.get_secret_value() if self.app.secret is not None else ""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.app.id,
            "client_secret": secret,
            "redirect_uri": self.app.redirect,
            "code_verifier": verifier,
        }
        hidden = (code, secret, verifier)
        said = _yes("POST", f"{self.instance}/oauth/token", timeout=self.timeout, form=form, secrets=hidden)
        granted = str(said.body.get("scope") or " ".join(SCOPES)).split()
        missing = [scope for scope in SCOPES if scope not in granted and scope.partition(":")[0] not in granted]
        if missing:
            raise ProviderRefused(f"not allowed: {', '.join(missing)}", provider=NAME, hint=_AGAIN)
        token = _word(said, "access_token")
        owner = _yes("GET", f"{self.instance}/api/v1/accounts/verify_credentials", timeout=self.timeout, bearer=token)
        grant = Grant(secrets=Secrets(access=SecretStr(token)))
        return (Found(identity(owner.body, NAME), _word(owner, "username"), grant),)


def register(instance: str, *, redirect: str, app_name: str = "Zirelia", timeout: float = 30.0) -> MastodonDesk:
    """Makes this installation known to the instance. redirect: where the browser comes back, on this machine.

    Raises ConfigurationError for addresses that cannot be used, and ProviderError.
    """
    if not is_loopback_url(redirect):
        raise ConfigurationError(
            f"the browser cannot come back to {cleaned(redirect)}",
            hint="use an address of this machine, http://127.0.0.1:PORT/",
        )
    instance = instance.rstrip("/")
    form = {"client_name": app_name, "redirect_uris": redirect, "scopes": " ".join(SCOPES)}
    said = _yes("POST", f"{instance}/api/v1/apps", timeout=timeout, form=form)
    app = App(id=_word(said, "client_id"), redirect=redirect, secret=SecretStr(_word(said, "client_secret")))
    return MastodonDesk(instance, app, timeout)


def _yes(method: str, url: str, *, timeout: float, **more: Any) -> Said:
    said = ask(method, url, provider=NAME, timeout=timeout, lenient=True, **more)
    if not said.ok:
        raise ProviderRefused(said.words, provider=NAME, hint=_AGAIN)
    return said


def _word(said: Said, name: str) -> str:
    found = said.body.get(name)
    if not isinstance(found, str) or not found or not found.isprintable():
        raise ProviderError(f"the answer has no {name}", provider=NAME, hint="is it a Mastodon instance?")
    return found
