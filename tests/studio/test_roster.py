"""The daemon's desks: made once, made anew when the pack changes, and never more at hand than a machine can hold."""

from __future__ import annotations

import os

import pytest

from zirelia.definitions.scaffold import new_persona
from zirelia.studio import SilentWatcher, Studio, open_studio, roster
from zirelia.studio.roster import StudioRoster

NAMES = ("ada", "bea", "cleo")


@pytest.fixture
def made(monkeypatch):
    """Whose kits were made, in order."""
    names = []
    real = Studio.kit

    def kit(studio, subject=None):
        names.append(subject.persona.name)
        return real(studio, subject)

    monkeypatch.setattr(Studio, "kit", kit)
    return names


@pytest.fixture
def desks(home):
    for name in NAMES:
        new_persona(name, home / "persona" / name)
    with open_studio() as studio:
        yield StudioRoster(studio)


def test_a_desk_is_made_once(desks, made):
    for _ in range(3):
        _, subject = desks.desk("ada", SilentWatcher())
        assert subject.persona.name == "ada"
    assert made == ["ada"]


def test_only_the_last_ones_stay_at_hand(desks, made, monkeypatch):
    monkeypatch.setattr(roster, "MOST_DESKS", 2)
    for name in ("ada", "bea", "ada", "cleo", "ada", "bea"):
        desks.desk(name, SilentWatcher())
    assert made == ["ada", "bea", "cleo", "bea"]


def test_desks_share_the_critic(desks):
    one, other = (desks.desk(name, SilentWatcher())[0] for name in NAMES[:2])
    assert one.panel is other.panel


def test_a_changed_pack_gets_a_new_desk(desks, made, home):
    desks.desk("ada", SilentWatcher())
    pack = home / "persona" / "ada" / "persona.yaml"
    pack.write_text(pack.read_text().replace("display_name: Ada", "display_name: Ada B."))
    os.utime(pack, (1e9, 1e9))
    _, subject = desks.desk("ada", SilentWatcher())
    assert subject.persona.display_name == "Ada B."
    assert made == ["ada", "ada"]
