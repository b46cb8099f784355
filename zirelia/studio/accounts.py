"""The channels of a persona, from the accounts that are stored; and what keeps their tokens.

    accounts = Accounts(studio, "mira", {"folder": folder})
    accounts["instagram"].submit(plan, sending)         # its token is read from the store, and renewed where that is due
    keeper(studio)                                      # for `upkeep`, and for commands

Looks into the store each time it is asked, so that what is connected while the daemon runs is there at once. Nothing is opened
and no key is needed before a token is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from zirelia.channels.oauth import App
from zirelia.channels.wire import Line
from zirelia.domain.connection import Connection, Grant, Secrets
from zirelia.errors import ConfigurationError, Conflict, NotFound, ProviderError, ProviderRefused, StoreError, TokenRefused
from zirelia.settings.tree import Settings
from zirelia.store.vault import SETTING, Vault
from zirelia.workflow.connections import Keeper, refused, usable

if TYPE_CHECKING:
    from zirelia.channels.containers import Host
    from zirelia.channels.meta_oauth import MetaDesk
    from zirelia.channels.x_oauth import XDesk
    from zirelia.ports import Channel
    from zirelia.studio import Studio

NETWORKS = ("bluesky", "mastodon", "instagram", "threads", "facebook", "x")
"""What can be connected."""

KEYRING = ("zirelia", "token-key")
"""Under which names the key lies in the system's keyring."""

_REDIRECT = "http://127.0.0.1:8751/callback"
_REDIRECT_BY_HTTPS = "https://localhost:8751/callback"


class Accounts(Mapping[str, "Channel"]):
    """Args:
    always: channels that need no account.
    """

    def __init__(self, studio: Studio, persona: str, always: Mapping[str, Channel]) -> None:
        self._studio, self._persona, self._always = studio, persona, always
        self._built: dict[str, tuple[str, Channel]] = {}

    @override
    def __getitem__(self, name: str) -> Channel:
        if name in self._always:
            return self._always[name]
        found = self._studio.store.connection(self._persona, name)
        if found is None or name not in _BUILDERS:
            raise KeyError(name)
        connection = found[0]
        known = self._built.get(name)
        if known is None or known[0] != connection.id:
            known = self._built[name] = connection.id, _BUILDERS[name](self._studio, connection)
        return known[1]

    @override
    def __iter__(self) -> Iterator[str]:
        connected = (one.channel for one in self._studio.store.connections(self._persona))
        yield from dict.fromkeys((*self._always, *(name for name in connected if name in _BUILDERS)))

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Token:
    """The token of one account, as a `Line` asks for it."""

    def __init__(self, keeper: Keeper, connection: Connection) -> None:
        self._keeper, self._used = keeper, connection

    def __call__(self) -> str:
        try:
            self._used, secrets = usable(self._keeper, self._used.persona, self._used.channel)
        except (StoreError, Conflict, NotFound) as error:
            # for a channel: nothing was sent
            raise ProviderError(
                f"the token cannot be read: {error.message}", provider=self._used.channel, retryable=True
            ) from error
        return secrets.access.get_secret_value()

    def refused(self) -> bool:
        try:
            return refused(self._keeper, self._used)
        except (StoreError, NotFound):
            return True  # it is refused again the next time, and noted then


class KeptVault:
    """Opens the vault when something is sealed or opened: where nothing is connected no key is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def seal(self, plain: bytes, *, bound_to: str) -> bytes:
        return self._vault.seal(plain, bound_to=bound_to)

    def open(self, sealed: bytes, *, bound_to: str) -> bytes:
        return self._vault.open(sealed, bound_to=bound_to)

    def is_old(self, sealed: bytes) -> bool:
        return self._vault.is_old(sealed)

    def check(self) -> None:
        """Raises ConfigurationError where there is no key."""
        _ = self._vault

    @cached_property
    def _vault(self) -> Vault:
        settings = self._settings
        present = settings.token_key.get_secret_value() if settings.token_key is not None else kept_key()
        older = settings.token_keys.get_secret_value().split(",") if settings.token_keys is not None else []
        if present is None:
            raise ConfigurationError(
                f"{SETTING} is not set, so no token can be stored or read",
                hint=f"zirelia connect can make a key; or set {SETTING} to what it was",
            )
        return Vault([present, *(key for key in older if key.strip())])


def kept_key() -> str | None:
    """The key in the system's keyring; None without one, or without the package `keyring`."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password(*KEYRING)
    except keyring.errors.KeyringError:
        return None
    return found


def keeper(studio: Studio) -> Keeper:
    return Keeper(studio.store, studio.vault, lambda connection, secrets: renew(studio.settings, connection, secrets))


def renew(settings: Settings, connection: Connection, secrets: Secrets) -> Grant:
    """A new token from the platform. As `Keeper.renew`."""
    name = connection.channel
    if name == "bluesky":
        return _bluesky_again(settings, connection, secrets)
    if name == "mastodon":
        raise TokenRefused("a Mastodon token is not renewed", provider=name)
    return desk(settings, name).renew(secrets)


