"""What is connected is what a persona posts with: built from the store at the moment of asking, its tokens renewed."""

from __future__ import annotations

import logging
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from zirelia.channels.oauth import Found
from zirelia.domain.connection import ConnectionState, Grant, Secrets
from zirelia.domain.publication import Receipt
from zirelia.engine.logs import configure_logs, logger
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused, TokenRefused
from zirelia.settings import load_settings
from zirelia.store.vault import Vault, new_key
from zirelia.studio import accounts, daemon, open_studio
from zirelia.studio.connecting import Account, forget, store
from zirelia.testing import postgres_server
from zirelia.testing.meta_tokens import MetaServer
from zirelia.testing.x_tokens import XAccountServer

KEY = new_key()
NAMES = ("instagram", "threads", "facebook", "x")
RECEIPT = Receipt(platform_id="1", url="https://example.com/1", at=datetime(2026, 11, 28, tzinfo=UTC))


@pytest.fixture
def x():
    with XAccountServer() as server:
        yield server


@pytest.fixture
def meta():
    with MetaServer() as server:
        yield server


@pytest.fixture
def open_home(home, x, meta):
    """A studio on both emulators."""

    def opened(**more):
        names = {
            "ZIRELIA_TOKEN_KEY": KEY,
            "ZIRELIA_CONNECT_X_CLIENT_ID": x.client_id,
            "ZIRELIA_CONNECT_X_CLIENT_SECRET": x.client_secret,
            "ZIRELIA_CHANNELS_X_URL": x.url,
            **{f"ZIRELIA_CHANNELS_{name.upper()}_URL": meta.url for name in NAMES[:3]},
            **{f"ZIRELIA_CONNECT_{name.upper()}_APP_ID": meta.app_id for name in NAMES[:3]},
            **{f"ZIRELIA_CONNECT_{name.upper()}_APP_SECRET": meta.app_secret for name in NAMES[:3]},
        }
        (home / ".env").write_text("".join(f"{name}={said}\n" for name, said in (names | more).items() if said))
        return open_studio(embedded=True)

    return opened


def connect(studio, name, x, meta, *, lasts=timedelta(hours=2), **changes):
    if name == "x":
        x._given()
        secrets, account = Secrets(access=SecretStr(x.current), refresh=SecretStr(x.right)), x.user
    else:
        secrets = Secrets(access=SecretStr(meta.issue("long", timedelta(days=60))))
        account = meta.page if name == "facebook" else meta.account
    grant = Grant(secrets=secrets, expires_at=datetime.now(UTC) + lasts, renewable=name != "facebook")
    return store(studio, changes.get("persona", "mira"), name, Account(Found(account, "mira_zr", grant)))


def post_on_x(x):
    """Something that can be measured."""
    return RECEIPT.model_copy(update={"platform_id": x.plant("Tea", x.time())})


def test_nothing_is_connected_at_first_and_no_key_is_needed(open_home):
    with open_home(ZIRELIA_TOKEN_KEY=None) as studio:
        channels = studio.channels_of("mira")
        assert list(channels) == ["folder"]
        assert "x" not in channels
        daemon._tend(studio, tell=None, log=None)
        assert "_vault" not in studio.vault.__dict__


def test_each_account_becomes_its_channel(open_home, x, meta):
    with open_home(ZIRELIA_PRICES_X_POST_USD="0.02") as studio:
        for name in NAMES:
            connect(studio, name, x, meta)
        channels = studio.channels_of("mira")
        assert set(channels) == {"folder", *NAMES}
        assert {name: channels[name].name for name in NAMES} == {name: name for name in NAMES}
        assert {channels[name].facts().details["address"] for name in NAMES} == {x.url, meta.url}
        assert channels["x"] is channels["x"]
        assert list(studio.channels_of("luna")) == ["folder"]
        assert studio.kit().channels is channels


def test_what_is_connected_while_she_works_is_there_at_once(open_home, x, meta):
    with open_home() as studio:
        channels = studio.kit().channels
        assert "x" not in channels
        connect(studio, "x", x, meta)
        first = channels["x"]
        connect(studio, "x", x, meta)
        assert channels["x"] is not first
        assert forget(studio, "mira", "x")
        assert "x" not in channels
        with pytest.raises(KeyError):
            channels["x"]


def test_a_token_is_renewed_before_it_is_used(open_home, x, meta):
    with open_home() as studio:
        connect(studio, "x", x, meta, lasts=timedelta(seconds=-1))
        assert studio.channels_of("mira")["x"].measure(post_on_x(x)).likes == 3
        assert x.asked_for["renew"] == 1


def test_a_token_that_the_platform_refuses_is_renewed_by_the_next_try(open_home, x, meta):
    with open_home() as studio:
        connect(studio, "x", x, meta)
        right, receipt = x.right, post_on_x(x)
        x.revoke()
        x.right = right
        channel = studio.channels_of("mira")["x"]
        with pytest.raises(TokenRefused) as error:
            channel.measure(receipt)
        assert error.value.retryable
        assert studio.store.connection("mira", "x")[0].state is ConnectionState.STALE
        assert channel.measure(receipt).likes == 3
        assert studio.store.connection("mira", "x")[0].state is ConnectionState.OK


def test_one_that_cannot_be_renewed_needs_a_person(open_home, x, meta):
    with open_home() as studio:
        connect(studio, "facebook", x, meta)
        meta.revoke()
        channel = studio.channels_of("mira")["facebook"]
        with pytest.raises(TokenRefused) as error:
            channel.measure(RECEIPT)
        assert not error.value.retryable
        with pytest.raises(TokenRefused, match="needs a person") as error:
            channel.measure(RECEIPT)
        assert error.value.hint == "zirelia connect facebook --persona mira"


