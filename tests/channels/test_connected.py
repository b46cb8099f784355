"""A token that is refused in the middle of a publication: nothing went out, and the next try uses a new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from zirelia.channels.oauth import Found
from zirelia.domain.connection import ConnectionState, Grant, Secrets
from zirelia.domain.publication import PublicationState
from zirelia.errors import TokenRefused
from zirelia.store.vault import new_key
from zirelia.studio import open_studio
from zirelia.studio.connecting import Account, store
from zirelia.testing.graph_server import meta_error
from zirelia.testing.meta_tokens import MetaServer
from zirelia.testing.x_tokens import XAccountServer

from .conftest import beside

presses = beside("press")


@pytest.fixture
def press(tmp_path):
    with presses.press_in(tmp_path, datetime.now(UTC)) as made:
        yield made


@pytest.fixture
def servers():
    with XAccountServer() as x, MetaServer() as meta:
        yield x, meta


@pytest.fixture
def studio(home, servers):
    x, meta = servers
    (home / ".env").write_text(
        f"ZIRELIA_TOKEN_KEY={new_key()}\nZIRELIA_CHANNELS_X_URL={x.url}\nZIRELIA_CHANNELS_FACEBOOK_URL={meta.url}\n"
        f"ZIRELIA_CONNECT_X_CLIENT_ID={x.client_id}\nZIRELIA_CONNECT_X_CLIENT_SECRET={x.client_secret}\n"
    )
    with open_studio(embedded=True) as opened:
        yield opened


def connect(studio, name, account, secrets, **grant):
    usual = {"expires_at": datetime.now(UTC) + timedelta(hours=2)}
    store(studio, "mira", name, Account(Found(account, "mira_zr", Grant(secrets=secrets, **(usual | grant)))))
    return lambda: studio.channels_of("mira")[name]


@pytest.mark.parametrize("place", ["initialize", "append", "finalize", "metadata", "post"])
def test_it_goes_out_once_with_the_next_token(studio, servers, press, place):
    x, _ = servers
    x._given()
    secrets = Secrets(access=SecretStr(x.current), refresh=SecretStr(x.right))
    channel = connect(studio, "x", x.user, secrets, renewable=True)
    x.fail(place, status=401, body={"title": "Unauthorized", "detail": "Unauthorized"})
    publication = press.send(press.approved("x", "Tea, again."), channel)
    assert publication.state is PublicationState.PUBLISHED
    assert len(x.published) == 1
    assert x.asked_for["renew"] == 1
    assert [type(error) for error in press.errors] == [TokenRefused]
    assert press.errors[0].retryable


def test_where_only_a_person_helps_nothing_goes_out(studio, servers, press):
    _, meta = servers
    token = Secrets(access=SecretStr(meta.issue("page", None)))
    channel = connect(studio, "facebook", meta.page, token, renewable=False)
    meta.fail("photo", status=400, body=meta_error(190, "Session has expired", 463))
    publication = press.send(press.approved("facebook", "Tea, again."), channel)
    assert publication.state is PublicationState.NOT_PUBLISHED
    assert meta.published == ()
    assert studio.store.connection("mira", "facebook")[0].state is ConnectionState.NEEDS_PERSON
    assert {(type(error), error.provider) for error in press.errors} == {(TokenRefused, "facebook")}
    assert "needs a person" in press.errors[-1].message
    assert len(press.errors) > 1
    assert not any(error.retryable for error in press.errors)
    assert press.errors[-1].hint == "zirelia connect facebook --persona mira"
    again = connect(studio, "facebook", meta.page, token, renewable=False)
    press.send(press.approved("facebook", "And coffee."), again)
    assert len(meta.published) == 1