def desk(settings: Settings, name: str) -> MetaDesk | XDesk:
    """Where accounts of that platform are connected. Raises ConfigurationError without a registered app."""
    from zirelia.channels.meta_oauth import desk_of
    from zirelia.channels.x_oauth import XDesk

    timeout = settings.channels.timeout_s
    if name == "x":
        return XDesk(app(settings, name), timeout=timeout, address=settings.channels.x_url)
    version = settings.channels.threads_version if name == "threads" else settings.channels.meta_version
    address = getattr(settings.channels, f"{name}_url")
    return desk_of(name, app(settings, name), version=version, timeout=timeout, address=address)


def app(settings: Settings, name: str) -> App:
    """The app that is registered at the platform. Raises ConfigurationError."""
    key = "x_client" if name == "x" else f"{name}_app"
    identity, secret = (getattr(settings.connect, f"{key}_{part}") for part in ("id", "secret"))
    if identity is None:
        raise ConfigurationError(
            f"{name} lets only registered apps in, and none is set",
            hint=f"register one in its developer console (docs/channels/{name}.md) and set ZIRELIA_CONNECT_{key.upper()}_ID",
        )
    return App(id=identity, secret=secret, redirect=redirect(settings, name))


def redirect(settings: Settings, name: str) -> str:
    """Where the person's browser comes back to."""
    return settings.connect.redirect_url or (_REDIRECT_BY_HTTPS if name in {"instagram", "threads"} else _REDIRECT)


# ---- one builder a platform


def _host(studio: Studio) -> Host:
    """Where Instagram and Threads fetch the picture from; the place is opened when the first one is put there."""

    def host(data: bytes, media_type: str) -> AbstractContextManager[str]:
        try:
            place = studio.host
        except ConfigurationError as error:
            # for a channel: nothing was sent
            raise ProviderRefused(error.message, provider="hosting", hint=error.hint) from error
        return place(data, media_type)

    return host


def line(studio: Studio, connection: Connection, base_url: str) -> Line:
    """How that account is reached."""
    token = _Token(keeper(studio), connection)
    return Line(connection.channel, base_url, token=token, refused=token.refused, timeout=studio.settings.channels.timeout_s)


def _instagram(studio: Studio, connection: Connection) -> Channel:
    from zirelia.channels.instagram import BASE_URL, InstagramChannel

    reached = line(studio, connection, studio.settings.channels.instagram_url or BASE_URL)
    version = studio.settings.channels.meta_version
    return InstagramChannel(reached, account=connection.account, host=_host(studio), version=version)


def _threads(studio: Studio, connection: Connection) -> Channel:
    from zirelia.channels.threads import BASE_URL, ThreadsChannel

    reached = line(studio, connection, studio.settings.channels.threads_url or BASE_URL)
    version = studio.settings.channels.threads_version
    return ThreadsChannel(reached, account=connection.account, host=_host(studio), version=version)


def _facebook(studio: Studio, connection: Connection) -> Channel:
    from zirelia.channels.facebook import BASE_URL, FacebookChannel

    reached = line(studio, connection, studio.settings.channels.facebook_url or BASE_URL)
    return FacebookChannel(reached, page=connection.account, version=studio.settings.channels.meta_version)


def _x(studio: Studio, connection: Connection) -> Channel:
    from zirelia.channels.x import BASE_URL, XChannel

    reached, prices = line(studio, connection, studio.settings.channels.x_url or BASE_URL), studio.settings.prices
    return XChannel(
        reached, user=connection.account, handle=connection.handle, post_usd=prices.x_post_usd, link_usd=prices.x_link_usd
    )


def _bluesky(studio: Studio, connection: Connection) -> Channel:
    from zirelia.channels.bluesky import BlueskyChannel
    from zirelia.channels.bluesky_session import SERVICE

    service = connection.service or SERVICE
    return BlueskyChannel(line(studio, connection, service), did=connection.account, handle=connection.handle, service=service)


def _mastodon(studio: Studio, connection: Connection) -> Channel:
    from zirelia.channels.mastodon import MastodonChannel

    if connection.service is None:
        raise ConfigurationError("the stored account at Mastodon names no instance", hint="connect it anew")
    return MastodonChannel(line(studio, connection, connection.service), account=connection.account)


_BUILDERS: Mapping[str, Callable[[Studio, Connection], Channel]] = {
    "bluesky": _bluesky,
    "mastodon": _mastodon,
    "instagram": _instagram,
    "threads": _threads,
    "facebook": _facebook,
    "x": _x,
}


def _bluesky_again(settings: Settings, connection: Connection, secrets: Secrets) -> Grant:
    """By the refresh token, and where that is not taken any more by the app password."""
    from zirelia.channels.bluesky_session import SERVICE, Session, renew, sign_in

    service, timeout = connection.service or SERVICE, settings.channels.timeout_s
    session: Session | None = None
    if secrets.refresh is not None:
        try:
            session = renew(service, secrets.refresh, timeout)
        except TokenRefused:
            if secrets.password is None:
                raise
    if session is None:
        if secrets.password is None:
            raise TokenRefused("there is nothing to sign in with", provider="bluesky")
        session = sign_in(service, connection.account, secrets.password, timeout)
    fresh = Secrets(access=session.access, refresh=session.refresh, password=secrets.password)
    return Grant(secrets=fresh, expires_at=session.expires, renewable=True)
