"""X: the picture in pieces, the alt text, the post, and a timeline with X's own links in it."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from PIL import Image

from zirelia.channels.x import _moment
from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, ProviderRefused, RateLimited
from zirelia.ports import Uncertain
from zirelia.testing.social_peer import form_of

from .conftest import NOW, beside


@pytest.fixture
def stage():
    with beside("meta_accounts").staged("x", lambda: NOW) as opened:
        yield opened


@pytest.fixture
def large(plan):
    """A picture of three pieces."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (1300, 1200), random.Random(1).randbytes(1300 * 1200 * 3)).save(buffer, "JPEG", quality=98)
    assert 2_000_000 < len(buffer.getvalue()) < 3_000_000
    return replace(plan(channel="x"), image=buffer.getvalue())


def asked(stage, ending):
    return [request for request in stage.server.requests if request.path.endswith(ending)]


def test_what_is_sent(stage, large, envelope):
    kept = envelope()
    receipt = stage.open().submit(large, kept.sending())
    assert [form_of(request)[0]["segment_index"] for request in asked(stage, "/append")] == ["0", "1", "2"]
    (start,), (about,), (post,) = asked(stage, "/initialize"), asked(stage, "/metadata"), asked(stage, "/2/tweets")
    kind = {"media_type": "image/jpeg", "media_category": "tweet_image", "total_bytes": len(large.image)}
    assert start.json() == kind
    media = stage.server.published[0]["media"]
    assert about.json() == {"id": media, "metadata": {"alt_text": {"text": "A woman with tea"}}}
    assert post.json() == {"text": large.caption, "media": {"media_ids": [media]}, "made_with_ai": True}
    assert isinstance(receipt, Receipt)
    assert receipt.url == f"https://x.com/mira/status/{receipt.platform_id}"
    assert receipt.at == _moment(receipt.platform_id) == NOW
    assert kept.created == f"post:{receipt.platform_id}"
    assert all(stage.server.token not in f"{request.path}{request.query}{request.body!r}" for request in stage.server.requests)


@pytest.mark.parametrize(
    ("caption", "usd"), [("Tea, again.", 0.015), ("Tea at https://tea.example/lisbon", 0.2), ("Tea at lisbon.tea/now", 0.2)]
)
def test_what_it_costs(stage, plan, envelope, caption, usd):
    wanted = plan(caption=caption)
    assert stage.open().price_usd(wanted) == usd
    stage.open().submit(wanted, envelope().sending())
    assert stage.server.charged <= usd
    assert stage.open().facts().paid


def test_a_piece_is_sent_again_and_takes_its_place(stage, large, envelope):
    stage.server.fail("append", after=True, silent=True)
    stage.server.fail("append", status=503)
    assert isinstance(stage.open().submit(large, envelope().sending()), Receipt)
    assert len(asked(stage, "/append")) == 5


def test_a_part_that_did_not_arrive_is_noticed_before_anything_is_posted(stage, large, envelope):
    stage.server.loses = 1000
    with pytest.raises(ProviderError, match="bytes arrived") as error:
        stage.open().submit(large, envelope().sending())
    assert error.value.retryable
    assert not asked(stage, "/2/tweets")


@pytest.mark.parametrize("looks", [1, 3])
def test_a_picture_is_waited_for(stage, plan, envelope, looks):
    stage.server.looks = looks
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Receipt)
    assert len(stage.slept) == looks


def test_a_picture_that_fails_or_never_ends_is_not_posted(stage, plan, envelope):
    stage.server.looks, stage.server.processing = 1, "failed"
    with pytest.raises(ProviderRefused, match="could not be processed"):
        stage.open().submit(plan(), envelope().sending())
    stage.server.looks = 1000
    with pytest.raises(ProviderError, match="still being processed"):
        stage.open().submit(plan(), envelope().sending())
    assert stage.server.published == ()


def test_without_its_alt_text_nothing_is_posted(stage, plan, envelope):
    stage.server.fail("metadata", status=500)
    with pytest.raises(ProviderError):
        stage.open().submit(plan(), envelope().sending())
    assert stage.server.published == ()
    stage.open().submit(replace(plan(), alt_text=""), envelope().sending())
    assert len(asked(stage, "/metadata")) == 1


