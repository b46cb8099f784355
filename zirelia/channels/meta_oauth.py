"""How an account at Instagram, Threads or Facebook is connected, and its token renewed.

    desk = desk_of("instagram", app, version="v25.0")
    consent = desk.consent()                            # a person opens consent.url
    (found,) = desk.accounts(consent.code_in(address))  # for Facebook one a Page
    grant = desk.renew(secrets)

Instagram and Threads: a code becomes a token of an hour, that one of 60 days, which is renewed while it holds. Facebook: a
Page's token has no end of its own, but the person's consent ends after 90 days and no call moves that. Paths as of 2026:
https://developers.facebook.com/documentation/instagram-platform/instagram-api-with-instagram-login/business-login,
https://developers.facebook.com/documentation/threads/get-started, https://developers.facebook.com/docs/facebook-login/guides/access-tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from zirelia.channels import facebook, instagram, threads
from zirelia.channels.meta import RATE_CODES, passes
from zirelia.channels.oauth import App, Consent, Found, Said, ask
from zirelia.channels.wire import Unclear
from zirelia.domain.connection import Grant, Secrets
from zirelia.errors import ConfigurationError, ProviderRefused, RateLimited, TokenRefused


@dataclass(frozen=True)
class Places:
    """Where one platform does what, and how it calls it. asked: where a person is asked; code: where a code becomes a token."""

    asked: str
    code: str
    graph: str
    scopes: tuple[str, ...]
    prefix: str
    """Of the kinds of grants: ig_exchange_token, ig_refresh_token."""

    def at(self, address: str | None) -> Places:
        """The same on another server, for tests."""
        if address is None:
            return self
        moved = {name: address + _path(getattr(self, name)) for name in ("asked", "code", "graph")}
        return Places(**moved, scopes=self.scopes, prefix=self.prefix)


PLACES = {
    "instagram": Places(
        asked="https://www.instagram.com/oauth/authorize",
        code="https://api.instagram.com/oauth/access_token",
        graph=instagram.BASE_URL,
        scopes=("instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_insights"),
        prefix="ig",
    ),
    "threads": Places(
        asked="https://threads.com/oauth/authorize",
        code="https://graph.threads.net/oauth/access_token",
        graph=threads.BASE_URL,
        scopes=("threads_basic", "threads_content_publish", "threads_manage_insights"),
        prefix="th",
    ),
    "facebook": Places(
        asked="https://www.facebook.com/{version}/dialog/oauth",
        code="https://graph.facebook.com/{version}/oauth/access_token",
        graph=facebook.BASE_URL,
        scopes=("pages_show_list", "pages_read_engagement", "pages_manage_posts", "read_insights"),
        prefix="fb",
    ),
}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class MetaDesk:
    """One platform's ways for one app. See `desk_of`."""

    provider: str
    app: App = field(repr=False)
    places: Places
    version: str
    timeout: float
    now: Callable[[], datetime] = _now

    def consent(self) -> Consent:
        asked = self.places.asked.format(version=self.version)
        return Consent.new(self.provider, asked, self.app, scopes=self.places.scopes, join=",", pkce=False)

    def accounts(self, code: str, _verifier: str = "") -> tuple[Found, ...]:
        """The accounts that the person let us use. Raises ProviderError, ConfigurationError."""
        secret = _secret(self.app, self.provider)
        if self.provider == "facebook":
            return self._pages(code, secret)
        fields = {
            "client_id": self.app.id,
            "client_secret": secret,
            "grant_type": "authorization_code",
            "redirect_uri": self.app.redirect,
            "code": code,
        }
        said = self._yes(self._ask("POST", self.places.code, form=fields, secrets=(secret, code)))
        # Instagram's page shows a list of one, its servers answer without it
        listed = said.body.get("data")
        inner = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else said.body
        short = Said(said.status, inner, said.words).text("access_token", self.provider)
        kind = {"grant_type": f"{self.places.prefix}_exchange_token", "client_secret": secret, "access_token": short}
        long = self._yes(self._ask("GET", f"{self.places.graph}/access_token", query=kind, secrets=(secret, short)))
        grant = self._grant(long)
        return (self._me(grant),)

    def renew(self, secrets: Secrets) -> Grant:
        """A token of 60 more days for one that still holds. Raises TokenRefused when there is none, ProviderError."""
        if self.provider == "facebook":
            raise ConfigurationError("a Facebook Page's token cannot be renewed without a person")
        old = secrets.access.get_secret_value()
        kind = {"grant_type": f"{self.places.prefix}_refresh_token", "access_token": old}
        said = self._ask("GET", f"{self.places.graph}/refresh_access_token", query=kind, secrets=(old,))
        if not said.ok:
            raise TokenRefused(f"the token cannot be renewed: {said.words}", provider=self.provider)
        return self._grant(said)

    def _ask(self, method: str, url: str, **more: Any) -> Said:
        """Raises RateLimited or Unclear for what may pass."""
        said = ask(method, url, provider=self.provider, timeout=self.timeout, **more)
        error = said.body.get("error")
        if isinstance(error, dict):
            if error.get("code") in RATE_CODES:
                raise RateLimited(said.words, provider=self.provider)
            if passes(error):
                raise Unclear(said.words, provider=self.provider)
        return said

    def _yes(self, said: Said) -> Said:
        if not said.ok:
            raise ProviderRefused(
                said.words, provider=self.provider, hint="is the code fresh, and are the app's id and secret right?"
            )
        return said

    def _grant(self, said: Said) -> Grant:
        access = said.text("access_token", self.provider)
        lasts = said.body.get("expires_in")
        ends = self.now() + timedelta(seconds=lasts) if isinstance(lasts, int) and lasts > 0 else None
        return Grant(secrets=Secrets(access=SecretStr(access)), expires_at=ends, renewable=True)

    def _me(self, grant: Grant) -> Found:
        names = {"instagram": "user_id,username", "threads": "id,username"}[self.provider]
        token = grant.secrets.access.get_secret_value()
        url = f"{self.places.graph}/{self.version}/me"
        said = self._yes(self._ask("GET", url, query={"fields": names}, bearer=token))
        return Found(said.text(names.partition(",")[0], self.provider), said.body.get("username"), grant)

    # ---- Facebook

    def _pages(self, code: str, secret: str) -> tuple[Found, ...]:
        """A token for each Page that the person chose, from a token of hers that lives for 60 days."""
        url = self.places.code.format(version=self.version)
        us = {"client_id": self.app.id, "client_secret": secret}
        asked = {**us, "redirect_uri": self.app.redirect, "code": code}
        short = self._yes(self._ask("GET", url, query=asked, secrets=(secret, code))).text("access_token", self.provider)
        asked = {**us, "grant_type": "fb_exchange_token", "fb_exchange_token": short}
        long = self._yes(self._ask("GET", url, query=asked, secrets=(secret, short))).text("access_token", self.provider)
        graph = f"{self.places.graph}/{self.version}"
        asked = {"fields": "id,name,access_token", "limit": "100"}
        pages = self._yes(self._ask("GET", f"{graph}/me/accounts", query=asked, bearer=long)).body.get("data") or []
        if not pages:
            raise ProviderRefused("no Page was chosen, or none that this person may post on", provider=self.provider)
        return tuple(self._page(graph, page, secret) for page in pages if isinstance(page, dict))

    def _page(self, graph: str, page: dict[str, Any], secret: str) -> Found:
        token = Said(200, page, "").text("access_token", self.provider)
        asked = {"input_token": token, "access_token": f"{self.app.id}|{secret}"}
        said = self._yes(self._ask("GET", f"{graph}/debug_token", query=asked, secrets=(token, secret)))
        about = said.body.get("data")
        ends = [about.get(name) for name in ("expires_at", "data_access_expires_at")] if isinstance(about, dict) else []
        at = [datetime.fromtimestamp(one, UTC) for one in ends if isinstance(one, int) and one > 0]
        grant = Grant(secrets=Secrets(access=SecretStr(token)), expires_at=min(at, default=None), renewable=False)
        return Found(Said(200, page, "").text("id", self.provider), page.get("name"), grant)


def desk_of(
    provider: str,
    app: App,
    *,
    version: str,
    timeout: float = 30.0,
    address: str | None = None,
    now: Callable[[], datetime] = _now,
) -> MetaDesk:
    """provider: instagram, threads or facebook. version: of the interface. address: another server instead of theirs."""
    return MetaDesk(provider, app, PLACES[provider].at(address), version, timeout, now)


def _secret(app: App, provider: str) -> str:
    if app.secret is None:
        raise ConfigurationError(
            f"{provider} gives tokens only to an app with a secret", hint=f"set ZIRELIA_CONNECT_{provider.upper()}_APP_SECRET"
        )
    return app.secret.get_secret_value()


def _path(url: str) -> str:
    """What follows the host."""
    _, _, rest = url.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path
