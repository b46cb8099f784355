"""Instagram and Threads: two steps, one container, and what may go wrong between them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from PIL import Image

from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.ports import Uncertain
from zirelia.testing.graph_server import meta_error
from zirelia.testing.social_peer import form_of

from .conftest import NOW, beside

accounts = beside("meta_accounts")


@pytest.fixture
def stage():
    with accounts.staged("instagram", lambda: NOW) as opened:
        yield opened


@pytest.fixture
def threads():
    with accounts.staged("threads", lambda: NOW) as opened:
        yield opened


def asked(stage, ending):
    return [request for request in stage.server.requests if request.path.endswith(ending)]


def test_what_is_sent(stage, plan, envelope):
    kept = envelope()
    receipt = stage.open().submit(plan(channel="instagram"), kept.sending())
    (made,), (sent,) = asked(stage, "/media"), asked(stage, "/media_publish")
    fields, _ = form_of(made)
    assert made.path == f"/v25.0/{stage.server.account}/media"
    assert fields["caption"] == "Tea, again. ☕\n\nVirtual character, made with AI."
    assert (fields["alt_text"], fields["is_ai_generated"]) == ("A woman with tea", "true")
    assert fields["image_url"].startswith(stage.host.url)
    assert form_of(sent)[0] == {"creation_id": stage.server.published[0]["container"]}
    assert isinstance(receipt, Receipt)
    assert (receipt.url, receipt.at) == (f"https://www.instagram.com/p/{receipt.platform_id}/", NOW)
    assert kept.created == f"media:{receipt.platform_id}"
    assert stage.host.fetched == 1
    assert all(stage.server.token not in f"{request.path}{request.query}{request.body!r}" for request in stage.server.requests)


def test_threads_has_no_ai_parameter(threads, plan, envelope):
    channel = threads.open()
    receipt = channel.submit(plan(channel="threads"), envelope().sending())
    fields, _ = form_of(next(request for request in asked(threads, "/threads") if request.method == "POST"))
    assert set(fields) == {"media_type", "image_url", "text", "alt_text"}
    assert receipt.url.startswith("https://www.threads.net/")
    limits = channel.capabilities()
    assert (limits.caption_limit, limits.counts, limits.ai_label) == (500, "emoji-bytes", False)


def test_the_container_is_stored_before_it_is_published(stage, plan, envelope):
    kept = envelope()

    class Stop(Exception): ...

    def keep(created):
        kept._keep(created)
        raise Stop

    with pytest.raises(Stop):
        stage.open().submit(plan(), replace(kept.sending(), keep=keep))
    assert kept.created.startswith("container:")
    assert not asked(stage, "/media_publish")
    assert isinstance(stage.open().submit(plan(), kept.sending()), Receipt)
    assert stage.server.containers == 1


def test_a_container_is_looked_at_until_it_is_ready(stage, plan, envelope):
    stage.server.looks = 4
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Receipt)
    assert stage.slept == [1.0, 2.0, 3.0]


def test_a_container_that_takes_too_long_is_taken_up_by_the_next_try(stage, plan, envelope):
    stage.server.looks, kept = 15, envelope()
    with pytest.raises(ProviderError, match="not ready yet") as slow:
        stage.open().submit(plan(), kept.sending())
    assert slow.value.retryable
    assert stage.open().reconcile(plan(), kept.sending()) is None
    assert isinstance(stage.open().submit(plan(), kept.sending()), Receipt)
    assert (stage.server.containers, stage.host.fetched) == (1, 1)


@pytest.mark.parametrize("ending", ["ERROR", "EXPIRED"])
def test_a_dead_container_is_made_anew(stage, plan, envelope, ending):
    stage.server.ending, kept = ending, envelope()
    with pytest.raises(ProviderError, match=ending) as dead:
        stage.open().submit(plan(), kept.sending())
    assert dead.value.retryable
    stage.server.ending = "FINISHED"
    assert isinstance(stage.open().submit(plan(), kept.sending()), Receipt)
    assert (stage.server.containers, len(stage.server.published)) == (2, 1)


def test_an_edited_post_gets_a_container_of_its_own(stage, plan, envelope):
    stage.server.fail("publish", status=400, body=meta_error(100, "no"))
    kept = envelope()
    with pytest.raises(ProviderRefused):
        stage.open().submit(plan(), kept.sending())
    stage.open().submit(plan(caption="Tea, at last."), kept.sending())
    (out,) = stage.server.published
    assert out["text"].startswith("Tea, at last.")
    assert stage.server.containers == 2


def test_a_container_that_was_published_unseen_is_never_published_again(stage, plan, envelope):
    stage.server.fail("publish", after=True, silent=True)
    kept = envelope()
    unclear = stage.open().submit(plan(), kept.sending())
    assert isinstance(unclear, Uncertain)
    first = stage.open().submit(plan(), kept.sending())  # nobody reconciled
    assert first.platform_id == stage.server.published[0]["id"]
    # nor when its status is behind the times
    stage.server.fail("status", status=200, body={"id": "1", "status_code": "FINISHED"}, times=2)
    assert stage.open().submit(plan(), kept.sending()) == first
    assert len(stage.server.published) == 1


def test_a_container_that_was_published_but_is_not_shown_is_for_a_person(stage, plan, envelope):
    stage.server.fail("publish", after=True, silent=True)
    kept = envelope()
    stage.open().submit(plan(), kept.sending())
    stage.server._published[stage.server.published[0]["id"]]["text"] = "changed by hand"
    with pytest.raises(ProviderError, match="was published, but nothing with this text"):
        stage.open().reconcile(plan(), kept.sending())
    assert isinstance(stage.open().submit(plan(), kept.sending()), Uncertain)
    assert len(stage.server.published) == 1


def test_a_post_whose_address_cannot_be_read_is_out_and_read_later(stage, plan, envelope):
    stage.server.fail("read", status=500, times=3)
    kept = envelope()
    answer = stage.open().submit(plan(), kept.sending())
    assert isinstance(answer, Uncertain)
    assert "it is out as" in answer.because
    assert stage.open().reconcile(plan(), kept.sending()).platform_id == stage.server.published[0]["id"]


def test_the_quota_is_read_before_anything_is_made(stage, threads, plan, envelope):
    for one, total in ((stage, 100), (threads, 250)):
        one.server.quota_used = total
        with pytest.raises(RateLimited, match=f"{total} of {total} posts"):
            one.open().submit(plan(), envelope().sending())
        assert one.server.containers == 0


def test_a_rate_limit_that_is_nearly_used_up_is_left_alone(stage, plan, envelope):
    stage.server.usage.told, stage.server.usage.use_case, stage.server.usage.regained_in = True, 97, 12
    with pytest.raises(RateLimited) as limited:
        stage.open().submit(plan(), envelope().sending())
    assert limited.value.retry_after == 720
    assert stage.server.containers == 0
    stage.server.usage.use_case = 60
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Receipt)


@pytest.mark.parametrize(("width", "height", "code"), [(400, 800, 36003), (800, 300, 36003)])
def test_a_picture_of_the_wrong_shape_is_refused_by_instagram(stage, plan, envelope, width, height, code):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "JPEG")
    with pytest.raises(ProviderRefused, match=f"code {code}"):
        stage.open().submit(replace(plan(), image=buffer.getvalue()), envelope().sending())
    assert stage.server.published == ()


def test_a_picture_that_cannot_be_fetched_may_be_tried_again(stage, plan, envelope):
    stage.host.down = True
    with pytest.raises(ProviderError, match="could not be fetched") as error:
        stage.open().submit(plan(), envelope().sending())
    assert error.value.retryable
    assert "from outside" in error.value.hint


ERRORS = [
    (4, 400, RateLimited, None),
    (17, 400, RateLimited, None),
    (32, 400, RateLimited, None),
    (613, 400, RateLimited, None),
    (80002, 400, RateLimited, None),
    (190, 400, TokenRefused, "zirelia connect instagram"),
    (10, 403, ProviderRefused, "the app lacks a permission"),
    (200, 403, ProviderRefused, "the app lacks a permission"),
    (36000, 400, ProviderRefused, "not one that the platform takes"),
    (100, 400, ProviderRefused, None),
]


@pytest.mark.parametrize(("code", "status", "kind", "hint"), ERRORS)
def test_each_code_has_its_kind(stage, plan, envelope, code, status, kind, hint):
    stage.server.fail("publish", status=status, body=meta_error(code, "because", 99))
    with pytest.raises(kind, match=rf"because \(code {code}, subcode 99, trace A6LJ") as error:
        stage.open().submit(plan(), envelope().sending())
    assert type(error.value) is kind
    assert hint is None or hint in error.value.hint


@pytest.mark.parametrize("code", [-2, -1, 1, 2])
def test_a_fault_of_metas_own_may_have_published(stage, plan, envelope, code):
    stage.server.fail("publish", status=400, body=meta_error(code))
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Uncertain)


@pytest.mark.parametrize("body", [[], {}, {"id": ""}, {"id": None}, "text"])
def test_an_answer_without_an_id_may_have_published(stage, plan, envelope, body):
    stage.server.fail("publish", status=200, body=body, after=True)
    kept = envelope()
    assert isinstance(stage.open().submit(plan(), kept.sending()), Uncertain)
    assert stage.open().reconcile(plan(), kept.sending()) is not None


def test_a_long_account_is_searched_page_by_page_without_following_addresses(stage, plan, envelope):
    for number in range(120):
        stage.server.plant("instagram", f"Newer {number}", NOW + timedelta(seconds=number + 1))
    stage.server.plant("instagram", None, NOW + timedelta(seconds=5))
    stage.server.fail("publish", after=True, silent=True)
    kept = envelope()
    stage.open().submit(plan(), kept.sending())
    found = stage.open().reconcile(plan(), kept.sending())
    assert found.platform_id == next(one["id"] for one in stage.server.published if one.get("container"))
    assert [request.asked().get("after") for request in asked(stage, "/media") if request.method == "GET"] == [
        None,
        "50",
        "100",
    ]


def test_an_account_without_end_is_not_searched_for_ever(stage, plan, envelope):
    for number in range(1001):
        stage.server.plant("instagram", f"Newer {number}", NOW + timedelta(seconds=number))
    with pytest.raises(ProviderError, match="more than can be searched"):
        stage.open().reconcile(plan(), envelope().sending())


def test_what_is_counted(stage, threads, plan, envelope):
    receipt = stage.open().submit(plan(), envelope().sending())
    measured = stage.open().measure(receipt)
    assert (measured.views, measured.likes, measured.comments, measured.shares, measured.saves) == (7, 3, 1, 7, 7)
    stage.server.fail("insights", status=403, body=meta_error(10, "Not enough viewers for the media to show insights"))
    measured = stage.open().measure(receipt)
    assert (measured.views, measured.likes, measured.comments) == (None, 3, 1)
    measured = threads.open().measure(threads.open().submit(plan(), envelope().sending()))
    assert (measured.views, measured.likes, measured.comments, measured.shares, measured.saves) == (7, 7, 7, 21, None)


def test_the_emulator_fetches_and_checks(stage, plan, envelope):
    """What the tests above rely on."""
    import httpx

    def make(url, **more):
        form = {"image_url": url, "caption": "x", **more}
        headers = {"Authorization": f"Bearer {stage.server.token}"}
        answer = httpx.post(
            f"{stage.server.url}/v25.0/{stage.server.account}/media", data=form, headers=headers, trust_env=False
        )
        return answer.json().get("error", {}).get("code")

    with stage.host.public(plan().image, "image/jpeg") as url:
        assert make(url) is None
        assert make(url, caption="x" * 2201) == 100
        assert make(url, caption="#a " * 31) == 100
    assert make(url) == 9004
    with stage.host.public(plan().image, "text/html") as url:
        assert make(url) == 9004
    with stage.host.public(b"\xff\xd8\xff no picture", "image/jpeg") as url:
        assert make(url) == 36001
    with stage.host.public(plan().image + b"\0" * 9_000_000, "image/jpeg") as url:
        assert make(url) == 36000
    query = httpx.get(f"{stage.server.url}/v25.0/{stage.server.account}?access_token={stage.server.token}", trust_env=False)
    assert json.loads(query.content)["error"]["code"] == 190  # a token in an address is not taken here
