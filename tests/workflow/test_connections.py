"""Tokens are renewed once, whoever asks at the same moment; a process killed in between, or an answer that is lost, loses
nothing that the platform still takes. On SQLite and on PostgreSQL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import zirelia
from zirelia.channels.meta_oauth import desk_of
from zirelia.channels.oauth import App
from zirelia.channels.x_oauth import XDesk
from zirelia.domain.connection import Connection, ConnectionState, Grant, Secrets, new_id
from zirelia.errors import ConfigurationError, Conflict, OfflineViolation, ProviderError, TokenRefused
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.store.vault import Vault, new_key
from zirelia.testing.meta_tokens import MetaServer
from zirelia.testing.x_tokens import XAccountServer
from zirelia.workflow.connections import Keeper, held, lock_name, refused, seal, upkeep, usable

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
DAY = timedelta(days=1)
NODE = Path(__file__).with_name("renewing.py")
both = pytest.mark.parametrize("channel", ["instagram", "x"])


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return str(tmp_path / "zirelia.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


class Stage:
    """A stored connection, its platform, and a clock of both."""

    def __init__(self, channel, place, tmp_path, real_time):
        self.channel, self.place, self.media, self.key = channel, place, tmp_path / "media", new_key()
        self.moment = None if real_time else NOW
        self.server = XAccountServer(now=self.now) if channel == "x" else MetaServer(now=self.now)
        self.slept = []

    def now(self):
        return self.moment or datetime.now(UTC)

    def store(self):
        return SqlStore(self.place if "://" in self.place else Path(self.place), MediaStore(self.media))

    def keeper(self, store, **changes):
        app = App(**self.server.app("http://127.0.0.1:1/"))
        if self.channel == "x":
            renew = XDesk(app, timeout=5, address=self.server.url, now=self.now).renew
        else:
            renew = desk_of("instagram", app, version="v25.0", timeout=5, address=self.server.url, now=self.now).renew
        made = Keeper(store, Vault([self.key]), lambda _, secrets: renew(secrets), now=self.now, sleep=self.slept.append)
        return replace(made, **changes)

    def connect(self, store, *, ago=timedelta(0), **changes):
        """As if that had been done some time ago."""
        if self.channel == "x":
            self.server._given()
            secrets = Secrets(access=SecretStr(self.server.current), refresh=SecretStr(self.server.right))
            lasts = timedelta(hours=2)
        else:
            secrets, lasts = Secrets(access=SecretStr(self.server.issue("long", 60 * DAY))), 60 * DAY
            self.server._live[self.server.current].given -= ago
        given = self.now() - ago
        usual = {"expires_at": given + lasts, "renewable": True, "connected_at": given, "given_at": given}
        one = Connection(persona="mira", channel=self.channel, id=new_id(), account="7", **(usual | changes))
        store.add_connection(one, seal(Vault([self.key]), one, secrets))
        return one, secrets

    @property
    def aged(self):
        """So long ago that a new token is due, and the old one still holds."""
        return timedelta(minutes=70) if self.channel == "x" else 40 * DAY


@pytest.fixture
def stage(channel, place, tmp_path, request):
    made = Stage(channel, place, tmp_path, "nodes" in request.fixturenames)
    with made.server:
        yield made


@pytest.fixture
def store(stage):
    with stage.store() as opened:
        yield opened


def stored(stage, store):
    connection, sealed = store.connection("mira", stage.channel)
    return connection, Secrets.read(Vault([stage.key]).open(sealed, bound_to=connection.bound_to))


# ---- the rule


@both
def test_a_fresh_token_is_used_as_it_is(stage, store):
    one, secrets = stage.connect(store)
    assert usable(stage.keeper(store), "mira", stage.channel) == (one, secrets)
    assert stage.server.asked_for["renew"] == 0


@both
def test_from_half_life_on_it_is_renewed_and_stored_before_use(stage, store):
    stage.connect(store, ago=stage.aged)
    connection, secrets = usable(stage.keeper(store), "mira", stage.channel)
    assert secrets.access.get_secret_value() == stage.server.current
    assert stored(stage, store) == (connection, secrets)
    assert (connection.given_at, connection.renewing_since, connection.state) == (NOW, None, ConnectionState.OK)
    assert usable(stage.keeper(store), "mira", stage.channel) == (connection, secrets)
    assert stage.server.asked_for["renew"] == 1


@both
@pytest.mark.parametrize("fault", [{"status": 500}, {"silent": True}, {"status": 200, "body": []}])
def test_a_token_that_holds_is_used_while_the_platform_cannot_renew_it(stage, store, fault):
    _, secrets = stage.connect(store, ago=stage.aged)
    stage.server.fail("renew", **fault)
    connection, had = usable(stage.keeper(store), "mira", stage.channel)
    assert had == secrets
    assert connection.problem is not None
    fresh, new = usable(stage.keeper(store), "mira", stage.channel)
    assert new.access.get_secret_value() == stage.server.current
    assert fresh.problem is None


@pytest.mark.parametrize("channel", ["x"])
def test_a_token_that_has_ended_is_an_error_that_may_pass(stage, store):
    stage.connect(store, ago=timedelta(hours=3))
    stage.server.fail("renew", status=500)
    with pytest.raises(ProviderError) as error:
        usable(stage.keeper(store), "mira", "x")
    assert error.value.retryable
    assert usable(stage.keeper(store), "mira", "x")[1].access.get_secret_value() == stage.server.current


@both
def test_only_a_refusal_of_the_platform_needs_a_person(stage, store):
    _, secrets = stage.connect(store, ago=stage.aged)
    stage.server.revoke()
    with pytest.raises(ConfigurationError, match="needs a person") as error:
        usable(stage.keeper(store), "mira", stage.channel)
    assert error.value.hint == f"zirelia connect {stage.channel} --persona mira"
    connection, kept = stored(stage, store)
    assert connection.state is ConnectionState.NEEDS_PERSON
    assert kept == secrets  # never wiped
    asked = stage.server.asked_for["renew"]
    with pytest.raises(ConfigurationError):
        usable(stage.keeper(store), "mira", stage.channel)
    assert stage.server.asked_for["renew"] == asked


@pytest.mark.parametrize("channel", ["x"])
def test_a_lost_answer_needs_a_person_only_when_the_old_right_is_refused(stage, store):
    _, secrets = stage.connect(store, ago=stage.aged)
    stage.server.fail("renew", after=True, silent=True)
    connection, had = usable(stage.keeper(store), "mira", "x")
    assert had == secrets
    assert connection.state is ConnectionState.OK
    assert connection.renewing_since == NOW
    stage.moment += timedelta(minutes=5)
    with pytest.raises(ConfigurationError, match=r"an earlier answer, asked for at 28 Nov 09:00 UTC, was lost"):
        usable(stage.keeper(store), "mira", "x")
    assert stored(stage, store)[1] == secrets


@pytest.mark.parametrize("channel", ["instagram"])
def test_a_lost_answer_of_metas_costs_nothing(stage, store):
    stage.connect(store, ago=stage.aged)
    stage.server.fail("renew", after=True, silent=True)
    usable(stage.keeper(store), "mira", "instagram")
    connection, secrets = usable(stage.keeper(store), "mira", "instagram")
    assert secrets.access.get_secret_value() == stage.server.current
    assert connection.renewing_since is None


@both
@pytest.mark.parametrize("trouble", [ConfigurationError("no app is set"), OfflineViolation("ZIRELIA_OFFLINE=1")])
def test_what_is_our_own_fault_changes_nothing_for_good(stage, store, trouble):
    _, secrets = stage.connect(store, ago=timedelta(days=70))

    def unable(_connection, _secrets):
        raise trouble

    with pytest.raises(type(trouble)):
        usable(stage.keeper(store, renew=unable), "mira", stage.channel)
    connection, kept = stored(stage, store)
    assert connection.state is ConnectionState.OK
    assert kept == secrets


@both
def test_a_wrong_key_is_a_clear_error_and_wipes_nothing(stage, store):
    stage.connect(store, ago=stage.aged)
    before = store.connection("mira", stage.channel)
    with pytest.raises(ConfigurationError, match="sealed with key"):
        usable(stage.keeper(store, vault=Vault([new_key()])), "mira", stage.channel)
    assert store.connection("mira", stage.channel) == before
    assert stage.server.asked_for["renew"] == 0


@both
def test_who_is_not_connected_is_told_how(stage, store):
    with pytest.raises(ConfigurationError, match="mira is not connected") as error:
        usable(stage.keeper(store), "mira", stage.channel)
    assert error.value.hint == f"zirelia connect {stage.channel} --persona mira"


# ---- what a channel was answered


@both
def test_a_token_that_a_channel_was_refused_is_renewed_at_the_next_use(stage, store):
    stage.connect(store, ago=2 * DAY if stage.channel == "instagram" else timedelta(0))
    keeper = stage.keeper(store)
    used, _ = usable(keeper, "mira", stage.channel)
    assert refused(keeper, used)
    assert refused(keeper, used)
    assert stored(stage, store)[0].state is ConnectionState.STALE
    fresh, secrets = usable(keeper, "mira", stage.channel)
    assert secrets.access.get_secret_value() == stage.server.current
    assert refused(keeper, used)  # it was another token: this one stays as it is
    assert stored(stage, store)[0] == fresh


@pytest.mark.parametrize("channel", ["instagram"])
def test_one_that_cannot_be_renewed_needs_a_person(stage, store):
    used, secrets = stage.connect(store, renewable=False)
    keeper = stage.keeper(store)
    assert not refused(keeper, used)
    with pytest.raises(ConfigurationError, match="did not take the token any more"):
        usable(keeper, "mira", "instagram")
    assert stored(stage, store)[1] == secrets


# ---- several at once


@both
def test_of_many_threads_one_asks_the_platform(stage, store):
    stage.connect(store, ago=timedelta(minutes=130) if stage.channel == "x" else stage.aged)
    stage.server.fail("code")  # unrelated
    asked, had = threading.Event(), []

    def slow(_connection, secrets):
        asked.set()
        time.sleep(0.3)
        return stage.keeper(store).renew(None, secrets)

    keeper = stage.keeper(store, renew=slow, sleep=time.sleep)
    threads = [threading.Thread(target=lambda: had.append(usable(keeper, "mira", stage.channel)[1])) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert asked.is_set()
    assert {secrets.access.get_secret_value() for secrets in had} == {stage.server.current}
    assert len(had) == 6
    assert stage.server.asked_for["renew"] == 1


@both
def test_while_another_holds_the_lock_a_token_that_holds_is_used_in_the_end(stage, store, monkeypatch):
    monkeypatch.setattr("zirelia.workflow.connections.LOOK_SECONDS", 4.0)
    _, secrets = stage.connect(store, ago=stage.aged)
    with store.lock(lock_name("mira", stage.channel)):
        assert usable(stage.keeper(store), "mira", stage.channel)[1] == secrets
        stage.moment += 90 * DAY
        with pytest.raises(ProviderError, match="another process is renewing") as error:
            usable(stage.keeper(store), "mira", stage.channel)
    assert error.value.retryable
    assert sum(stage.slept) == 80


@both
def test_who_connects_anew_waits_for_a_renewal_that_is_under_way(stage, store):
    slept = []
    with contextlib.ExitStack() as other:
        other.enter_context(store.lock(lock_name("mira", stage.channel)))

        def sleep(seconds):
            slept.append(seconds)
            if len(slept) == 3:
                other.close()

        with held(store, "mira", stage.channel, sleep=sleep):
            assert len(slept) == 3
    with (
        store.lock(lock_name("mira", stage.channel)),
        pytest.raises(Conflict),
        held(store, "mira", stage.channel, sleep=slept.append),
    ):
        pass
    assert sum(slept) > 40


@pytest.fixture
def nodes(stage):
    """Starts nodes as processes of their own."""
    with contextlib.ExitStack() as stack:

        def start():
            app = stage.server.app("")
            arguments = [stage.place, stage.media, stage.key, stage.server.url, stage.channel]
            process = subprocess.Popen(
                [sys.executable, NODE, *map(str, arguments), app["id"], app["secret"].get_secret_value()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(Path(zirelia.__file__).parents[1])},
            )
            stack.enter_context(process)
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


def go(*processes):
    for one in processes:
        one.stdin.write("\n")
        one.stdin.flush()
    return [one.stdout.readline().split() for one in processes]


@both
def test_of_two_nodes_one_asks_the_platform(stage, store, nodes):
    stage.connect(store, ago=timedelta(minutes=130) if stage.channel == "x" else stage.aged)
    said = go(nodes(), nodes())
    assert said == [["has", stage.server.current, "True"]] * 2
    assert stage.server.asked_for["renew"] == 1


@both
@pytest.mark.parametrize("after", [False, True])
def test_killed_while_it_asks_the_old_token_is_still_there(stage, store, nodes, after):
    _, secrets = stage.connect(store, ago=stage.aged)
    stage.server.fail("renew", wait=30, after=after)
    victim = nodes()
    victim.stdin.write("\n")
    victim.stdin.flush()
    while stage.server.asked_for["renew"] == 0:
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    connection, kept = stored(stage, store)
    assert kept == secrets
    assert connection.renewing_since is not None
    assert connection.state is ConnectionState.OK
    (said,) = go(nodes())
    if stage.channel == "x" and after:
        assert said == ["failed", "ConfigurationError"]
        assert "was lost" in stored(stage, store)[0].problem
        assert stored(stage, store)[1] == secrets
    else:
        assert said == ["has", stage.server.current, "True"]
        assert stored(stage, store)[0].renewing_since is None


# ---- upkeep


@both
def test_upkeep_renews_what_nobody_uses_once_a_day(stage, store):
    stage.connect(store, ago=timedelta(hours=20) if stage.channel == "x" else stage.aged)
    told, noted = [], []

    def tend():
        upkeep(stage.keeper(store), tell=lambda kind, message, **_: told.append((kind, message)), note=noted.append)

    for _ in range(3):
        tend()
    first = 0 if stage.channel == "x" else 1
    assert stage.server.asked_for["renew"] == first
    stage.moment += timedelta(hours=5)
    tend()
    tend()
    assert stage.server.asked_for["renew"] == 1
    stage.server.revoke()
    stage.moment += 31 * DAY
    for _ in range(3):
        tend()
    assert [kind for kind, _ in told] == ["connection"]
    assert "mira on" in told[0][1]
    assert f"zirelia connect {stage.channel} --persona mira" in told[0][1]
    assert len(noted) == 1


@pytest.mark.parametrize("channel", ["instagram"])
def test_an_end_is_told_of_three_times(stage, store):
    stage.connect(store, renewable=False)
    told = []
    for _ in range(70):
        upkeep(stage.keeper(store), tell=lambda _kind, message, **_: told.append(message), note=told.append)
        stage.moment += DAY
    assert len(told) == 3
    assert all("ends on 27 Jan 2027 09:00 UTC" in message for message in told)


@both
def test_upkeep_seals_anew_what_an_older_key_sealed(stage, store):
    _, secrets = stage.connect(store)
    old, stage.key = stage.key, new_key()
    keeper = stage.keeper(store, vault=Vault([stage.key, old]))
    upkeep(keeper, tell=lambda *_, **__: None, note=lambda _: None)
    assert stored(stage, store)[1] == secrets


@both
def test_one_account_in_trouble_does_not_keep_the_others_waiting(stage, store):
    stage.connect(store, ago=stage.aged + DAY)
    broken = Connection(persona="ana", channel="x", id=new_id(), account="1", connected_at=NOW, given_at=NOW)
    store.add_connection(broken, b"not a seal")
    noted = []
    upkeep(stage.keeper(store), tell=lambda *_, **__: None, note=noted.append)
    assert [line.split(":")[0] for line in noted] == ["ana on x"]
    assert stored(stage, store)[1].access.get_secret_value() == stage.server.current


@both
def test_a_node_that_lost_its_lock_takes_what_the_quicker_one_got(stage, store):
    """PostgreSQL forgets its locks when it is started anew."""
    stage.connect(store, ago=stage.aged)

    def overtaken(asking, _secrets):
        other = Grant(secrets=Secrets(access=SecretStr("of-the-other")), expires_at=NOW + 60 * DAY, renewable=True)
        fresh = asking.renewed(other, NOW)
        store.save_connection(fresh, expected_version=asking.version, sealed=seal(Vault([stage.key]), fresh, other.secrets))
        raise TokenRefused("used already", provider=stage.channel)

    _, secrets = usable(stage.keeper(store, renew=overtaken), "mira", stage.channel)
    assert secrets.access.get_secret_value() == "of-the-other"
