"""A node and its place: one on SQLite, one a device, dead ones taken over, an end in good order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from zirelia.domain.post import PostState, move
from zirelia.engine.nodes import ROLES, Node
from zirelia.errors import ConfigurationError, Conflict
from zirelia.settings import Settings
from zirelia.settings.tree import EngineSettings
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher
from zirelia.workflow.produce import opened


@pytest.fixture
def node(tmp_path, pack):
    """node(place, roles): a node on that database whose pictures take `seconds`; what it said is in `said`."""

    @contextmanager
    def up(place, *, roles=("clock", "work", "gpu"), name="one", device="0", shoot=None, stop_s=2.0):
        settings = Settings(home=tmp_path, engine=EngineSettings(node=name, tick_s=0.1, stop_s=stop_s, lead_hours=1))
        said: list[str] = []

        class Roster:
            def names(self):
                return ()

            def persona(self, name):
                return pack(name)

            def desk(self, name, watcher):
                raise ConfigurationError("nothing is made here")

            def draws_here(self, name):
                return True

        with SqlStore(place, MediaStore(tmp_path / "media")) as store:
            node = Node(
                store,
                Roster(),
                settings,
                roles=roles,
                workers=1,
                tell=lambda kind, message, post=None: said.append(message),
                log=lambda event, **fields: said.append(event),
                watcher=lambda *_: SilentWatcher(),
                device=device,
            )
            if shoot is not None:
                node.durable._work = dict(node.durable._work) | {"shoot": shoot}
            node.said = said
            with node:
                yield node

    return up


@pytest.fixture(autouse=True)
def _quick_queues(monkeypatch):
    monkeypatch.setattr("zirelia.engine.durable.POLL_SECONDS", 0.05)


def drafted(store, pack, now, number):
    """A post whose picture is owed."""
    post = store.add_post(*opened(pack(), f"mira:2026-11-21:w{number}", now + timedelta(hours=1), now=now))
    moved, event = move(post, PostState.DRAFTED, at=now, actor="test")
    store.save_post(moved, expected_version=post.version, events=[event])
    return post.id


@pytest.mark.parametrize("roles", [(), ("clock", "wrok")])
def test_an_unknown_role_is_refused(node, tmp_path, roles):
    with pytest.raises(ConfigurationError, match="there is no role") as refused, node(tmp_path / "z.db", roles=roles):
        pass
    assert refused.value.hint == "roles: " + ", ".join(ROLES)


def test_a_second_process_on_sqlite_is_refused(node, tmp_path):
    script = "import sys\nfrom zirelia.cli import run\nsys.exit(run(['up', '--roles', 'clock,work']))"
    with node(tmp_path / "home" / "zirelia.db"):
        env = os.environ | {"ZIRELIA_HOME": str(tmp_path / "home")}
        second = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=60, check=False
        )
    assert second.returncode == 4
    assert "another `zirelia up` works on this home" in second.stderr
    assert "ZIRELIA_DATABASE_URL" in second.stderr


def test_one_process_a_device(node, tmp_path, postgres_url):
    taken = "another process has the role gpu on device 0"
    with node(postgres_url), pytest.raises(Conflict, match=taken), node(postgres_url, name="two"):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True])
def test_the_device_draws_one_picture_at_a_time(node, tmp_path, pack, now, monkeypatch, busy):
    if busy:  # DBOS does not count workflows whose threads have not come to run yet
        monkeypatch.setattr("dbos._core.ActiveWorkflowById.count_for_queue", lambda *_: 0)
    running, most, done, lock = 0, 0, [], threading.Lock()

    def shoot(post_id):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.1)
        with lock:
            running -= 1
            done.append(post_id)
        store.wait_until(post_id, now + timedelta(days=9000), "drawn")
        return {}

    place = tmp_path / "z.db"
    with SqlStore(place, MediaStore(tmp_path / "media")) as store:
        wanted = [drafted(store, pack, now, number) for number in range(8)]
        with node(place, shoot=shoot):
            end = time.monotonic() + 30
            while len(set(done)) < len(wanted):
                assert time.monotonic() < end, (done, most)
                time.sleep(0.05)
    assert sorted(done) == wanted
    assert most == 1


def test_an_end_hands_back_what_takes_too_long(node, tmp_path, pack, now):
    began, let_go = threading.Event(), threading.Event()

    def shoot(post_id):
        began.set()
        let_go.wait(20)
        return {}

    place = tmp_path / "z.db"
    with SqlStore(place, MediaStore(tmp_path / "media")) as store:
        post_id = drafted(store, pack, now, 1)
        with node(place, shoot=shoot, stop_s=1.0) as up:
            assert began.wait(20)
            start = time.monotonic()
        assert time.monotonic() - start < 10
        let_go.set()
        again = []

        def drawn(post_id):
            again.append(post_id)
            store.wait_until(post_id, now + timedelta(days=9000), "drawn")
            return {}

        with node(place, shoot=drawn):
            end = time.monotonic() + 20
            while not again:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert again == [post_id]
        assert {one.id for one in store.nodes() if one.alive} == set()
        assert "down" in up.said


def test_a_signal_ends_it_in_good_order(tmp_path):
    env = os.environ | {"ZIRELIA_HOME": str(tmp_path / "home"), "ZIRELIA_LOGS_FORMAT": "json"}
    process = subprocess.Popen(
        [sys.executable, "-m", "zirelia.cli", "up", "--roles", "clock,work"], env=env, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if '"event": "up"' in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 0
    assert '"event": "down"' in rest


def test_a_signal_is_seen_whatever_the_main_thread_waits_for(tmp_path, node):
    """The system gives it to another thread; the main one is not woken."""
    main = threading.get_ident()

    def asks():
        time.sleep(0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        if not up.stopping.wait(8):
            signal.pthread_kill(main, signal.SIGTERM)

    with node(tmp_path / "zirelia.db", roles=("clock",)) as up:
        asking = threading.Thread(target=asks)
        asking.start()
        began = time.monotonic()
        up.wait()
        asking.join()
        assert time.monotonic() - began < 5


@pytest.mark.slow
def test_what_takes_too_long_does_not_keep_the_process(tmp_path):
    script = """
import sys, time
from zirelia.cli import run
from zirelia.engine import durable, work

def endless(self, post_id):
    sys.stderr.write("began\\n")
    sys.stderr.flush()
    time.sleep(600)

durable.POLL_SECONDS = 0.1
work.Worker.write = endless
sys.exit(run(["up", "--roles", "clock,work"]))
"""
    env = os.environ | {
        "ZIRELIA_HOME": str(tmp_path / "home"),
        "ZIRELIA_ENGINE_LEAD_HOURS": "168",
        "ZIRELIA_ENGINE_STOP_S": "1",
        "ZIRELIA_LOGS_FORMAT": "json",
    }
    process = subprocess.Popen([sys.executable, "-c", script], env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line == "began\n":
            break
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert '"handed_back": 1' in rest
    assert "Traceback" not in rest
    with SqlStore(tmp_path / "home" / "zirelia.db", MediaStore(tmp_path / "media")) as store:
        assert not any(one.alive for one in store.nodes())
        assert store.count_posts().keys() == {"briefed"}
