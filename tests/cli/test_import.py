"""`zirelia import`: what a person sees of it, on Instagram's web site on loopback."""

from __future__ import annotations

import json
import sys

import pytest

from zirelia.channels.snapshot import InstagramSnapshot
from zirelia.testing.instagram_web import InstagramWeb


@pytest.fixture
def site(monkeypatch):
    with InstagramWeb(posts=14) as opened:
        accounts = InstagramSnapshot(base_url=opened.url, sleep=lambda _: None)
        monkeypatch.setattr("zirelia.studio.history.instagram", lambda: accounts)
        yield opened
        assert opened.asked("login") == 0


def test_posts_come_in_and_are_shown(zirelia, site):
    site.posts[0]["caption"] = {"text": "[bold]Tea[/bold]\x1b[31m,\nagain " + "and again " * 20}
    site.posts[1]["like_count"] = -1
    said = zirelia("import", "instagram", "@Mira.ZR", "--persona", "mira", "--limit", 12)
    assert said.code == 0
    assert "@mira.zr: 14 posts, 1203 followers" in said.out
    assert "20 Nov 2026     100 ♥     0 comments  [bold]Tea[/bold][31m, again and again" in said.out
    assert "19 Nov 2026       ? ♥     1 comments  Day 1: the tram hums" in said.out
    assert "and 2 more" in said.out
    assert "12 kept, 0 known already" in said.out
    assert "\x1b" not in said.out
    assert "look" in said.err


def test_what_would_be_taken(zirelia, site):
    said = zirelia("import", "instagram", "mira.zr", "--dry-run", "--limit", 2)
    assert "would read https://www.instagram.com/p/C0001/" in said.out
    assert "2 would be read, 0 known already" in said.out
    assert site.asked("post") == 0
    assert zirelia("import", "instagram", "mira.zr", "--limit", 2, "--json").json["known"] == 0


def test_once_a_day(zirelia, site):
    zirelia("import", "instagram", "mira.zr", "--limit", 2)
    asked = len(site.requests)
    said = zirelia("import", "instagram", "mira.zr")
    assert said.code == 4
    assert "nothing was asked now" in said.err
    assert "--again" in said.err
    assert len(site.requests) == asked
    shape = zirelia("import", "instagram", "mira.zr", "--again", "--limit", 3, "--json").json
    assert [post["code"] for post in shape["new"]] == ["C0002"]
    assert shape["known"] == 2
    assert shape["account"]["followers"] == 1203


@pytest.mark.parametrize(
    ("handle", "fault", "code", "words"),
    [
        ("nobody", {}, 8, "there is no account @nobody"),
        ("not a handle", {}, 2, "is not an Instagram handle"),
        ("mira.zr", {"status": 429}, 8, "do not try again today"),
        ("mira.zr", {"status": 401}, 8, "do not try again today"),
        ("mira.zr", {"body": b"<html></html>"}, 8, "upgrade instaloader"),
    ],
)
def test_what_goes_wrong_is_said(zirelia, site, handle, fault, code, words):
    if fault:
        site.fail("page", **fault)
    said = zirelia("import", "instagram", handle)
    assert said.code == code
    assert words in said.err
    assert "Traceback" not in said.err
    shape = json.loads(zirelia("import", "instagram", handle, "--again", "--json").out)
    assert shape["exit_code"] == code


def test_forgetting(zirelia, site):
    zirelia("import", "instagram", "mira.zr", "--limit", 3)
    assert zirelia("import", "forget").out == "3 earlier posts of mira forgotten\n"
    assert zirelia("import", "forget").out == "0 earlier posts of mira forgotten\n"
    assert "3 kept" in zirelia("import", "instagram", "mira.zr", "--limit", 3).out


def test_offline_nothing_leaves_and_the_day_stays_free(zirelia, monkeypatch):
    monkeypatch.setenv("ZIRELIA_OFFLINE", "1")
    for _ in range(2):
        said = zirelia("import", "instagram", "mira.zr")
        assert said.code == 5
        assert "ZIRELIA_OFFLINE" in said.err


def test_without_the_extra(zirelia, site, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "instaloader", None)
        patch.delitem(sys.modules, "zirelia.channels.snapshot_client", raising=False)
        said = zirelia("import", "instagram", "mira.zr")
    assert said.code == 2
    assert "pip install 'zirelia[snapshot]'" in said.err
    assert site.requests == []
    assert "2 kept" in zirelia("import", "instagram", "mira.zr", "--limit", 2).out
