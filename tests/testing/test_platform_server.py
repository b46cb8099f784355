"""The platform that behaves badly: what it says, and what it did."""

from __future__ import annotations

import subprocess
import sys
import time

import httpx
import pytest

from zirelia.testing.platform_server import GOOD, Manners, PlatformServer, posts_in

NONE = dict.fromkeys(("silent", "cut", "gateway", "broken", "busy", "blind", "delay", "lag"), 0.0)


def post(platform, publication="pub-1-loopback"):
    body = {"publication": publication, "caption": "Tea, again."}
    return httpx.post(f"{platform.url}/posts", json=body, timeout=0.5, trust_env=False)


def listed(platform, publication="pub-1-loopback"):
    return httpx.get(f"{platform.url}/publications/{publication}", trust_env=False)


def test_a_post_asked_for_twice_is_there_twice(tmp_path):
    with PlatformServer(tmp_path / "posts.jsonl") as platform:
        first, second = post(platform), post(platform)
        assert first.status_code == second.status_code == 201
        assert [one["id"] for one in listed(platform).json()["posts"]] == [first.json()["id"], second.json()["id"]]
        assert listed(platform, "pub-2-loopback").json() == {"posts": []}
        assert {one["caption"] for one in platform.posts} == {"Tea, again."}


@pytest.mark.parametrize(
    ("mood", "says", "posts"),
    [
        ("silent", httpx.ReadTimeout, 1),
        ("cut", httpx.RemoteProtocolError, 1),
        ("gateway", 502, 1),
        ("broken", 500, 0),
        ("busy", 429, 0),
    ],
)
def test_what_it_says_is_not_always_what_it_did(tmp_path, mood, says, posts):
    with PlatformServer(tmp_path / "posts.jsonl", Manners(**{**NONE, mood: 1.0})) as platform:
        if isinstance(says, int):
            answer = post(platform)
            assert answer.status_code == says
            assert answer.headers.get("retry-after") == ("1" if mood == "busy" else None)
        else:
            with pytest.raises(says):
                post(platform)
        assert len(platform.posts) == posts
        platform.manners = GOOD
        assert len(listed(platform).json()["posts"]) == posts


def test_others_are_answered_while_one_waits(tmp_path):
    with PlatformServer(tmp_path / "posts.jsonl", Manners(**{**NONE, "silent": 1.0})) as platform:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            post(platform)
        assert listed(platform).status_code == 200
        assert time.monotonic() - began < 5


def test_a_post_is_listed_only_some_time_after(tmp_path, monkeypatch):
    with PlatformServer(tmp_path / "posts.jsonl", Manners(**{**NONE, "lag": 30.0}), seed=1) as platform:
        post(platform)
        assert listed(platform).json() == {"posts": []}
        after = time.monotonic() + 31
        monkeypatch.setattr("zirelia.testing.platform_server.time.monotonic", lambda: after)
        assert len(listed(platform).json()["posts"]) == 1


def test_a_listing_may_fail(tmp_path):
    with PlatformServer(tmp_path / "posts.jsonl", Manners(**{**NONE, "blind": 1.0})) as platform:
        assert listed(platform).status_code == 503


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}"])
def test_a_post_without_its_publication_is_refused(tmp_path, body):
    with PlatformServer(tmp_path / "posts.jsonl") as platform:
        assert httpx.post(f"{platform.url}/posts", content=body, trust_env=False).status_code == 400
        assert httpx.get(f"{platform.url}/nowhere", trust_env=False).status_code == 404
        assert platform.posts == []


def test_the_same_seed_has_the_same_moods(tmp_path):
    def told(name):
        with PlatformServer(tmp_path / name, Manners(**{**NONE, "broken": 0.5}), seed=3) as platform:
            return [post(platform).status_code for _ in range(8)]

    assert told("a") == told("b")
    assert set(told("c")) == {201, 500}


def test_in_a_process_of_its_own_it_ends_with_its_input(tmp_path):
    command = [sys.executable, "-m", "zirelia.testing.platform_server", str(tmp_path / "posts.jsonl"), "7"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/publications/pub-1-loopback", trust_env=False).status_code in {200, 503}
        process.stdin.close()
        assert process.wait(10) == 0
    assert posts_in(tmp_path / "posts.jsonl") == []