@pytest.mark.parametrize("name", ["instagram", "threads"])
def test_a_picture_that_lies_nowhere_is_refused_before_anything_is_sent(open_home, x, meta, name):
    with open_home() as studio:
        connect(studio, name, x, meta)
        host = studio.channels_of("mira")[name]._host
        with pytest.raises(ProviderRefused, match="from which the platform could fetch") as error, host(b"", "image/jpeg"):
            pass
        assert "ZIRELIA_HOSTING_BACKEND" in error.value.hint
        assert meta.requests == []


def test_without_its_key_an_account_is_a_clear_error(open_home, x, meta):
    with open_home() as studio:
        connect(studio, "x", x, meta)
    for key, says in ((None, "is not set"), (new_key(), "sealed with key")):
        with open_home(ZIRELIA_TOKEN_KEY=key) as studio, pytest.raises(ProviderRefused, match=says):
            studio.channels_of("mira")["x"].measure(RECEIPT)
    older = f"{new_key()},{KEY}"
    with open_home(ZIRELIA_TOKEN_KEY=new_key(), ZIRELIA_TOKEN_KEYS=older) as studio:
        assert studio.channels_of("mira")["x"].measure(post_on_x(x)).likes == 3


def test_a_channel_that_the_pack_names_and_that_is_not_connected(open_home, home):
    from zirelia import resources
    from zirelia.studio.doctor import examine
    from zirelia.workflow.publish import _channels

    shutil.copytree(resources.folder("persona") / "mira", home / "persona" / "mira")
    pack = home / "persona" / "mira" / "persona.yaml"
    pack.write_text(pack.read_text().replace("channels: [folder]", "channels: [folder, instagram]"))
    with open_home() as studio:
        with pytest.raises(ConfigurationError, match="posts on instagram") as error:
            _channels(studio.kit(), studio.subject())
        assert "zirelia connect instagram --persona mira" in error.value.hint
        (said,) = [report for report in examine(studio, call=False) if report.role == "channel"]
        assert (said.health, "zirelia connect instagram --persona mira" in said.note) == ("fails", True)


def test_the_daemon_renews_and_warns(open_home, x, meta):
    told, logged = [], []
    with open_home() as studio:
        connect(studio, "facebook", x, meta, lasts=timedelta(days=5))
        for _ in range(2):
            daemon._tend(
                studio, tell=lambda kind, text, **_: told.append((kind, text)), log=lambda *a, **f: logged.append((a, f))
            )
    assert [kind for kind, _ in told] == ["connection"]
    assert "zirelia connect facebook --persona mira" in told[0][1]
    assert logged == []


def test_a_key_may_lie_in_the_systems_keyring(open_home, x, meta):
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    from zirelia.studio.connecting import has_key, keep_key

    class InMemory(KeyringBackend):
        priority = 1

        def __init__(self):
            super().__init__()
            self.kept = {}

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

        def delete_password(self, service, username):
            del self.kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        with open_home(ZIRELIA_TOKEN_KEY=None) as studio:
            assert not has_key(studio.settings)
            assert keep_key()
            assert has_key(studio.settings)
            connect(studio, "x", x, meta)
            assert studio.channels_of("mira")["x"].measure(post_on_x(x)).likes == 3
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_planted_secrets_are_in_no_log_message_repr_or_dump(
    backend, request, open_home, home, x, meta, tmp_path, capfd, own_logging
):
    url = request.getfixturevalue("postgres_url") if backend == "postgresql" else None
    told = []
    with open_home(ZIRELIA_LOG_LEVEL="DEBUG", ZIRELIA_DATABASE_URL=url) as studio:
        configure_logs(load_settings())
        logging.getLogger("httpx").setLevel(logging.DEBUG)
        try:
            for name in NAMES:
                connect(studio, name, x, meta, lasts=timedelta(hours=-1) if name != "facebook" else timedelta(days=3))
            planted = [one for name in NAMES for one in secrets_of(studio, name)]
            channels = studio.channels_of("mira")
            for name in NAMES:
                for _ in range(2):
                    try:
                        channels[name].measure(RECEIPT)
                    except ProviderError as error:
                        logger()("refused", problem=str(error), details=repr(error), exc_info=error)
                planted += secrets_of(studio, name)
                meta.fail("renew", status=500)
            meta.revoke()
            x.revoke()
            tend = accounts.keeper(studio)
            logger()("shown", keeper=repr(tend), channels=repr(dict(channels)), built=repr(vars(channels)))
            for _ in range(2):
                daemon._tend(studio, tell=lambda kind, text, **_: told.append(text), log=logger())
            shown = [repr(tend), repr(studio.vault), repr(studio.store.connections()), *told]
        finally:
            logging.getLogger().handlers.clear()
    files = [path for path in home.rglob("*") if path.is_file() and path.name != ".env"]
    if url is not None:
        dump = tmp_path / "dump.sql"
        binaries = postgres_server.binaries()
        subprocess.run([binaries / "pg_dump", "--file", dump, url], check=True)
        assert "connections" in dump.read_text()
        files.append(dump)
    planted += [KEY, x.client_secret, meta.app_secret]
    out, err = capfd.readouterr()
    assert len(planted) > 12
    assert "refused" in err
    for one in planted:
        assert not [text for text in (*shown, out, err) if one in text]
        assert not [path for path in files if one.encode() in path.read_bytes()]


def secrets_of(studio, name):
    connection, sealed = studio.store.connection("mira", name)
    secrets = Secrets.read(Vault([KEY]).open(sealed, bound_to=connection.bound_to))
    return [one.get_secret_value() for one in (secrets.access, secrets.refresh) if one is not None]
