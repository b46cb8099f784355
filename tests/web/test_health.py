"""The role web on a real node, database and server: alive, ready, and numbers that are true."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from zirelia.definitions.personas import load_persona
from zirelia.engine.nodes import Node
from zirelia.errors import ConfigurationError
from zirelia.settings import Settings
from zirelia.settings.tree import BudgetSettings, EngineSettings, WebSettings
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher
from zirelia.web.health import HEADERS
from zirelia.web.server import serving

MIRA = load_persona("mira").persona


class OneRoster:
    def names(self):
        return ("mira",)

    def persona(self, name):
        return MIRA

    def desk(self, name, watcher):
        raise ConfigurationError("nothing is made here")

    def draws_here(self, name):
        return True


@contextmanager
def node_of(tmp_path, place, *, roles=("web",), port=0):
    settings = Settings(
        home=tmp_path,
        engine=EngineSettings(node="test", lead_hours=0, stop_s=1),
        web=WebSettings(port=port),
        budget=BudgetSettings(day_images=20),
    )
    addresses = []
    with SqlStore(place, MediaStore(tmp_path / "media")) as store:

        @contextmanager
        def beside(node):
            with serving(node, store, OneRoster(), settings, lambda *_, **__: None, stop_s=1) as address:
                addresses.append(address)
                yield

        node = Node(
            store,
            OneRoster(),
            settings,
            roles=roles,
            workers=1,
            tell=lambda *_, **__: None,
            log=lambda *_, **__: None,
            watcher=lambda *_: SilentWatcher(),
            beside=beside,
        )
        with node:
            yield SimpleNamespace(node=node, store=store, get=lambda path: httpx.get(addresses[0] + path), url=addresses[0])


def numbers(page):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_a_node_that_lives_says_so(tmp_path):
    with node_of(tmp_path, tmp_path / "zirelia.db", roles=("clock", "web")) as up:
        assert up.get("/healthz").json()["alive"] is True
        ready = up.get("/readyz")
        assert (ready.status_code, ready.json()["database"], ready.json()["engine"]) == (200, "answers", "launched")
        up.node.beaten = time.monotonic() - 100
        assert up.get("/healthz").status_code == 503
        for path, header in [("/healthz", h) for h in HEADERS] + [("/nowhere", h) for h in HEADERS]:
            assert up.get(path).headers[header] == HEADERS[header]
        assert up.get("/nowhere").status_code == 404
        assert httpx.post(up.url + "/healthz").status_code == 405
        assert httpx.head(up.url + "/healthz").status_code in {200, 503}


def test_the_numbers_are_those_of_the_store(tmp_path, now):
    from zirelia.workflow.produce import opened

    with node_of(tmp_path, tmp_path / "zirelia.db") as up:
        for number in range(3):
            up.store.add_post(*opened(MIRA, f"mira:2026-11-21:w{number}", now, now=now))
        said = numbers(up.get("/metrics").text)
        assert said["zirelia_posts", "briefed"] == 3
        assert said["zirelia_posts", "published"] == 0
        assert said["zirelia_jobs", "due"] == 3
        assert said["zirelia_overdue_seconds",] > 0
        assert said["zirelia_nodes", "web"] == 1
        assert said["zirelia_nodes", "gpu"] == 0
        assert said["zirelia_budget_left_pictures", "day", "mira"] == 20
        assert said["zirelia_database_up",] == 1


@pytest.mark.slow
def test_a_database_that_is_away_is_not_ready_and_comes_back(tmp_path, postgres, postgres_url):
    with node_of(tmp_path, postgres_url) as up:
        assert up.get("/readyz").status_code == 200
        postgres.stop()
        try:
            time.sleep(1.2)
            away = up.get("/readyz")
            assert (away.status_code, away.json()["database"]) == (503, "does not answer")
            assert up.get("/healthz").status_code == 200
            assert numbers(up.get("/metrics").text)["zirelia_database_up",] == 0
        finally:
            postgres.start()
        end = time.monotonic() + 20
        while up.get("/readyz").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.3)


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is taken"), node_of(tmp_path, tmp_path / "z.db", port=port):
            pass
