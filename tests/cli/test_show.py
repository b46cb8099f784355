"""`zirelia show` says what each channel would be given, and what it leaves out."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from zirelia import resources
from zirelia.domain.connection import Connection, new_id
from zirelia.domain.post import PostState
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
LONG = "One good detail a day. " + "The tram hums, and he hums along with it. " * 8


@pytest.fixture
def on_three_channels(home):
    """Her pack names three; on X she is connected, on Instagram she is not. No key is set: none is needed."""
    shutil.copytree(resources.folder("persona") / "mira", home / "persona" / "mira")
    pack = home / "persona" / "mira" / "persona.yaml"
    pack.write_text(pack.read_text().replace("channels: [folder]", "channels: [folder, x, instagram]"))
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
        one = Connection(persona="mira", channel="x", id=new_id(), account="7", connected_at=NOW, given_at=NOW)
        store.add_connection(one, b"sealed")


def test_the_text_of_each_channel(on_three_channels, zirelia, stored):
    stored(caption=LONG.strip())
    said = zirelia("show", 1)
    assert said.code == 0, said.err
    x = said.out.split("  x:\n")[1].split("  instagram:")[0]
    assert "One good detail a day." in x
    assert "Made with AI." in x
    assert "left out: #tram; The tram hums" in x
    assert "not connected: zirelia connect instagram --persona mira" in said.out
    folder, on_x, instagram = zirelia("show", 1, "--json").json["texts"]
    assert (folder["channel"], folder["left_out"]) == ("folder", [])
    assert on_x["caption"].endswith("Made with AI.")
    assert len(on_x["left_out"]) == 2
    assert "problem" in instagram


def test_a_text_that_no_shortening_helps(on_three_channels, zirelia, stored):
    stored(caption="no end " * 60 + "at all")
    _, on_x, _ = zirelia("show", 1, "--json").json["texts"]
    assert "its first sentence alone is longer" in on_x["problem"]
    assert "its first sentence alone is longer" in zirelia("show", 1).out


def test_a_post_that_outlived_its_pack(zirelia, stored, home):
    stored(PostState.BRIEFED)
    shutil.copytree(resources.folder("persona") / "mira", home / "persona" / "mira")
    (home / "persona" / "mira" / "persona.yaml").write_text("nonsense: true\n")
    assert zirelia("show", 1, "--json").json["texts"] == []
    assert zirelia("show", 1).code == 0
