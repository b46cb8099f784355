"""A Facebook Page: one call with the picture in it, and the Page's own posts to look it up in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, RateLimited
from zirelia.ports import Uncertain
from zirelia.testing.graph_server import meta_error
from zirelia.testing.social_peer import form_of

from .conftest import NOW, beside


@pytest.fixture
def stage():
    with beside("meta_accounts").staged("facebook", lambda: NOW) as opened:
        yield opened


def test_what_is_sent(stage, plan, envelope):
    kept, wanted = envelope(), plan(channel="facebook")
    receipt = stage.open().submit(wanted, kept.sending())
    (sent,) = [request for request in stage.server.requests if request.path.endswith("/photos")]
    fields, files = form_of(sent)
    assert sent.path == f"/v25.0/{stage.server.page}/photos"
    assert fields == {"caption": wanted.caption, "published": "true", "alt_text_custom": "A woman with tea"}
    assert files == {"source": wanted.image}
    assert receipt == Receipt(platform_id=receipt.platform_id, url=f"https://www.facebook.com/{receipt.platform_id}", at=NOW)
    assert kept.created == f"post:{receipt.platform_id}"
    assert stage.host.fetched == 0


def test_a_post_that_the_page_tidied_is_found(stage, plan, envelope):
    stage.server.fail("photo", after=True, silent=True)
    stage.open().submit(plan(), envelope().sending())
    entry = stage.server._published[stage.server.published[0]["id"]]
    entry["text"] = entry["text"].replace("\n\n", "\n").replace(", again", "， again") + " "
    assert stage.open().reconcile(plan(), envelope().sending()) is not None


def test_a_post_that_is_shown_cut_short_is_for_a_person(stage, plan, envelope):
    stage.plant("Tea, again. ☕\n\nVirtual character, ma…", NOW)
    with pytest.raises(ProviderError, match="not shown whole"):
        stage.open().reconcile(plan(), envelope().sending())


@pytest.mark.parametrize(("minutes", "found"), [(-3, False), (-1, True), (0, True), (200, True)])
def test_only_what_was_made_since_then_counts(stage, plan, envelope, minutes, found):
    stage.plant(plan().caption, NOW + timedelta(minutes=minutes))
    assert (stage.open().reconcile(plan(), envelope().sending()) is not None) is found


def test_a_page_that_cannot_be_read_says_nothing_of_absence(stage, plan, envelope):
    stage.server.fail("list", status=500, times=3)
    with pytest.raises(ProviderError):
        stage.open().reconcile(plan(), envelope().sending())
    assert len([request for request in stage.server.requests if request.path.endswith("published_posts")]) == 3


def test_limits_and_duplicates(stage, plan, envelope):
    stage.server.usage.told, stage.server.usage.app = True, 99
    with pytest.raises(RateLimited):
        stage.open().submit(plan(), envelope().sending())
    stage.server.usage.app = 10
    stage.server.fail("photo", status=400, body=meta_error(506, "Duplicate status message"))
    assert isinstance(stage.open().submit(plan(), envelope().sending()), Uncertain)
    assert stage.server.published == ()


def test_what_is_counted(stage, plan, envelope):
    measured = stage.open().measure(stage.open().submit(plan(), envelope().sending()))
    assert (measured.views, measured.likes, measured.comments, measured.shares) == (None, 3, 1, 0)
    assert stage.open().capabilities().ai_label is False
