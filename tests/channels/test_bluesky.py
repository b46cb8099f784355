"""Bluesky on the real server: what is published, read back by another client; faults; sessions; the network's view."""

from __future__ import annotations

import io
import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image
from pydantic import SecretStr

from zirelia.channels.bluesky import BlueskyChannel
from zirelia.channels.bluesky_profile import declare_bot
from zirelia.channels.bluesky_repo import POST, Repo, Taken, record_key
from zirelia.channels.bluesky_session import renew, sign_in
from zirelia.channels.wire import Line, connected
from zirelia.domain.publication import PublicationState, Receipt
from zirelia.domain.reply import Mention, Reply, ReplyState
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.ports import Sending, Uncertain
from zirelia.testing.pds_server import PdsServer

from .conftest import NOW, beside

accounts, presses = beside("bluesky_accounts"), beside("press")
P = PublicationState
SENDING = Sending(begun=NOW)
SECOND = timedelta(seconds=1)
IMPATIENT, LATE = 3.0, 4.0


@pytest.fixture
def stage():
    with accounts.staged(lambda: NOW) as stage:
        yield stage


@pytest.fixture
def press(tmp_path):
    with presses.press_in(tmp_path, NOW) as made:
        yield made


@pytest.fixture
def pressed(press):
    """A stage whose clock is that of the press."""
    with accounts.staged(press.clock) as stage:
        yield stage


@contextmanager
def client_of(stage):
    """A client by other people, signed in with an app password made by itself."""
    from atproto import Client

    account = stage.door.account
    made = accounts.server().call("com.atproto.server.createAppPassword", token=account.access, body={"name": "test"})
    client = Client(base_url=accounts.server().url)
    client.login(account.handle, made["password"], fetch_bsky_profile=False)
    try:
        yield client
    finally:
        client.request.close()


# ---- what is published -----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20")
def test_another_client_reads_what_was_published(stage, plan):
    words = f"Grüße 👩‍🚀 von @{stage.door.handle}! #Tee https://a.example/ü (@nobody.test)\n\nVirtual character, made with AI."
    wanted = replace(plan(channel="bluesky"), caption=words, language="de", alt_text="Eine Frau mit Tee ☕")
    receipt = stage.open().submit(wanted, SENDING)

    key = receipt.platform_id.rpartition("/")[2]
    with client_of(stage) as client:
        read = client.app.bsky.feed.post.get(stage.door.did, key)
        link = read.value.embed.images[0].image.ref.link
        blob = client.com.atproto.sync.get_blob({"did": stage.door.did, "cid": link})
    assert read.uri == receipt.platform_id
    post = read.value
    assert (post.text, post.langs, post.created_at) == (words, ["de"], "2026-10-25T00:30:00.000Z")
    (image,) = post.embed.images
    assert image.alt == "Eine Frau mit Tee ☕"
    assert (image.aspect_ratio.width, image.aspect_ratio.height) == (32, 24)
    assert blob == wanted.image
    with Image.open(io.BytesIO(blob)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (32, 24))
    raw = words.encode()
    said = [(raw[one.index.byte_start : one.index.byte_end].decode(), one.features[0]) for one in post.facets]
    assert [words for words, _ in said] == [f"@{stage.door.handle}", "#Tee", "https://a.example/ü"]
    assert (said[0][1].did, said[1][1].tag, said[2][1].uri) == (stage.door.did, "Tee", "https://a.example/ü")
    assert receipt.at == NOW
    assert receipt.url == f"https://bsky.app/profile/{stage.door.handle}/post/{key}"


def test_the_sealed_picture_arrives_as_it_was_sealed(pressed, press):
    publication = press.send(press.approved("bluesky", "Tea, again."), pressed.open)
    assert publication.state is P.PUBLISHED
    (post,) = pressed.door.published
    assert post["text"] == "Tea, again.\n\n#tea\n\nVirtual character, made with AI."
    assert b"trainedAlgorithmicMedia" in pressed.door.picture()
    assert post["embed"]["images"][0]["alt"] == "A woman with tea"


