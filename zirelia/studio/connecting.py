"""Connects accounts: what a person gave becomes a stored connection, and the key that seals it is made where there is none.

    write_key(Path(".env"))                                     # a fresh ZIRELIA_TOKEN_KEY, mode 0600
    found = bluesky(settings, "mira.bsky.social", password, service)
    connection = store(studio, "mira", "bluesky", found)        # in place of an older one
    said = declare(studio, connection)                          # the profile says that it is a bot, where it can

Asks nobody: the command does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from zirelia.channels.oauth import Found
from zirelia.domain.connection import Connection, Grant, Secrets, new_id
from zirelia.errors import ConfigurationError, ZireliaError
from zirelia.files import write_atomically
from zirelia.settings.tree import Settings
from zirelia.store.vault import SETTING, new_key
from zirelia.studio.accounts import KEYRING, kept_key, line, redirect
from zirelia.workflow.connections import held, seal

if TYPE_CHECKING:
    from zirelia.channels.mastodon_oauth import MastodonDesk
    from zirelia.studio import Studio

_UNSET = re.compile(rf"^\s*(?:export\s+)?{SETTING}\s*=\s*$")


@dataclass(frozen=True)
class Account:
    """An account that may be used. service: its server, where a platform has many."""

    found: Found
    service: str | None = None


def has_key(settings: Settings) -> bool:
    return settings.token_key is not None or kept_key() is not None


def write_key(file: Path) -> SecretStr:
    """Makes a key and adds it to that .env file, which only its owner may read from then on. Raises ConfigurationError."""
    key, target = new_key(), file.resolve()
    try:
        lines = target.read_text(encoding="utf-8").splitlines() if target.exists() else []
        kept = [one for one in lines if not _UNSET.match(one)]
        text = "\n".join([*kept, f"{SETTING}={key}", ""])
        write_atomically(target, text.encode(), temporary_folder=target.parent)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be written: {error}", hint=f"set {SETTING} by hand") from error
    return SecretStr(key)


def keep_key() -> bool:
    """Makes a key in the system's keyring; whether there is one."""
    try:
        import keyring
    except ImportError:
        return False
    try:
        keyring.set_password(*KEYRING, new_key())
    except keyring.errors.KeyringError:
        return False
    return kept_key() is not None


def store(studio: Studio, persona: str, channel: str, account: Account) -> Connection:
    """Stores it, in place of what was there. Waits while the older one is being renewed. Raises ConfigurationError."""
    now, grant = datetime.now(UTC), account.found.grant
    connection = Connection(
        persona=persona,
        channel=channel,
        id=new_id(),
        account=account.found.account,
        handle=account.found.handle,
        service=account.service,
        connected_at=now,
        given_at=now,
        expires_at=grant.expires_at,
        renewable=grant.renewable,
    )
    sealed = seal(studio.vault, connection, grant.secrets)
    with held(studio.store, persona, channel):
        studio.store.add_connection(connection, sealed)
    return connection


def forget(studio: Studio, persona: str, channel: str) -> bool:
    """Drops it with its secrets; whether there was one."""
    with held(studio.store, persona, channel):
        return studio.store.drop_connection(persona, channel)


def bluesky(settings: Settings, handle: str, password: SecretStr, service: str | None) -> Account:
    """Raises ProviderError."""
    from zirelia.channels.bluesky_session import SERVICE, sign_in

    session = sign_in(service or SERVICE, handle, password, settings.channels.timeout_s)
    secrets = Secrets(access=session.access, refresh=session.refresh, password=password)
    grant = Grant(secrets=secrets, expires_at=session.expires, renewable=True)
    return Account(Found(session.did, session.handle, grant), session.service)


def mastodon(settings: Settings, instance: str) -> MastodonDesk:
    """Where an account of that instance is connected. Raises ConfigurationError, ProviderError."""
    from zirelia.channels.mastodon_oauth import register

    return register(instance, redirect=redirect(settings, "mastodon"), timeout=settings.channels.timeout_s)


def declare(studio: Studio, connection: Connection) -> str | None:
    """Has the profile say that it is a bot; what was done, None where a platform has no such label."""
    from zirelia.channels import bluesky_profile, mastodon
    from zirelia.channels.wire import connected

    if connection.channel not in {"bluesky", "mastodon"} or connection.service is None:
        return None
    try:
        with connected(line(studio, connection, connection.service)) as wire:
            if connection.channel == "bluesky":
                bluesky_profile.declare_bot(wire, connection.account)
            else:
                mastodon.declare_bot(wire)
    except ZireliaError as error:
        return f"the profile does not say that it is a bot: {error.message}; say so by hand"
    return "the profile says that it is a bot"
