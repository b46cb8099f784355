"""How an account at X is connected, and its token renewed: OAuth 2 with PKCE, refresh tokens that hold once.

    desk = XDesk(App(id="…", redirect="http://127.0.0.1:8751/callback"))
    consent = desk.consent()
    (found,) = desk.accounts(consent.code_in(address), consent.verifier)
    grant = desk.renew(secrets)

A token holds for two hours; with it comes the right to the next one, which ends when it is used. When that answer is lost, X
takes neither the old right nor does anybody know the new one: a person connects anew. https://docs.x.com/fundamentals/authentication/oauth-2-0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from zirelia.channels.oauth import App, Consent, Found, Said, ask
from zirelia.channels.x import BASE_URL
from zirelia.domain.connection import Grant, Secrets
from zirelia.errors import ConfigurationError, ProviderRefused, TokenRefused

ASKED = "https://x.com/i/oauth2/authorize"
SCOPES = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")

_OURS = frozenset({"invalid_client", "unauthorized_client"})
"""Errors that are about the app, not about the account."""


@dataclass(frozen=True)
class XDesk:
    """Args:
    app: with a secret where X's console calls it a confidential client. address: another server, for tests.
    """

    app: App = field(repr=False)
    timeout: float = 30.0
    address: str | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def consent(self) -> Consent:
        asked = ASKED if self.address is None else f"{self.address}/i/oauth2/authorize"
        return Consent.new("x", asked, self.app, scopes=SCOPES)

    def accounts(self, code: str, verifier: str) -> tuple[Found, ...]:
        """The account that the person let us use. Raises ProviderError, ConfigurationError."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.app.redirect,
            "code_verifier": verifier,
        }
        said = self._ask(form, (code, verifier))
        if not said.ok:
            raise ProviderRefused(said.words, provider="x", hint="the code holds for 30 seconds: begin anew")
        grant = self._grant(said)
        token = grant.secrets.access.get_secret_value()
        me = ask("GET", f"{self.address or BASE_URL}/2/users/me", provider="x", timeout=self.timeout, bearer=token)
        about = me.body.get("data")
        if not me.ok or not isinstance(about, dict):
            raise ProviderRefused(f"the account cannot be read: {me.words}", provider="x")
        return (Found(Said(me.status, about, me.words).text("id", "x"), about.get("username"), grant),)

    def renew(self, secrets: Secrets) -> Grant:
        """The next token. Raises TokenRefused when X gives none for this one, ProviderError."""
        if secrets.refresh is None:
            raise TokenRefused("X gave no right to a next token", provider="x")
        old = secrets.refresh.get_secret_value()
        said = self._ask({"grant_type": "refresh_token", "refresh_token": old}, (old,))
        if not said.ok:
            raise TokenRefused(f"the token cannot be renewed: {said.words}", provider="x")
        return self._grant(said)

    def _ask(self, form: Mapping[str, str], secrets: tuple[str, ...]) -> Said:
        """Raises ConfigurationError when X does not know the app."""
        secret = self.app.secret.get_secret_value() if self.app.secret is not None else None
        said = ask(
            "POST",
            f"{self.address or BASE_URL}/2/oauth2/token",
            provider="x",
            timeout=self.timeout,
            # who has a secret says who he is by that alone
            form=dict(form) if secret is not None else {**form, "client_id": self.app.id},
            basic=(self.app.id, secret) if secret is not None else None,
            secrets=secrets,
        )
        if said.status == 401 or said.body.get("error") in _OURS:
            raise ConfigurationError(
                f"X does not take the app: {said.words}",
                hint="check ZIRELIA_CONNECT_X_CLIENT_ID and ZIRELIA_CONNECT_X_CLIENT_SECRET",
            )
        return said

    def _grant(self, said: Said) -> Grant:
        access, refresh, lasts = said.text("access_token", "x"), said.body.get("refresh_token"), said.body.get("expires_in")
        return Grant(
            secrets=Secrets(
                access=SecretStr(access), refresh=SecretStr(refresh) if isinstance(refresh, str) and refresh else None
            ),
            expires_at=self.now() + timedelta(seconds=lasts) if isinstance(lasts, int) and lasts > 0 else None,
            renewable=bool(refresh),
        )
