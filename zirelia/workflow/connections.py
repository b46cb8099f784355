"""Tokens of accounts: renewed at half their life, by one process at a time, never lost; a person is told where that ends.

    connection, secrets = usable(keeper, "mira", "instagram")      # asked once a series of calls
    refused(keeper, connection)                                    # the platform did not take it: the next use renews it
    upkeep(keeper, tell=notifier)                                  # by the daemon, for all

Before a platform is asked for a new token, that it will be asked is stored; the old token stays until the new one is stored,
and a new one is stored before it is used. So a process that dies in between loses nothing that the platform still takes. Only
what the platform itself refuses needs a person. Knows no platform and no cipher.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from zirelia.domain.connection import Connection, ConnectionState, Grant, Secrets, warning
from zirelia.domain.post import Post
from zirelia.errors import (
    ConfigurationError,
    Conflict,
    NotConnected,
    OfflineViolation,
    ProviderError,
    TokenRefused,
    ZireliaError,
)

LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 40.0
"""How long another process that renews is waited for: longer than a platform is."""

_NEEDS_PERSON = 0
"""In `Connection.warned`: told that it has ended."""


class Connections(Protocol):
    """What is needed of the store."""

    def connection(self, persona: str, channel: str) -> tuple[Connection, bytes] | None: ...

    def connections(self, persona: str | None = None) -> tuple[Connection, ...]: ...

    def save_connection(self, connection: Connection, *, expected_version: int, sealed: bytes | None = None) -> Connection: ...

    def lock(self, name: str) -> AbstractContextManager[None]: ...


class Vault(Protocol):
    """Seals and opens; raises ConfigurationError where there is no key or a wrong one."""

    def seal(self, plain: bytes, *, bound_to: str) -> bytes: ...

    def open(self, sealed: bytes, *, bound_to: str) -> bytes: ...

    def is_old(self, sealed: bytes) -> bool: ...


class Told(Protocol):
    def __call__(self, kind: str, message: str, *, post: Post | None = None) -> None: ...


@dataclass(frozen=True)
class Keeper:
    """renew: asks the platform for a new token. It raises TokenRefused when the platform says that it gives none for this one,
    ConfigurationError when nothing can be asked, any other ProviderError when the answer is not known.
    """

    store: Connections
    vault: Vault
    renew: Callable[[Connection, Secrets], Grant]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


def seal(vault: Vault, connection: Connection, secrets: Secrets) -> bytes:
    return vault.seal(secrets.plain(), bound_to=connection.bound_to)


def lock_name(persona: str, channel: str) -> str:
    """Who writes a connection holds this lock."""
    return f"token-{persona}-{channel}"


@contextmanager
def held(store: Connections, persona: str, channel: str, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """The lock, waited for: a renewal that is under way ends within the time that a platform has. Raises Conflict after it."""
    with ExitStack() as stack:
        for left in reversed(range(round(PATIENCE_SECONDS / LOOK_SECONDS))):
            try:
                stack.enter_context(store.lock(lock_name(persona, channel)))
                break
            except Conflict:
                if not left:
                    raise
                sleep(LOOK_SECONDS)
        yield


def usable(keeper: Keeper, persona: str, channel: str) -> tuple[Connection, Secrets]:
    """The connection with secrets that may be used now, renewed first where that is due.

    Raises ConfigurationError where only a person can help, ProviderError when a token that is needed could not be had now.
    """
    connection, sealed = _read(keeper, persona, channel)
    if connection.wants_renewal(keeper.now()):
        connection, sealed = _renewed(keeper, connection, sealed)
    if connection.state is ConnectionState.NEEDS_PERSON:
        raise _needs_person(connection)
    return connection, _open(keeper, connection, sealed)


def refused(keeper: Keeper, used: Connection) -> bool:
    """Notes that the platform did not take the token; whether a new one will be had. A renewed one stays."""
    found = keeper.store.connection(used.persona, used.channel)
    if found is None:
        return False
    connection = found[0]
    if (connection.id, connection.serial) != (used.id, used.serial):
        return connection.state is not ConnectionState.NEEDS_PERSON
    if connection.state is ConnectionState.OK:
        said = f"{used.channel} did not take the token any more"
        state = ConnectionState.STALE if connection.renewable else ConnectionState.NEEDS_PERSON
        try:
            _save(keeper, connection, state=state, problem=said)
        except Conflict:
            # it is being renewed at this moment, or was connected anew
            return True
        return connection.renewable
    return connection.state is ConnectionState.STALE


def upkeep(keeper: Keeper, *, tell: Told, note: Callable[[str], None]) -> None:
    """Renews what nobody uses, seals anew what an older key sealed, and tells of what ends. Two processes may do it at once."""
    for known in keeper.store.connections():

        def renew(one: Connection = known) -> None:
            if one.wants_upkeep(keeper.now()):
                usable(keeper, one.persona, one.channel)

        def look_after(one: Connection = known) -> None:
            with keeper.store.lock(lock_name(one.persona, one.channel)):
                connection, sealed = _read(keeper, one.persona, one.channel)
                connection = _warned(keeper, connection, tell)
                if keeper.vault.is_old(sealed):
                    again = seal(keeper.vault, connection, _open(keeper, connection, sealed))
                    keeper.store.save_connection(connection, expected_version=connection.version, sealed=again)

        for do in (renew, look_after):
            try:
                do()
            except Conflict:
                continue  # another process is at it
            except ZireliaError as error:
                note(f"{known.persona} on {known.channel}: {error.message}")


def _warned(keeper: Keeper, connection: Connection, tell: Told) -> Connection:
    """Tells once of each threshold, and once that it has ended."""
    lost = connection.state is ConnectionState.NEEDS_PERSON
    reached = _NEEDS_PERSON if lost else warning(connection, keeper.now())
    if reached is None or (connection.warned is not None and connection.warned <= reached):
        return connection
    account = f"{connection.persona} on {connection.channel} ({connection.name})"
    if lost or connection.expires_at is None:
        what = f"{account} needs a person: {connection.problem}"
    else:
        what = f"the access of {account} ends on {connection.expires_at:%d %b %Y %H:%M} UTC"
    # told first: who dies in between tells twice, not never
    tell("connection", f"{what}; {how_to_fix(connection)}")
    return _save(keeper, connection, warned=reached)


def how_to_fix(connection: Connection) -> str:
    return reconnect(connection.persona, connection.channel)


def reconnect(persona: str, channel: str) -> str:
    return f"zirelia connect {channel} --persona {persona}"


def account_of(error: ZireliaError) -> str | None:
    """The channel whose account is what failed, and is to be connected before the same can succeed; None for another cause."""
    if isinstance(error, NotConnected):
        return error.channel
    return error.provider if isinstance(error, TokenRefused) else None


def _read(keeper: Keeper, persona: str, channel: str) -> tuple[Connection, bytes]:
    found = keeper.store.connection(persona, channel)
    if found is None:
        raise NotConnected(f"{persona} is not connected to {channel}", channel=channel, hint=reconnect(persona, channel))
    return found


def _open(keeper: Keeper, connection: Connection, sealed: bytes) -> Secrets:
    return Secrets.read(keeper.vault.open(sealed, bound_to=connection.bound_to))


def _save(keeper: Keeper, connection: Connection, **changes: object) -> Connection:
    return keeper.store.save_connection(connection.model_copy(update=changes), expected_version=connection.version)


def _renewed(keeper: Keeper, known: Connection, sealed: bytes) -> tuple[Connection, bytes]:
    """Renews it, or waits for whoever does that now."""
    waited = 0.0
    while True:
        with ExitStack() as stack:
            try:
                stack.enter_context(keeper.store.lock(lock_name(known.persona, known.channel)))
            except Conflict:
                mine = False
            else:
                mine = True
            known, sealed = _read(keeper, known.persona, known.channel)
            if not known.wants_renewal(keeper.now()):
                return known, sealed
            if mine:
                return _renew(keeper, known, sealed)
        if waited >= PATIENCE_SECONDS:
            break
        keeper.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS
    if _holds(keeper, known):
        return known, sealed
    raise ProviderError("another process is renewing the token", provider=known.channel, retryable=True)


def _holds(keeper: Keeper, connection: Connection) -> bool:
    """Whether the token that is there may still be used."""
    return connection.state is ConnectionState.OK and not connection.expired(keeper.now())


def _renew(keeper: Keeper, connection: Connection, sealed: bytes) -> tuple[Connection, bytes]:
    """Asks the platform, while this process holds the lock."""
    secrets = _open(keeper, connection, sealed)
    lost = connection.renewing_since
    asking = _save(keeper, connection, renewing_since=lost or keeper.now())
    try:
        grant = keeper.renew(asking, secrets)
    except TokenRefused as error:
        return _not_renewed(keeper, asking, lost, error)
    except ConfigurationError:
        _save(keeper, asking, renewing_since=lost)
        raise
    except (ProviderError, OfflineViolation) as error:
        # it may have given one all the same: the old one is tried again, and only a refusal of it says more
        stored = _save(keeper, asking, problem=error.message)
        if _holds(keeper, stored):
            return stored, sealed
        raise
    return _stored(keeper, asking, grant)


def _stored(keeper: Keeper, asking: Connection, grant: Grant) -> tuple[Connection, bytes]:
    """The new token, stored before anybody uses it."""
    fresh = asking.renewed(grant, keeper.now())
    sealed = seal(keeper.vault, fresh, grant.secrets)
    try:
        return keeper.store.save_connection(fresh, expected_version=asking.version, sealed=sealed), sealed
    except Conflict:
        current, _ = _read(keeper, asking.persona, asking.channel)
        if current.id != asking.id:
            raise
        # somebody noted something of the old token; what the platform gave now is what counts
        return keeper.store.save_connection(fresh, expected_version=current.version, sealed=sealed), sealed


def _not_renewed(keeper: Keeper, asking: Connection, lost: datetime | None, error: TokenRefused) -> tuple[Connection, bytes]:
    current, sealed = _read(keeper, asking.persona, asking.channel)
    if current.version != asking.version and not current.wants_renewal(keeper.now()):
        return current, sealed  # the lock was lost, and another process was quicker
    why = error.message
    if lost is not None:
        why += f"; an earlier answer, asked for at {lost:%d %b %H:%M} UTC, was lost"
    return _save(keeper, current, state=ConnectionState.NEEDS_PERSON, problem=why, warned=None), sealed


def _needs_person(connection: Connection) -> ConfigurationError:
    return ConfigurationError(
        f"{connection.persona} on {connection.channel} needs a person: {connection.problem or 'the token does not hold'}",
        hint=how_to_fix(connection),
    )
