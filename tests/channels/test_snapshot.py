"""The public snapshot, read by the real library from Instagram's web site on loopback."""

from __future__ import annotations

import io
import socket
from datetime import UTC, datetime

import pytest

from zirelia.channels.snapshot import PAUSE, InstagramSnapshot
from zirelia.errors import (
    ConfigurationError,
    OfflineViolation,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    RateLimited,
)
from zirelia.testing.instagram_web import InstagramWeb


def everything(code):
    return True


@pytest.fixture
def site():
    with InstagramWeb(posts=30) as opened:
        yield opened
        assert opened.asked("login") == 0
        assert opened.asked("other") == 0


@pytest.fixture
def slept():
    return []


@pytest.fixture
def read(site, slept):
    """read(limit=…, wanted=…): what the account shows, read to the end."""

    def call(handle=None, *, limit=30, wanted=everything, kept=None, **options):
        kept = [] if kept is None else kept
        snapshot = InstagramSnapshot(base_url=site.url, sleep=slept.append, **options)
        with snapshot.visit(handle or site.handle) as account:
            for shown in account.shown(limit=limit, wanted=wanted):
                kept.append(shown)
        return account, kept

    return call


def test_a_long_profile_is_read_page_by_page_with_a_pause_before_each_request(slept):
    with InstagramWeb(posts=120) as site:
        snapshot = InstagramSnapshot(base_url=site.url, sleep=slept.append)
        with snapshot.visit(site.handle) as account:
            shown = list(account.shown(limit=200, wanted=everything))
    assert (account.followers, account.posts) == (1203, 120)
    assert [one.code for one in shown] == [post["code"] for post in site.posts]
    assert {place: site.asked(place) for place in set(site.places)} == {"page": 2, "start": 1, "list": 9, "post": 120}
    assert slept == [PAUSE] * (len(site.places) - 1)


def test_what_is_told_of_a_post(site, read):
    site.posts[0] |= {"caption": {"text": "Tea\u202e, again.\x07 #Tea #tea #Lisboa_2026"}, "like_count": -1, "media_type": 2}
    site.posts[1] |= {"caption": None}
    _, (first, second) = read(limit=2)
    assert first.post.caption == "Tea, again. #Tea #tea #Lisboa_2026"
    assert first.post.url == "https://www.instagram.com/p/C0000/"
    assert first.post.at == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert (first.post.likes, first.post.comments, first.post.is_video) == (None, 0, True)
    assert first.post.hashtags == ("tea", "lisboa_2026")
    assert (second.post.caption, second.post.likes, second.post.is_video) == ("", 101, False)


def test_no_more_is_asked_than_was_wanted(site, read):
    _, shown = read(limit=14, wanted=lambda code: code in {"C0003", "C0013"})
    assert [one.code for one in shown if one.post] == ["C0003", "C0013"]
    assert (site.asked("post"), site.asked("list"), len(shown)) == (2, 1, 14)


def test_counts_that_the_page_does_not_tell_are_asked_for(site, read):
    site.counted = False
    account, _ = read(limit=1)
    assert (account.followers, account.posts, site.asked("info")) == (1203, 30, 1)


def test_others_posts_and_posts_that_are_gone_are_left_out(site, read):
    site.posts[0]["user"] = {"pk": "7", "username": "friend"}
    site.posts[2]["gone"] = site.posts[3]["gone"] = True
    _, shown = read(limit=5)
    assert [(one.code, one.because) for one in shown if one.post is None] == [
        ("C0000", "of another account"),
        ("C0002", "not shown any more"),
        ("C0003", "not shown any more"),
    ]


def test_when_no_post_can_be_read_any_more_the_form_has_changed(site, read):
    for post in site.posts[5:]:
        post["gone"] = True
    kept = []
    with pytest.raises(ProviderError, match="could not be read") as error:
        read(kept=kept)
    assert "upgrade instaloader" in error.value.hint
    assert sum(one.post is not None for one in kept) == 5
    assert site.asked("post") == 8


def test_a_handle_that_is_not_there(site, read):
    with pytest.raises(ProviderRefused, match="no account @mirra") as error:
        read("mirra")
    assert "how the handle is written" in error.value.hint
    assert site.places == ["page"]


@pytest.mark.parametrize("said", ["", "mira zr", "https://instagram.com/mira", "../mira", "a" * 31, ".mira", "mïra", "@@mira"])
def test_what_cannot_be_a_handle_is_not_asked_for(said):
    with pytest.raises(ConfigurationError, match="not an Instagram handle"):
        InstagramSnapshot().handle(said)


def test_a_handle_is_written_as_instagram_does():
    assert InstagramSnapshot().handle(" @Mira.ZR ") == "mira.zr"


