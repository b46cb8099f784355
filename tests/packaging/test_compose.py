"""config/compose.yaml: every setting, role and address in it is one that there is."""

from __future__ import annotations

from pathlib import Path

import yaml

import zirelia
from zirelia.engine.nodes import ROLES
from zirelia.settings import Settings

ROOT = Path(zirelia.__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "config" / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}


def known() -> set[str]:
    names = set()
    for name, field in Settings.model_fields.items():
        names.add(f"ZIRELIA_{name.upper()}")
        inner = getattr(field.annotation, "model_fields", {})
        names |= {f"ZIRELIA_{name.upper()}_{one.upper()}" for one in inner}
    return names


def test_two_workers_and_the_web_share_one_database_and_one_home():
    assert set(OURS) == {"worker-1", "worker-2", "web"}
    urls = {service["environment"]["ZIRELIA_DATABASE_URL"] for service in OURS.values()}
    assert len(urls) == 1
    assert all(service["volumes"] == ["home:/data/home"] for service in OURS.values())
    assert len({service["environment"]["ZIRELIA_ENGINE_NODE"] for service in OURS.values()}) == 3


def test_every_setting_and_role_is_one_that_there_is():
    for service in OURS.values():
        assert set(service["environment"]) <= known()
        roles = service["command"][service["command"].index("--roles") + 1].split(",")
        assert set(roles) <= set(ROLES)
        assert "web" in roles  # the health check asks it
        assert "8750/healthz" in service["healthcheck"]["test"][-1]


def test_no_password_has_a_default():
    text = (ROOT / "config" / "compose.yaml").read_text(encoding="utf-8")
    assert text.count("${POSTGRES_PASSWORD") == text.count("${POSTGRES_PASSWORD:?") == 2