@pytest.mark.parametrize("text", ["👨‍👩‍👧‍👦" * 100, "ü" * 300, "a" * 299 + "\U0001f600"])
def test_the_server_takes_what_the_limits_say(stage, plan, text):
    limits = stage.open().capabilities()
    image = plan().image
    full = image + b"\0" * (limits.image_bytes_limit - len(image))
    wanted = replace(plan(channel="bluesky"), caption=text, image=full)
    assert isinstance(stage.open().submit(wanted, SENDING), Receipt)


def test_what_the_server_refuses_is_refused_with_its_words(stage, plan):
    with pytest.raises(ProviderRefused, match="grapheme"):
        stage.open().submit(replace(plan(channel="bluesky"), caption="a" * 301), SENDING)
    with pytest.raises(ProviderRefused, match="picture cannot be read"):
        stage.open().submit(replace(plan(channel="bluesky"), image=b"\xff\xd8\xff no picture"), SENDING)
    assert stage.door.published == ()


# ---- once ------------------------------------------------------------------------------------------------------------


def test_the_key_is_that_of_the_publication_and_of_nothing_else():
    first = record_key("pub-1-bluesky", NOW)
    assert first == record_key("pub-1-bluesky", NOW.replace(tzinfo=UTC))
    # posts are counted from 1 again in a new home
    others = [record_key(*of) for of in (("pub-2-bluesky", NOW), ("pub-1-bluesky", NOW + SECOND), ("reply-1-bluesky", NOW))]
    assert len({first, *others}) == 4
    assert len({record_key(f"pub-{number}-bluesky", NOW) for number in range(5000)}) == 5000
    assert record_key("pub-1-bluesky", datetime(2100, 1, 1, tzinfo=UTC)) > first


def test_an_identical_put_changes_nothing_and_another_one_is_refused(stage):
    with connected(stage.line()) as wire:
        repo = Repo(wire, stage.door.did)
        post = {"$type": POST, "text": "Tea", "createdAt": "2026-10-25T00:30:00.000Z"}
        first = repo.put(POST, record_key("a", NOW), post)
        revision = accounts.server().call("com.atproto.sync.getLatestCommit", did=stage.door.did)
        assert repo.put(POST, record_key("a", NOW), post).cid == first.cid
        with pytest.raises(Taken):
            repo.put(POST, record_key("a", NOW), {**post, "text": "Coffee"})
        assert accounts.server().call("com.atproto.sync.getLatestCommit", did=stage.door.did) == revision
        assert repo.record(POST, record_key("a", NOW)).value["text"] == "Tea"


def test_ten_at_once_publish_one(stage, plan):
    """All look before any has written; each has other words."""
    answers, together = [], threading.Barrier(10)

    def send(number):
        together.wait()
        answers.append(stage.open().submit(plan(channel="bluesky", caption=f"Cup {number}"), SENDING))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (post,) = stage.door.published
    assert {answer.platform_id for answer in answers} == {post["id"]}
    assert len(answers) == 10


def test_what_a_moderator_hid_is_not_sent_again(stage, plan):
    wanted = plan(channel="bluesky")
    receipt = stage.open().submit(wanted, SENDING)
    (post,) = stage.door.published
    accounts.server().take_down(post["id"], post["cid"])
    assert stage.open().reconcile(wanted, SENDING) is None
    answer = stage.open().submit(plan(channel="bluesky", caption="Other words"), SENDING)
    assert isinstance(answer, Uncertain)
    assert "InvalidSwap" in answer.because
    assert receipt.platform_id == post["id"]


