"""Mastodon on a real peer, read back by an independent client; what the peer cannot do is done by the door in front of it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from mastodon import Mastodon
from PIL import Image

from zirelia.channels.mastodon import MastodonChannel, declare_bot
from zirelia.channels.mastodon_api import DEFAULT_LIMITS, limits_in, words_of
from zirelia.channels.wire import Line, connected
from zirelia.domain.publication import Receipt
from zirelia.domain.reply import Reply, ReplyState
from zirelia.errors import ProviderError, ProviderRefused, RateLimited
from zirelia.ports import Uncertain
from zirelia.testing.social_peer import form_of

from .conftest import NOW, beside

accounts = beside("meta_accounts")


@pytest.fixture
def stage():
    with accounts.staged("mastodon", lambda: NOW) as opened:
        yield opened


@pytest.fixture
def reader(stage):
    """The same account by Mastodon.py, past the door."""
    return Mastodon(access_token=stage.server.token, api_base_url=accounts.mastodon_peer().url, request_timeout=30)


@pytest.fixture
def ana():
    """Somebody else."""
    _, token = accounts.mastodon_peer().new_account()
    return Mastodon(access_token=token, api_base_url=accounts.mastodon_peer().url, request_timeout=30)


def asked(stage, method, path):
    return [one for one in stage.server.requests if one.method == method and one.path.startswith(path)]


def uploads(stage):
    return len(asked(stage, "POST", "/api/v2/media"))


def test_what_is_sent_and_read_back(stage, reader, plan, envelope):
    kept, wanted = envelope(), replace(plan(channel="mastodon"), language="pt")
    receipt = stage.open().submit(wanted, kept.sending())
    (upload,), (post,) = asked(stage, "POST", "/api/v2/media"), asked(stage, "POST", "/api/v1/statuses")
    fields, files = form_of(upload)
    assert fields == {"description": "A woman with tea"}
    assert files == {"file": wanted.image}
    assert post.headers["idempotency-key"] == wanted.publication_id
    assert post.json()["visibility"] == "public"
    status = reader.status(receipt.platform_id)
    (picture,) = status.media_attachments
    assert words_of(status.content) == wanted.caption
    assert (status.language, picture.description) == ("pt", "A woman with tea")
    assert httpx.get(picture.url).content == wanted.image
    assert receipt == Receipt(platform_id=str(status.id), url=status.url, at=NOW)
    assert kept.created == f"status:{status.id}"
    assert len(reader.account_statuses(stage.server.account)) == 1


def test_a_resumed_call_uploads_nothing_again(stage, plan, envelope):
    kept = envelope()
    stage.server.fail("post", status=429)
    with pytest.raises(RateLimited):
        stage.open().submit(plan(), kept.sending())
    assert kept.created.startswith("media:")
    # another text is posted with the same picture; another alt text is not
    edited = plan(caption="Other words")
    stage.server.fail("post", status=429)
    with pytest.raises(RateLimited):
        stage.open().submit(edited, kept.sending())
    assert uploads(stage) == 1
    assert isinstance(stage.open().submit(replace(edited, alt_text="Other alt"), kept.sending()), Receipt)
    assert uploads(stage) == 2
    assert stage.server.published[0]["alt_text"] == "Other alt"


@pytest.mark.parametrize("looks", [1, 4])
def test_a_picture_is_waited_for(stage, plan, envelope, looks):
    stage.server.looks = looks
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Receipt)
    assert len(stage.slept) == looks


def test_a_slow_picture_is_taken_up_by_the_next_try(stage, plan, envelope):
    stage.server.looks, kept = 15, envelope()
    with pytest.raises(ProviderError, match="still being processed") as error:
        stage.open().submit(plan(), kept.sending())
    assert error.value.retryable
    assert isinstance(stage.open().submit(plan(), kept.sending()), Receipt)
    assert uploads(stage) == 1


@pytest.mark.parametrize("lost", [100, 500])
def test_a_picture_that_did_not_arrive_whole_is_not_posted(stage, plan, envelope, lost):
    stage.server.loses, kept = lost, envelope()
    with pytest.raises(ProviderError, match="did not arrive as it is") as error:
        stage.open().submit(plan(), kept.sending())
    assert error.value.retryable
    assert stage.server.published == ()
    assert isinstance(stage.open().submit(plan(), kept.sending()), Receipt)
    assert uploads(stage) == 2


def test_a_picture_of_another_size_is_not_posted(stage, plan, envelope, monkeypatch):
    kept = envelope()
    monkeypatch.setattr(stage.server, "_sized", lambda made: made | {"meta": {"original": {"width": 16, "height": 12}}})
    with pytest.raises(ProviderError, match="did not arrive as it is"):
        stage.open().submit(plan(), kept.sending())
    assert stage.server.published == ()


def test_a_picture_that_the_instance_threw_away_is_uploaded_again(stage, plan, envelope):
    kept = envelope()
    stage.server.fail("post", status=429)
    with pytest.raises(RateLimited):
        stage.open().submit(plan(), kept.sending())
    media = kept.created.split(":")[1]
    token = {"Authorization": f"Bearer {stage.server.token}"}
    httpx.delete(f"{accounts.mastodon_peer().url}/api/v1/media/{media}", headers=token).raise_for_status()
    assert isinstance(stage.open().submit(plan(), kept.sending()), Receipt)
    assert uploads(stage) == 2
    assert stage.server.published[0]["alt_text"] == "A woman with tea"


def test_a_lost_answer_is_found_by_its_picture_whatever_the_text(stage, plan, envelope):
    stage.server.fail("post", after=True, silent=True)
    kept = envelope()
    assert isinstance(stage.open().submit(plan(), kept.sending()), Uncertain)
    # the same words by hand, at the same time: they are another post
    stage.plant(plan().caption, NOW)
    for text in (plan().caption, "Cut to the limits that were read meanwhile."):
        found = stage.open().reconcile(replace(plan(), caption=text), kept.sending())
        assert found.platform_id == stage.server.published[0]["id"]


@pytest.mark.parametrize(
    "caption",
    [
        "Tea & cake <3 <b>not bold</b>",
        "Read https://tea.example/a?b=1&c=2 and https://www.tea.example/long/path",
        "“Tea”…\n\n#tea\n#cake",
        "日本語のお茶 🍵",
        "@ana hello",
    ],
)
def test_a_lost_answer_without_a_stored_id_is_found_by_its_text(stage, plan, envelope, caption):
    wanted = plan(caption=caption)
    stage.plant(wanted.caption, NOW - timedelta(days=3))
    stage.server.fail("post", after=True, silent=True)
    assert isinstance(stage.open().submit(wanted, envelope().sending()), Uncertain)
    found = stage.open().reconcile(wanted, envelope().sending())
    assert found.platform_id == stage.server.published[1]["id"]
    assert stage.open().reconcile(plan(caption="Other words"), envelope().sending()) is None


def test_a_picture_in_a_post_that_is_not_shown_leaves_it_to_a_person(stage, reader, plan, envelope):
    kept = envelope()
    stage.server.fail("post", after=True, silent=True)
    stage.open().submit(plan(), kept.sending())
    reader.status_delete(stage.server.published[0]["id"])
    with pytest.raises(ProviderError, match="posted, or thrown away"):
        stage.open().reconcile(plan(), kept.sending())
    kept.begun = NOW - timedelta(hours=25)  # by then an instance has thrown away what was never posted
    assert stage.open().reconcile(plan(), kept.sending()) is None


def test_the_key_makes_one_post_of_two_calls(stage, plan, envelope):
    first = stage.open().submit(plan(), envelope().sending())
    assert stage.open().submit(plan(), envelope().sending()) == first
    assert len(stage.server.published) == 1


@pytest.mark.parametrize("fault", [{"silent": True}, {"status": 500}, {"status": 503}, {"status": 200, "body": []}])
@pytest.mark.parametrize("after", [True, False])
def test_without_the_key_nothing_is_posted_twice_either(fault, after, tmp_path):
    with beside("press").press_in(tmp_path, NOW) as press, accounts.staged("mastodon", press.clock) as stage:
        stage.server.forgets = True
        stage.server.fail("post", after=after, **fault)
        publication = press.send(press.approved("mastodon", "Tea, again."), stage.open)
        (mine,) = stage.server.published
        assert publication.receipt.platform_id == mine["id"]


@pytest.mark.parametrize("body", [{}, {"id": 7}, {"id": "../x"}, {"id": "7"}, "text", [1]])
def test_an_answer_that_cannot_be_read_may_have_posted(stage, plan, envelope, body):
    kept = envelope()
    stage.server.fail("post", status=200, body=body, after=True)
    answer = stage.open().submit(plan(), kept.sending())
    assert isinstance(answer, Uncertain)
    if body != {"id": "7"}:
        assert stage.open().reconcile(plan(), kept.sending()) is not None


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [(400, ProviderRefused, None), (403, ProviderRefused, "zirelia connect mastodon"), (422, ProviderRefused, None)],
)
def test_each_status_has_its_kind(stage, plan, envelope, status, kind, hint):
    stage.server.fail("post", status=status, body={"error": "Validation failed"})
    with pytest.raises(kind, match="Validation failed") as error:
        stage.open().submit(plan(), envelope().sending())
    assert error.value.hint == hint
    assert not error.value.retryable


@pytest.mark.parametrize("ahead", [-10, 0, 10])
@pytest.mark.parametrize("written", ["iso", "seconds", "nothing", "nonsense"])
def test_a_limit_that_is_used_up_is_waited_for(stage, plan, envelope, written, ahead):
    stage.server.ahead = timedelta(minutes=ahead)
    reset = stage.server.time() + timedelta(seconds=90)
    told = {"iso": reset.isoformat().replace("+00:00", "Z"), "seconds": str(int(reset.timestamp())), "nonsense": "soon"}
    headers = {"x-ratelimit-remaining": "0"} | ({"x-ratelimit-reset": told[written]} if written in told else {})
    stage.server.fail("post", status=429, headers=headers)
    channel, kept = stage.open(), envelope()
    with pytest.raises(RateLimited) as error:
        channel.submit(plan(), kept.sending())
    assert error.value.retry_after == (90 if written in {"iso", "seconds"} else 300)
    before = len(asked(stage, "POST", "/api/v1/statuses"))
    with pytest.raises(RateLimited, match="no call is left"):
        channel.submit(plan(), kept.sending())
    assert len(asked(stage, "POST", "/api/v1/statuses")) == before
    assert channel.reconcile(plan(), kept.sending()) is None  # reads have a limit of their own


def test_limits_are_read_once_and_kept_to(stage, plan, envelope):
    channel = stage.open()
    assert channel.capabilities() == DEFAULT_LIMITS
    assert not stage.server.requests
    stage.server.says = {"statuses": {"max_characters": 60}, "media_attachments": {"description_limit": 10}}
    with pytest.raises(ProviderRefused, match="the instance takes 60") as error:
        channel.submit(plan(caption="Tea, " * 10), envelope().sending())
    assert "publish again" in error.value.hint
    assert channel.capabilities().caption_limit == 60
    with pytest.raises(ProviderRefused, match="the alt text has 16 characters, the instance takes 10"):
        channel.submit(plan(), envelope().sending())
    assert len(asked(stage, "GET", "/api/v2/instance")) == 1
    assert uploads(stage) == 0
    assert channel.read_limits().alt_text_limit == 10


def test_a_relative_that_does_not_tell_its_limits_has_the_usual_ones(stage, plan, envelope):
    stage.server.fail("instance", status=404)
    channel = stage.open()
    assert isinstance(channel.submit(plan(), envelope().sending()), Receipt)
    assert channel.capabilities() == DEFAULT_LIMITS


@pytest.mark.parametrize("said", [{}, {"configuration": None}, {"configuration": {"statuses": {"max_characters": "many"}}}])
def test_limits_that_are_not_told_are_the_usual_ones(said):
    assert limits_in(said) == DEFAULT_LIMITS


def test_limits_that_are_told(stage):
    told = limits_in(httpx.get(f"{accounts.mastodon_peer().url}/api/v2/instance").json())
    assert (told.caption_limit, told.image_bytes_limit, told.image_side, told.counts) == (500, 10_485_760, 2048, "links-23")
    small = {"media_attachments": {"image_matrix_limit": 1_000_000}, "statuses": {"characters_reserved_per_url": 30}}
    told = limits_in({"configuration": small})
    assert (told.image_side, told.counts) == (1000, "graphemes")


def test_a_picture_that_cannot_be_read_goes_nowhere(stage, plan, envelope):
    with pytest.raises(ProviderRefused, match="cannot be read"):
        stage.open().submit(replace(plan(), image=b"\xff\xd8\xff" + b"0" * 100), envelope().sending())
    assert uploads(stage) == 0


def test_many_pages_are_read(stage, plan, envelope):
    stage.plant("Long ago", NOW - timedelta(days=1))
    stage.server.fail("post", after=True, silent=True)
    stage.open().submit(plan(), envelope().sending())
    for number in range(45):
        stage.plant(f"Newer {number}", NOW)
    assert stage.open().reconcile(plan(), envelope().sending()) is not None
    assert len(asked(stage, "GET", f"/api/v1/accounts/{stage.server.account}/statuses")) == 2


def test_what_is_counted(stage, ana, plan, envelope):
    receipt = stage.open().submit(plan(), envelope().sending())
    ana.status_favourite(receipt.platform_id)
    ana.status_reblog(receipt.platform_id)
    ana.status_post(f"@{stage.server.handle} nice", in_reply_to_id=receipt.platform_id)
    measured = stage.open().measure(receipt)
    assert (measured.views, measured.likes, measured.shares, measured.comments) == (None, 1, 1, 1)


def test_the_profile_says_that_it_is_a_bot(stage, reader):
    line = Line("mastodon", accounts.mastodon_peer().url, token=lambda: stage.server.token)
    assert not reader.me().bot
    with connected(line) as wire:
        declare_bot(wire)
    assert reader.me().bot
    with connected(replace(line, token=lambda: "stale-token")) as wire, pytest.raises(ProviderRefused, match="expired"):
        declare_bot(wire)


def reply_to(mention, text, number=1):
    return Reply(id=number, mention=mention, state=ReplyState.SENDING, text=text, updated=NOW)


def test_mentions_are_heard_once_and_answered_once(stage, ana, reader, envelope):
    ana.status_post("Nobody is meant")
    for number in range(3):
        ana.status_post(f"@{stage.server.handle} Are you <b>real</b> & alive? {number}", spoiler_text="question")
    channel = stage.open()
    heard = channel.mentions("mira", None)
    assert [one.text for one in heard.mentions] == [
        f"question\n\n@{stage.server.handle} Are you <b>real</b> & alive? {number}" for number in range(3)
    ]
    mention = heard.mentions[0]
    assert (mention.channel, mention.persona, mention.author) == ("mastodon", "mira", ana.me().acct)
    assert channel.mentions("mira", heard.cursor) == replace(heard, mentions=())
    ana.status_post(f"@{stage.server.handle} And now?")
    later = channel.mentions("mira", heard.cursor)
    assert [one.text for one in later.mentions] == [f"@{stage.server.handle} And now?"]
    reply = reply_to(mention, "Yes, I am an AI character.")
    assert channel.answered(reply, envelope().sending()) is None
    receipt = channel.answer(reply, envelope().sending())
    status = reader.status(receipt.platform_id)
    assert str(status.in_reply_to_id) == mention.id
    assert words_of(status.content) == f"@{mention.author} Yes, I am an AI character."
    assert channel.answered(reply, envelope().sending()) == receipt
    assert channel.answer(reply, envelope().sending()) == receipt
    assert len(ana.notifications(types=["mention"])) == 1


def test_many_mentions_are_read_in_pages(stage, ana):
    channel = stage.open()
    ana.status_post(f"@{stage.server.handle} first")
    cursor = channel.mentions("mira", None).cursor
    for number in range(45):
        ana.status_post(f"@{stage.server.handle} {number}")
    heard = channel.mentions("mira", cursor)
    assert [one.text.split()[-1] for one in heard.mentions] == [str(number) for number in range(45)]


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_an_answer_is_seen_by_no_more_than_the_question(stage, ana, envelope, visibility):
    ana.status_post(f"@{stage.server.handle} only for you", visibility=visibility)
    (mention,) = stage.open().mentions("mira", None).mentions
    stage.open().answer(reply_to(mention, "Thank you."), envelope().sending())
    assert stage.server.published[0]["visibility"] == visibility


def test_a_lost_answer_to_a_mention_is_found(stage, ana, envelope):
    said = ana.status_post(f"@{stage.server.handle} hello")
    (mention,) = stage.open().mentions("mira", None).mentions
    stage.server.fail("post", after=True, silent=True)
    reply = reply_to(mention, "Hello to you.")
    assert isinstance(stage.open().answer(reply, envelope().sending()), Uncertain)
    assert stage.open().answered(reply, envelope().sending()).platform_id == stage.server.published[0]["id"]
    with pytest.raises(ProviderRefused, match="longer than 500"):
        stage.open().answer(reply_to(mention, "x" * 495, 2), envelope().sending())
    ana.status_delete(said.id)
    with pytest.raises(ProviderRefused, match="404"):
        stage.open().answer(reply_to(mention, "Too late.", 3), envelope().sending())
    assert len(stage.server.published) == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>One<br />two</p><p>three &amp; &lt;four&gt;</p>", "One\ntwo\n\nthree & <four>"),
        ("<p><a href='x'><span class='invisible'>https://</span><span>tea.example</span></a></p>", "https://tea.example"),
        ("<script>alert(1)</script><p>said<img src=x onerror=alert(1)></p>", "said"),
        ("plain", "plain"),
        ("", ""),
        (None, ""),
    ],
)
def test_html_is_read_as_text(content, text):
    assert words_of(content) == text


def test_two_pictures_are_two_sizes(stage, plan, envelope):
    """A tall picture arrives tall."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 90), "teal").save(buffer, "JPEG")
    assert isinstance(stage.open().submit(replace(plan(), image=buffer.getvalue()), envelope().sending()), Receipt)


def test_it_says_where_it_posts(stage):
    channel = stage.open()
    assert isinstance(channel, MastodonChannel)
    assert channel.facts().details == {"account": stage.server.account, "address": stage.server.url}