@pytest.mark.parametrize(
    "caption",
    ["Tea & cake <3", "Read https://tea.example/a?b=1&c=2 and https://www.tea.example", "“Tea”…\n\n#tea", "日本語のお茶 🍵"],
)
def test_a_lost_answer_is_found_by_its_text(stage, plan, envelope, caption):
    wanted = plan(caption=caption)
    stage.server.fail("post", after=True, silent=True)
    assert isinstance(stage.open().submit(wanted, envelope().sending()), Uncertain)
    found = stage.open().reconcile(wanted, envelope().sending())
    assert found.platform_id == stage.server.published[0]["id"]
    assert stage.open().reconcile(plan(caption="Other words"), envelope().sending()) is None


@pytest.mark.parametrize("ahead", [-50, -10, 0, 10, 50])
def test_a_clock_that_is_wrong_hides_nothing(stage, plan, envelope, ahead):
    stage.server.ahead = timedelta(minutes=ahead)
    stage.plant(plan().caption, NOW + timedelta(minutes=ahead - 5))  # the same words, before
    stage.server.fail("post", body={"detail": "x"}, status=500)
    stage.open().submit(plan(), envelope().sending())
    if ahead > -20:
        assert stage.open().reconcile(plan(), envelope().sending()) is None
    stage.plant(plan().caption, NOW + timedelta(minutes=ahead, seconds=1))
    stage.server.ahead += timedelta(seconds=2)
    if ahead > -20:
        assert stage.open().reconcile(plan(), envelope().sending()) is not None
    else:  # X says that the time asked for has not come: nothing is known
        with pytest.raises(ProviderError):
            stage.open().reconcile(plan(), envelope().sending())


def test_a_duplicate_is_a_hint(stage, plan, envelope):
    stage.plant(plan().caption, NOW - timedelta(hours=3))
    answer = stage.open().submit(plan(), envelope().sending())
    assert isinstance(answer, Uncertain)
    assert "has this text already" in answer.because


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [(400, ProviderRefused, None), (402, ProviderRefused, "no credit"), (403, ProviderRefused, None), (429, RateLimited, None)],
)
def test_each_status_has_its_kind(stage, plan, envelope, status, kind, hint):
    reset = str(int((NOW + timedelta(seconds=90)).timestamp()))
    stage.server.fail("post", status=status, headers={"x-rate-limit-reset": reset})
    with pytest.raises(kind) as error:
        stage.open().submit(plan(), envelope().sending())
    assert hint is None or hint in error.value.hint
    assert status != 429 or error.value.retry_after == 90


@pytest.mark.parametrize("body", [[], {}, {"data": {}}, {"data": {"id": "x"}}, "text"])
def test_an_answer_without_an_id_may_have_posted(stage, plan, envelope, body):
    stage.server.fail("post", status=201, body=body, after=True)
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Uncertain)
    assert stage.open().reconcile(plan(), envelope().sending()) is not None


def test_a_known_post_is_not_paid_for_to_be_read(stage, plan, envelope):
    kept = envelope()
    receipt = stage.open().submit(plan(), kept.sending())
    before = len(stage.server.requests)
    assert stage.open().reconcile(plan(), kept.sending()) == receipt
    assert len(stage.server.requests) == before


def test_many_pages_are_read(stage, plan, envelope):
    for number in range(150):
        stage.plant(f"Newer {number}", NOW + timedelta(milliseconds=number))
    stage.plant(plan().caption, NOW - timedelta(seconds=1))
    stage.server.ahead = timedelta(seconds=1)
    assert stage.open().reconcile(plan(), envelope().sending()) is not None
    assert len(asked(stage, "/tweets")) == 2


def test_what_is_counted(stage, plan, envelope):
    measured = stage.open().measure(stage.open().submit(plan(), envelope().sending()))
    assert (measured.views, measured.likes, measured.comments, measured.shares, measured.saves) == (60, 3, 2, 5, 5)