def test_a_server_that_does_not_keep_the_account_proves_nothing(stage, plan):
    with accounts.staged(lambda: NOW) as other:
        channel = BlueskyChannel(other.line(), did=stage.door.did)
        for call in (channel.reconcile, channel.submit):
            with pytest.raises(ProviderRefused, match="the token is for"):
                call(plan(channel="bluesky"), SENDING)
        unknown = BlueskyChannel(other.line(), did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
        with pytest.raises(ProviderError):
            unknown.reconcile(plan(channel="bluesky"), SENDING)


# ---- faults ----------------------------------------------------------------------------------------------------------


def _limited(stage):
    reset = str(int((stage.now() + timedelta(seconds=50)).timestamp()))
    told = {"ratelimit-limit": "5000", "ratelimit-remaining": "0", "ratelimit-reset": reset}
    stage.door.fail("putRecord", status=429, body={"error": "RateLimitExceeded"}, headers=told)


def _skewed(minutes, **fault):
    def play(stage):
        stage.door.ahead = timedelta(minutes=minutes)
        stage.door.fail("putRecord", **fault)

    return play


def _blind(stage):
    stage.door.fail("putRecord", after=True, silent=True)
    stage.door.fail("getRecord", times=1)
    stage.door.fail("getRecord", status=500, times=9)


def _twice(stage):
    stage.door.fail("putRecord", silent=True, times=2)
    stage.door.fail("putRecord", after=True, silent=True)


def _lost(stage):
    stage.door.loses = 100


def _before(stage):
    for place in ("getRecord", "getSession", "uploadBlob"):
        stage.door.fail(place, after=True, silent=True)
        stage.door.fail(place, status=500)


def _at(place, **fault) -> Callable[[object], None]:
    return lambda stage: stage.door.fail(place, **fault)


FAULTS: dict[str, Callable[[object], None]] = {
    "none": lambda stage: None,
    "time-out before": _at("putRecord", wait=LATE),
    "time-out after": _at("putRecord", after=True, wait=LATE),
    "cut before": _at("putRecord", silent=True),
    "cut after": _at("putRecord", after=True, silent=True),
    "500 before": _at("putRecord", status=500),
    "500 after": _at("putRecord", status=500, after=True),
    "unreadable after": _at("putRecord", status=200, body=[], after=True),
    "another record's name after": _at("putRecord", status=200, body={"uri": "at://x/y/z", "cid": "b"}, after=True),
    "rate limit": _limited,
    "slow clock, cut after": _skewed(-10, after=True, silent=True),
    "fast clock, cut before": _skewed(10, silent=True),
    "cannot be read for a while": _blind,
    "cut before, twice, then after": _twice,
    "upload cut": _at("uploadBlob", silent=True),
    "upload taken, answer cut": _at("uploadBlob", after=True, silent=True),
    "upload loses bytes": _lost,
    "all calls before it": _before,
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_ends_in_exactly_one_publication(fault, pressed, press):
    FAULTS[fault](pressed)
    timeout = IMPATIENT if fault.startswith("time-out") else 60.0
    publication = press.send(press.approved("bluesky", "Tea, again."), lambda: pressed.open(timeout=timeout))
    assert publication.state is P.PUBLISHED
    (post,) = pressed.door.published
    assert publication.receipt.platform_id == post["id"]
    with Image.open(io.BytesIO(pressed.door.picture())) as opened:
        opened.load()


def test_a_post_that_cannot_be_looked_up_is_unknown_with_a_reason(pressed, press):
    pressed.door.fail("putRecord", after=True, silent=True)

    def healed(number):
        pressed.door.fail("getRecord", status=503, times=3)
        if number == 0:
            pressed.door._faults.pop("getRecord")
            pressed.door.fail("getRecord", status=404, body={"error": "RecordNotFound"})
            pressed.door.fail("getRecord", status=503, times=3)

    publication = press.send(press.approved("bluesky", "Tea, again."), pressed.open, healed=healed)
    assert publication.state is P.UNKNOWN
    assert "503" in publication.note
    assert len(pressed.door.published) == 1


def test_a_rate_limit_says_when_to_come_again(pressed, press):
    _limited(pressed)
    press.send(press.approved("bluesky", "Tea, again."), pressed.open)
    (error,) = press.errors
    assert isinstance(error, RateLimited)
    assert 0 < error.retry_after <= 60


@pytest.mark.parametrize("token", ["expired", "forged"])
def test_a_token_that_is_not_taken_publishes_nothing_and_says_how_to_get_another(token, pressed, press):
    good = pressed.door.token
    bad = accounts.server().expired(good) if token == "expired" else good[:-4] + "AAAA"
    renewed: list[bool] = []

    def opened():
        if len(press.errors) < 2:
            return pressed.open(token=lambda: bad, refused=lambda: renewed.append(True) or True)
        return pressed.open()

    assert press.send(press.approved("bluesky", "Tea, again."), opened).state is P.PUBLISHED
    assert len(press.errors) == 2 == len(renewed)
    for error in press.errors:
        assert isinstance(error, TokenRefused)
        assert error.retryable
        assert error.hint == "zirelia connect bluesky"
        assert ("ExpiredToken" if token == "expired" else "InvalidToken") in error.message
        assert not any(one in str(error) for one in (good, bad))
    assert len(pressed.door.published) == 1
    assert not any(one in words for words in press.watcher.words for one in (good, bad))


# ---- sessions --------------------------------------------------------------------------------------------------------


def test_an_app_password_becomes_a_session_that_is_renewed(stage, plan):
    account, server = stage.door.account, accounts.server()
    made = server.call("com.atproto.server.createAppPassword", token=account.access, body={"name": "zirelia"})
    session = sign_in(server.url + "/", f"@{account.handle} ", SecretStr(made["password"]), timeout=30.0)
    assert (session.did, session.handle) == (account.did, account.handle)
    assert session.service == f"http://localhost:{server.port}"
    assert timedelta(hours=1) < session.expires - datetime.now(UTC) < timedelta(hours=3)
    again = renew(session.service, session.refresh, timeout=30.0)
    assert again.did == account.did
    assert again.refresh != session.refresh
    # the answer to the first may have been lost
    assert renew(session.service, session.refresh, timeout=30.0).did == account.did
    line = Line("bluesky", again.service, token=again.access.get_secret_value)
    assert isinstance(BlueskyChannel(line, did=again.did).submit(plan(channel="bluesky"), SENDING), Receipt)
    shown = repr(session) + str(session)
    assert not any(one.get_secret_value() in shown for one in (session.access, session.refresh))


def test_what_is_revoked_or_wrong_is_not_taken(stage):
    account, server = stage.door.account, accounts.server()
    made = server.call("com.atproto.server.createAppPassword", token=account.access, body={"name": "zirelia"})
    session = sign_in(server.url, account.handle, SecretStr(made["password"]), timeout=30.0)
    server.call("com.atproto.server.revokeAppPassword", token=account.access, body={"name": "zirelia"})
    calls = {
        made["password"]: lambda: sign_in(server.url, account.handle, SecretStr(made["password"]), timeout=30.0),
        session.refresh.get_secret_value(): lambda: renew(server.url, session.refresh, timeout=30.0),
        "not-a-token": lambda: renew(server.url, SecretStr("not-a-token"), timeout=30.0),
        "two words": lambda: renew(server.url, SecretStr("two words"), timeout=30.0),
    }
    for secret, call in calls.items():
        with pytest.raises(TokenRefused) as refused:
            call()
        assert refused.value.hint
        assert secret not in f"{refused.value!r} {refused.value}"


def test_a_server_that_fails_is_told_apart_from_one_that_refuses(stage):
    password = SecretStr("abcd-efgh-ijkl-mnop")
    stage.door.refused = lambda token: accounts.Reply.json({"error": "InternalServerError"}, 500)
    with pytest.raises(ProviderError) as failed:
        sign_in(stage.door.url, "mira.test", password, timeout=5.0)
    assert failed.value.retryable
    stage.door.refused = lambda token: accounts.Reply.json({"error": "RateLimitExceeded"}, 429, {"retry-after": "300"})
    with pytest.raises(RateLimited) as limited:
        renew(stage.door.url, password, timeout=5.0)
    assert limited.value.retry_after == 300
    stage.door.refused = lambda token: accounts.Reply(401, b"<html>no</html>")
    with pytest.raises(TokenRefused):
        renew(stage.door.url, password, timeout=5.0)
    ended = {"error": "ExpiredToken", "message": f"{password.get_secret_value()} has ended"}
    stage.door.refused = lambda token: accounts.Reply.json(ended, 400)
    with pytest.raises(TokenRefused, match=r"HTTP 400: ExpiredToken: \[secret\] has ended"):
        renew(stage.door.url, password, timeout=5.0)
    for other in (accounts.Reply.json({"error": {"odd": 1}}, 400), accounts.Reply(302, headers={"Location": "/"})):
        stage.door.refused = lambda token, reply=other: reply
        with pytest.raises(ProviderRefused) as refused:
            renew(stage.door.url, password, timeout=5.0)
        assert not isinstance(refused.value, TokenRefused)
    stage.door.refused = lambda token: accounts.Reply.json({"did": "did:plc:a"})
    with pytest.raises(ProviderError, match="no session"):
        sign_in(stage.door.url, "mira.test", password, timeout=5.0)
    with pytest.raises(ConfigurationError, match="not https"):
        sign_in("http://bsky.example", "mira.test", password, timeout=5.0)


def test_a_planted_token_leaves_no_trace(stage, plan, caplog):
    caplog.set_level(logging.DEBUG)
    planted = stage.door.token
    stage.door.fail("getRecord", status=400, body={"error": "InvalidRequest", "message": f"bad {planted}"}, times=2)
    channel = stage.open()
    for call in (channel.submit, channel.reconcile):
        with pytest.raises(ProviderRefused) as refused:
            call(plan(channel="bluesky"), SENDING)
        assert planted not in "".join(traceback.format_exception(refused.value))
    assert planted not in caplog.text + repr(channel) + repr(channel.facts()) + repr(vars(channel))


# ---- the account and the network -------------------------------------------------------------------------------------


def test_the_profile_says_that_a_machine_runs_it_and_keeps_the_rest(stage):
    server, account = accounts.server(), stage.door.account
    asked = {"repo": account.did, "collection": "app.bsky.actor.profile", "rkey": "self"}
    with connected(stage.line()) as wire:
        assert declare_bot(wire, account.did)
        assert not declare_bot(wire, account.did)
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "!no-unauthenticated"}]}
    profile = {"$type": asked["collection"], "displayName": "Mira", "description": "Rooftops.", "labels": labels}
    server.call("com.atproto.repo.putRecord", token=account.access, body={**asked, "record": profile})
    with connected(stage.line()) as wire:
        assert declare_bot(wire, account.did)
    read = server.call("com.atproto.repo.getRecord", **asked)["value"]
    assert read == profile | {"labels": labels | {"values": [{"val": "!no-unauthenticated"}, {"val": "bot"}]}}


