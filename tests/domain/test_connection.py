"""When a token is renewed, when a person is warned, and that its secrets show nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from zirelia.domain.connection import Connection, ConnectionState, Grant, Secrets, new_id, warning

NOW = datetime(2026, 11, 28, tzinfo=UTC)
DAY = timedelta(days=1)


def connection(**changes):
    usual = {"expires_at": NOW + 60 * DAY, "renewable": True, "connected_at": NOW, "given_at": NOW}
    return Connection(persona="mira", channel="x", id=new_id(), account="7", **(usual | changes))


def test_it_is_renewed_from_half_its_life_on():
    one = connection()
    assert not one.wants_renewal(NOW + 29 * DAY)
    assert one.wants_renewal(NOW + 30 * DAY)
    assert one.wants_renewal(NOW + 90 * DAY)
    assert not connection(renewable=False).wants_renewal(NOW + 90 * DAY)
    assert not connection(expires_at=None).wants_renewal(NOW + 900 * DAY)
    assert connection(state=ConnectionState.STALE).wants_renewal(NOW)
    assert not connection(state=ConnectionState.NEEDS_PERSON).wants_renewal(NOW + 90 * DAY)


def test_what_lives_for_hours_is_renewed_once_a_day_when_nobody_uses_it():
    one = connection(expires_at=NOW + timedelta(hours=2))
    assert one.wants_renewal(NOW + timedelta(hours=1))
    assert not one.wants_upkeep(NOW + timedelta(hours=23))
    assert one.wants_upkeep(NOW + DAY)


@pytest.mark.parametrize(("days", "told"), [(20, None), (14, 14), (8, 14), (7, 7), (1.5, 7), (1, 1), (0, 1), (-3, 1)])
def test_an_end_that_only_a_person_moves_is_told_of(days, told):
    one = connection(renewable=False, expires_at=NOW + timedelta(days=days), given_at=NOW - 60 * DAY)
    assert warning(one, NOW) == told
    renewable = one.model_copy(update={"renewable": True})
    assert warning(renewable, NOW) is None
    assert warning(renewable.model_copy(update={"problem": "x: HTTP 500"}), NOW) == told
    assert warning(one.model_copy(update={"state": ConnectionState.NEEDS_PERSON}), NOW) is None


def test_a_renewed_one_forgets_its_troubles():
    one = connection(state=ConnectionState.STALE, problem="refused", warned=7, renewing_since=NOW)
    grant = Grant(secrets=Secrets(access=SecretStr("a")), expires_at=NOW + 9 * DAY, renewable=True)
    fresh = one.renewed(grant, NOW + DAY)
    assert (fresh.state, fresh.problem, fresh.warned, fresh.renewing_since) == (ConnectionState.OK, None, None, None)
    assert (fresh.id, fresh.connected_at, fresh.given_at) == (one.id, NOW, NOW + DAY)


def test_secrets_show_nothing_and_come_back_whole():
    secrets = Secrets(access=SecretStr("EAABplanted"), password=SecretStr("päss \u2603"))
    for shown in (repr(secrets), str(secrets), secrets.model_dump_json(), repr(Grant(secrets=secrets))):
        assert "planted" not in shown
        assert "päss" not in shown
    assert Secrets.read(secrets.plain()) == secrets