@pytest.mark.parametrize("place", ["page", "start", "list", "post"])
@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimited), (401, ProviderRefused), (400, ProviderRefused), (403, ProviderRefused)]
)
def test_a_refusal_ends_the_look_and_says_to_wait(site, read, place, status, kind):
    site.fail(place, status=status, after={"page": 1, "post": 4}.get(place, 0))
    with pytest.raises(kind) as error:
        read()
    assert "do not try again today" in str(error.value)
    assert site.places.count(place) == {"page": 2, "post": 5}.get(place, 1)
    assert site.places[-1] == place
    if kind is RateLimited:
        assert error.value.retry_after == 24 * 3600


@pytest.mark.parametrize("place", ["page", "post"])
def test_being_sent_to_log_in_is_a_refusal(site, read, place):
    where = {"Location": "https://www.instagram.com/accounts/login/?next=/mira.zr/"}
    site.fail(place, status=302, body=b"", headers=where)
    with pytest.raises(ProviderRefused, match="asks to log in") as error:
        read()
    assert "wait" in error.value.hint


def test_a_private_account_is_left_alone(site, read):
    site.private = True
    with pytest.raises(ProviderRefused, match="private"):
        read()
    assert site.places == ["page"]


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("page", b"<html>a new page</html>"),
        ("page", b'<script type="application/json">{"a": [</script>'),
        ("start", b"<html></html>"),
        ("post", b"not json"),
        ("post", b"[]"),
        ("post", b'{"data": {"xdt_api__v1__media__shortcode__web_info": {"items": [{"code": "C0000"}]}}}'),
        ("list", b'{"data": null}'),
        ("list", b'{"data": {"node": {"polaris_ordered_timeline_connection": 7}}}'),
        ("list", b"\xff\xfe\x00"),
    ],
)
def test_another_form_than_is_known_is_said_to_be_one(site, read, place, body):
    site.fail(place, body=body)
    with pytest.raises(ProviderError) as error:
        read()
    assert type(error.value) is ProviderError
    assert "upgrade instaloader" in error.value.hint
    assert not error.value.retryable


@pytest.mark.parametrize("place", ["page", "start", "list", "post"])
@pytest.mark.parametrize("how", [{"silent": True}, {"announced": 5_000}])
def test_a_cut_line(site, read, place, how):
    site.fail(place, after=3 if place == "post" else 0, **how)
    kept = []
    with pytest.raises(ProviderError, match="connection failed") as error:
        read(kept=kept)
    assert error.value.retryable
    assert site.places[-1] == place
    assert len(kept) == {"page": 0, "start": 0, "post": 3, "list": 12}[place]


def test_nobody_answers(site, read):
    site.fail("post", wait=20.0)
    with pytest.raises(ProviderTimeout):
        read(timeout=0.3)


def test_a_fault_of_the_platform_may_pass(site, read):
    site.fail("list", status=503)
    with pytest.raises(ProviderError, match="503") as error:
        read()
    assert error.value.retryable


def test_an_answer_without_end_is_not_read_to_the_end(site, read, monkeypatch):
    monkeypatch.setattr("zirelia.channels.snapshot_client.MOST_BYTES", 4096)
    site.fail("page", body=b"x" * 100_000)
    with pytest.raises(ProviderError, match="longer than"):
        read()


def test_offline_nothing_is_looked_up():
    with pytest.raises(OfflineViolation, match="ZIRELIA_OFFLINE"), InstagramSnapshot(sleep=lambda _: None).visit("mira"):
        pass


def test_another_host_is_not_followed(site, read):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.05)
        site.fail("post", status=302, body=b"", headers={"Location": f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"})
        with pytest.raises(ProviderError):
            read()
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_the_library_cannot_reach_another_place_or_a_log_in(site):
    from zirelia.channels.snapshot_client import Gate, Visitor

    visitor = Visitor(Gate(site.url), pause=0.0, timeout=5.0, sleep=lambda _: None)
    for url in ("https://i.instagram.com/api/v1/", "https://www.instagram.com/accounts/login/", "http://127.0.0.1:9/"):
        with pytest.raises(ProviderRefused, match="was stopped"):
            visitor.get_anonymous_session().get(url)
    with pytest.raises(ProviderRefused, match="nobody logs in"):
        visitor.login("mira", "secret")
    with pytest.raises(ProviderRefused, match="nobody logs in"):
        visitor.load_session("mira", {"csrftoken": "x"})
    with pytest.raises(ProviderRefused, match="nobody logs in"):
        visitor.load_session_from_file("mira", io.BytesIO(b"cos\nsystem\n(S'true'\ntR."))
    visitor.close()
    assert site.places == []


def test_it_says_who_it_is_and_brings_no_account(site, read, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    read(limit=1)
    for request in site.requests:
        assert " Zirelia/" in request.headers["user-agent"]
        assert "authorization" not in request.headers
        assert "sessionid=;" in request.headers["cookie"]


def test_nothing_is_printed(site, read, capfd):
    site.fail("post", status=429)
    with pytest.raises(RateLimited):
        read()
    assert capfd.readouterr() == ("", "")