def test_numbers_come_from_the_view_of_the_network(stage, plan):
    receipt = stage.open().submit(plan(channel="bluesky"), SENDING)
    assert stage.open().measure(receipt) is None
    counted = {"likeCount": 5, "replyCount": 2, "repostCount": 3, "quoteCount": 1, "bookmarkCount": 4}
    accounts.view().posts[receipt.platform_id] = {"uri": receipt.platform_id, "cid": "b", **counted}
    measured = stage.open().measure(receipt)
    assert (measured.views, measured.likes, measured.comments, measured.shares, measured.saves) == (None, 5, 2, 4, 4)


def test_a_server_without_a_view_tells_nothing(plan):
    accounts.need_pds()
    server = PdsServer.shared()
    account = server.new_account()
    channel = BlueskyChannel(Line("bluesky", server.url, token=lambda: account.access), did=account.did)
    receipt = channel.submit(plan(channel="bluesky"), SENDING)
    assert channel.measure(receipt) is None
    heard = channel.mentions("mira", None)
    assert (heard.mentions, heard.cursor) == ((), None)


def _entry(number, *, reason="mention", text="Where is that?", did="did:plc:someone", handle="someone.test"):
    at = (NOW + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    return {
        "uri": f"at://{did}/app.bsky.feed.post/3k{number:011d}",
        "cid": f"b{number}",
        "author": {"did": did, "handle": handle},
        "reason": reason,
        "record": {"$type": POST, "text": text, "createdAt": at},
        "indexedAt": at,
        "isRead": False,
    }


def test_mentions_are_heard_once_oldest_first(stage):
    view, did = accounts.view(), stage.door.did
    view.page = 3
    entries = [_entry(number, reason="reply" if number % 2 else "mention") for number in range(4)]
    entries += [_entry(4, reason="like"), _entry(5, did=did), _entry(6, text=""), _entry(7, handle="handle.invalid")]
    view.notifications[did] = entries[:]
    first = stage.open().mentions("mira", None)
    # of the time before only one page is read
    assert [mention.at for mention in first.mentions] == [NOW + timedelta(minutes=7)]
    assert first.mentions[0].author == "did:plc:someone"
    assert stage.open().mentions("mira", first.cursor).mentions == ()
    view.notifications[did] += [_entry(number, text=f"Ask {number}\x1b[2J") for number in range(8, 16)]
    # of the same moment as the newest that was heard
    view.notifications[did].append({**_entry(7), "uri": "at://did:plc:other/app.bsky.feed.post/3kother"})
    second = stage.open().mentions("mira", first.cursor)
    assert [mention.text for mention in second.mentions] == ["Where is that?", *(f"Ask {number}[2J" for number in range(8, 16))]
    assert second.mentions[1].url == "https://bsky.app/profile/someone.test/post/3k00000000008"
    assert stage.open().mentions("mira", second.cursor).mentions == ()
    view.page = 100


CIDS = (
    "bafyreiaialp4e4b4jwwhzyv2y47ti5ghda6kqdb5gkmgjy6bkw77z5do4i",
    "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
)


def _reply(stage, uri, text="It is the corner with the clock."):
    mention = Mention(id=uri, channel="bluesky", persona="mira", author="someone.test", text="Where?", at=NOW)
    return Reply(id=7, mention=mention, state=ReplyState.SENDING, text=text, updated=NOW)


def test_an_answer_goes_out_once_and_hangs_where_it_belongs(stage):
    asked = _entry(1)
    root = {"uri": "at://did:plc:mira/app.bsky.feed.post/3kroot", "cid": CIDS[0]}
    cid = CIDS[1]
    accounts.view().posts[asked["uri"]] = {
        "uri": asked["uri"],
        "cid": cid,
        "record": {**asked["record"], "reply": {"root": root, "parent": root}},
    }
    reply = _reply(stage, asked["uri"])
    assert stage.open().answered(reply, SENDING) is None
    stage.door.fail("putRecord", after=True, silent=True)
    receipt = stage.open().answer(reply, SENDING)
    assert isinstance(receipt, Receipt)
    assert stage.open().answered(reply, SENDING) == receipt
    later = replace(SENDING, begun=NOW + timedelta(hours=1))
    assert stage.open().answer(_reply(stage, asked["uri"], "Other words"), later) == receipt
    (post,) = stage.door.published
    assert post["text"] == "It is the corner with the clock."
    assert post["reply"] == {"root": root, "parent": {"uri": asked["uri"], "cid": cid}}


def test_what_is_not_there_any_more_is_not_answered(stage):
    with pytest.raises(ProviderRefused, match="not there any more"):
        stage.open().answer(_reply(stage, "at://did:plc:gone/app.bsky.feed.post/3kgone"), SENDING)
    assert stage.door.published == ()
