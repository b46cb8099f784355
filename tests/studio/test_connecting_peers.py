"""Bluesky and Mastodon connected, used and renewed: on the real Bluesky server and on a Mastodon of this machine."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr

import zirelia as package
from zirelia.domain.connection import ConnectionState, Secrets
from zirelia.errors import ConfigurationError, TokenRefused
from zirelia.store.vault import Vault, new_key
from zirelia.studio import connecting, open_studio
from zirelia.studio.accounts import keeper
from zirelia.testing.mastodon_server import MastodonPeer
from zirelia.testing.pds_server import PdsServer, packages
from zirelia.workflow.connections import usable

KEY = new_key()


@pytest.fixture(scope="module")
def pds():
    if packages() is None:
        pytest.skip("the Bluesky server is not installed: make pds")
    return PdsServer.shared()


@pytest.fixture(scope="module")
def mastodon():
    pytest.importorskip("mastodon_mock")
    return MastodonPeer.shared()


@pytest.fixture
def studio(home):
    (home / ".env").write_text(f"ZIRELIA_TOKEN_KEY={KEY}\n")
    with open_studio(embedded=True) as opened:
        yield opened


def secrets_of(studio, name):
    connection, sealed = studio.store.connection("mira", name)
    return Secrets.read(Vault([KEY]).open(sealed, bound_to=connection.bound_to))


def change(studio, name, given=None, **changes):
    """As time, or somebody else, would have left it."""
    connection, _ = studio.store.connection("mira", name)
    sealed = None if given is None else Vault([KEY]).seal(given.plain(), bound_to=connection.bound_to)
    studio.store.save_connection(connection.model_copy(update=changes), expected_version=connection.version, sealed=sealed)


class TestBluesky:
    @pytest.fixture
    def account(self, pds, studio):
        made = pds.new_account()
        given = connecting.bluesky(studio.settings, f"@{made.handle}", SecretStr(made.password), pds.url)
        self.connection = connecting.store(studio, "mira", "bluesky", given)
        return made

    def test_it_is_connected_by_an_app_password_and_says_that_it_is_a_bot(self, studio, account, pds):
        assert (self.connection.account, self.connection.handle) == (account.did, account.handle)
        assert self.connection.renewable
        assert connecting.declare(studio, self.connection) == "the profile says that it is a bot"
        profile = pds.call("com.atproto.repo.getRecord", repo=account.did, collection="app.bsky.actor.profile", rkey="self")
        assert profile["value"]["labels"]["values"] == [{"val": "bot"}]
        channel = studio.channels_of("mira")["bluesky"]
        assert channel.facts().details["address"].endswith(f":{pds.port}")

    def test_its_session_is_renewed_and_the_old_right_is_kept_until_then(self, studio, account):
        before = secrets_of(studio, "bluesky")
        change(studio, "bluesky", expires_at=datetime.now(UTC))
        _, after = usable(keeper(studio), "mira", "bluesky")
        assert after.refresh != before.refresh
        assert after.password == before.password
        assert secrets_of(studio, "bluesky") == after

    def test_a_session_that_was_revoked_is_signed_in_anew(self, studio, account, pds):
        before = secrets_of(studio, "bluesky")
        bearer = {"Authorization": f"Bearer {before.refresh.get_secret_value()}"}
        httpx.post(f"{pds.url}/xrpc/com.atproto.server.deleteSession", headers=bearer).raise_for_status()
        change(studio, "bluesky", state=ConnectionState.STALE)
        _, after = usable(keeper(studio), "mira", "bluesky")
        assert after.refresh != before.refresh
        assert connecting.declare(studio, studio.store.connection("mira", "bluesky")[0]).startswith("the profile says")

    def test_only_when_the_password_is_gone_too_a_person_is_needed(self, studio, account):
        spoilt = Secrets(access=SecretStr("a"), refresh=SecretStr("b"), password=SecretStr("wrong-0123456789"))
        change(studio, "bluesky", spoilt, state=ConnectionState.STALE)
        with pytest.raises(ConfigurationError, match="needs a person") as error:
            usable(keeper(studio), "mira", "bluesky")
        assert error.value.hint == "zirelia connect bluesky --persona mira"
        assert "wrong-0123456789" not in str(error.value)
        assert secrets_of(studio, "bluesky") == spoilt

    def test_a_wrong_password_connects_nothing(self, studio, pds):
        made = pds.new_account()
        with pytest.raises(TokenRefused):
            connecting.bluesky(studio.settings, made.handle, SecretStr("wrong-0123456789"), pds.url)


class TestMastodon:
    def agrees(self, mastodon, url):
        """What a person does in the browser: where she is sent back to."""
        mastodon.new_account(handle := f"mira_{secrets.token_hex(4)}")
        asked = dict(parse_qsl(urlsplit(url).query))
        form = {name: asked[name] for name in ("redirect_uri", "client_id", "scope", "state")} | {"username": handle}
        return httpx.post(f"{mastodon.url}/oauth/authorize", data=form).headers["location"]

    @pytest.fixture
    def account(self, mastodon, studio):
        desk = connecting.mastodon(studio.settings, mastodon.url)
        consent = desk.consent()
        (found,) = desk.accounts(consent.code_in(self.agrees(mastodon, consent.url)), consent.verifier)
        return connecting.store(studio, "mira", "mastodon", connecting.Account(found, desk.instance))

    def test_it_is_connected_by_a_persons_consent(self, studio, account, mastodon):
        assert account.handle.startswith("mira_")
        assert account.service == mastodon.url
        assert (account.expires_at, account.renewable) == (None, False)
        assert not account.wants_renewal(datetime.now(UTC) + timedelta(days=999))
        channel = studio.channels_of("mira")["mastodon"]
        assert channel.capabilities().caption_limit >= 500
        said = connecting.declare(studio, account)
        assert said.startswith("the profile ")

    def test_the_command_connects_it(self, home, studio, mastodon):
        process = subprocess.Popen(
            [sys.executable, "-m", "zirelia.cli", "connect", "mastodon", "--server", mastodon.url, "--no-browser"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home,
            env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
        )  # fmt: skip
        with process:
            url = next(line for line in iter(process.stderr.readline, "") if line.startswith(mastodon.url)).strip()
            out, err = process.communicate(self.agrees(mastodon, url) + "\n", timeout=60)
        assert process.returncode == 0, err
        assert "mira is connected to mastodon as mira_" in out
        assert studio.store.connection("mira", "mastodon")[0].service == mastodon.url

    def test_a_token_that_the_instance_does_not_take_needs_a_person(self, studio, account):
        change(studio, "mastodon", Secrets(access=SecretStr("revoked-0123456789")))
        assert "say so by hand" in connecting.declare(studio, account)
        connection = studio.store.connection("mira", "mastodon")[0]
        assert connection.state is ConnectionState.NEEDS_PERSON
