"""Jobs that failed of an account go on when it is connected, once, on both databases; others stay as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zirelia.domain.job import JobKind
from zirelia.domain.post import PostState, move

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
WAY = (PostState.DRAFTED, PostState.SHOT, PostState.AWAITING_REVIEW, PostState.APPROVED)


@pytest.fixture
def approved(store, new_post, first_event, draft, attempt):
    """approved(slot, persona): the id of a post that is to be published."""

    def put(slot, persona="mira"):
        post = store.add_post(new_post(slot, persona), first_event(new_post(slot, persona)))
        store.add_attempt(post.id, attempt())
        ready = {"draft": draft, "shot": attempt().shot, "chosen": 1, "attempts": (attempt(),)}
        for to in WAY:
            moved, event = move(post.model_copy(update=ready), to, at=NOW, actor="ana")
            store.save_post(moved, expected_version=post.version, events=[event])
            post = moved
        assert store.job(post.id).kind is JobKind.PUBLISH
        return post.id

    return put


def test_what_died_of_the_account_goes_on_once(store, approved):
    first, second, other, hers = approved("a"), approved("b"), approved("c"), approved("d", "luna")
    store.bury(first, "was revoked", account="x")
    store.put_off(second, now=NOW, because="no account", account="x")
    store.bury(other, "needs a person", account="mastodon")
    store.bury(hers, "was revoked", account="x")
    assert store.revive_waiting("mira", "x", LATER) == (first, second)
    for post_id in (first, second):
        job = store.job(post_id)
        assert (job.at, job.tries, job.problem, job.account) == (LATER, 0, None, None)
    assert all(store.job(post_id).dead for post_id in (other, hers))
    assert store.revive_waiting("mira", "x", LATER) == ()


def test_what_died_of_something_else_stays(store, approved):
    post_id = approved("a")
    store.put_off(post_id, now=NOW, because="was revoked", account="x")
    store.bury(post_id, "the text is too long")
    assert store.revive_waiting("mira", "x", LATER) == ()
    assert store.job(post_id).dead


def test_the_clock_that_gives_up_keeps_of_what(store, approved):
    post_id = approved("a")
    store.put_off(post_id, now=NOW, because="no account", account="x")
    with store.due(LATER, limit=10) as due:
        (one,) = due.jobs
        due.bury(one.job, "it failed too often")
    assert store.job(post_id).dead
    assert store.revive_waiting("mira", "x", LATER) == (post_id,)
