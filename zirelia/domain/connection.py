"""An account on a platform that a persona may use: whose it is, how long its token holds, and what is due.

    connection = Connection(persona="mira", channel="x", id=new_id(), account="2244994945", expires_at=…, …)
    connection.past_half_life(now)          # a new token is to be asked for
    warning(connection, now)                # 14, 7 or 1: days before an end that only a person can move

A connection holds no secret. Its `Secrets` are kept sealed beside it, show nothing when they are printed, and say nothing as
JSON. Knows no platform and no cipher.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field, SecretStr

from zirelia.domain.value import Instant, Slug, Text, Value

WARNINGS = (14, 7, 1)
"""Days before an end at which a person is told."""

UPKEEP = timedelta(days=1)
"""A token that ends within hours is renewed when it is used; without use, so often, so that the right to do so stays alive."""


class ConnectionState(StrEnum):
    """OK · STALE: the platform did not take the token, a new one is asked for at the next use · NEEDS_PERSON: to be connected
    anew.
    """

    OK = "ok"
    STALE = "stale"
    NEEDS_PERSON = "needs_person"


class Secrets(Value):
    """What an account is used with. password: an app password, for platforms that take one to sign in with."""

    access: SecretStr
    refresh: SecretStr | None = None
    password: SecretStr | None = None

    def plain(self) -> bytes:
        """For the seal, and for nothing else."""
        parts = {name: getattr(self, name) for name in type(self).model_fields}
        return json.dumps({name: one.get_secret_value() for name, one in parts.items() if one is not None}).encode()

    @classmethod
    def read(cls, plain: bytes) -> Secrets:
        """What `plain` wrote."""
        return cls(**{name: SecretStr(one) for name, one in json.loads(plain).items()})


class Grant(Value):
    """What a platform gave. expires_at: when it ends, None where it does not say. renewable: whether a new one is had without a
    person.
    """

    secrets: Secrets
    expires_at: Instant | None = None
    renewable: bool = False


class Connection(Value):
    """One persona's account on one platform.

    id: of this row, to which its secrets are bound. account: the platform's id of the account. handle: its name for people.
    service: the server, where a platform has many. given_at: when the present token was given. renewing_since: a new one was
    asked for then, and no answer is stored. warned: the last of `WARNINGS` that a person was told of. problem: why the token
    was not renewed, or what a person must do. serial: counts the tokens.
    """

    persona: Slug
    channel: Slug
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    account: Text
    handle: Text | None = None
    service: Text | None = None
    connected_at: Instant
    given_at: Instant
    expires_at: Instant | None = None
    renewable: bool = False
    renewing_since: Instant | None = None
    state: ConnectionState = ConnectionState.OK
    problem: Text | None = None
    warned: int | None = None
    serial: int = 0
    version: int = 0

    @property
    def bound_to(self) -> str:
        """What the secrets are sealed together with, so that they open in this row only."""
        return f"zirelia connection {self.id} {self.channel} {self.persona}"

    @property
    def name(self) -> str:
        """The account as people know it."""
        return self.handle or self.account

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def past_half_life(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.given_at + (self.expires_at - self.given_at) / 2

    def wants_renewal(self, now: datetime) -> bool:
        """Whether a new token is to be had before this one is used."""
        if not self.renewable or self.state is ConnectionState.NEEDS_PERSON:
            return False
        return self.state is ConnectionState.STALE or self.past_half_life(now)

    def wants_upkeep(self, now: datetime) -> bool:
        """The same for one that nobody uses."""
        return self.wants_renewal(now) and now - self.given_at >= UPKEEP

    def renewed(self, grant: Grant, now: datetime) -> Connection:
        """With a new token."""
        changes: dict[str, object] = {
            "given_at": now,
            "expires_at": grant.expires_at,
            "renewable": grant.renewable,
            "renewing_since": None,
            "state": ConnectionState.OK,
            "problem": None,
            "warned": None,
            "serial": self.serial + 1,
        }
        return self.model_copy(update=changes)


def new_id() -> str:
    return uuid.uuid4().hex


def warning(connection: Connection, now: datetime) -> int | None:
    """The smallest of `WARNINGS` that is reached, for an end that no renewal has moved; None before them."""
    ends = connection.expires_at
    if ends is None or connection.state is ConnectionState.NEEDS_PERSON:
        return None
    if connection.renewable and (connection.problem is None or ends - connection.given_at < timedelta(days=WARNINGS[0])):
        # what lives for hours is always near its end: a failure of its renewal shows as its problem
        return None
    reached = [days for days in WARNINGS if ends - now <= timedelta(days=days)]
    return min(reached, default=None)
