"""Answers to mentions and results of publications, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.post import PostState, move
from zirelia.domain.publication import Publication, PublicationState, Receipt
from zirelia.domain.reply import Mention, Reply, ReplyState
from zirelia.domain.results import Counts, Result
from zirelia.errors import Conflict, NotFound

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def reply(mention: str = "m1", persona: str = "mira") -> Reply:
    said = Mention(id=mention, channel="folder", persona=persona, author="ana", text="Nice! ☕", at=NOW)
    return Reply(mention=said, text="Thank you!", updated=NOW)


def test_a_mention_has_one_answer(store):
    first = store.add_reply(reply())
    assert store.add_reply(reply()) is None
    other = store.add_reply(reply(persona="ana"))
    assert (first.id, other.id) == (1, 2)
    assert store.reply(1) == first
    assert store.replies() == (other, first)
    assert store.replies(persona="mira", states=frozenset({ReplyState.WAITING})) == (first,)
    assert store.replies(states=frozenset({ReplyState.SENT})) == ()


def test_the_second_writer_is_told(store):
    first = store.add_reply(reply())
    store.save_reply(first.model_copy(update={"state": ReplyState.APPROVED, "version": 1}), expected_version=0)
    with pytest.raises(Conflict):
        store.save_reply(first.model_copy(update={"state": ReplyState.REJECTED, "version": 1}), expected_version=0)
    assert store.reply(1).state is ReplyState.APPROVED
    with pytest.raises(NotFound):
        store.reply(9)


def test_an_inbox_remembers_where_it_was(store):
    assert store.inbox_cursor("mira", "folder") is None
    for cursor in ("7", "9"):
        store.keep_inbox_cursor("mira", "folder", cursor)
        assert store.inbox_cursor("mira", "folder") == cursor
    assert store.inbox_cursor("ana", "folder") is None


@pytest.fixture
def published(store, new_post, first_event):
    post = store.add_post(new_post(), first_event(new_post()))
    receipt = Receipt(platform_id="at://x_1", url="https://example.com/1", at=NOW)
    store.save_publication(
        Publication(post_id=post.id, channel="folder", state=PublicationState.PUBLISHED, at=NOW, receipt=receipt)
    )
    return post


def test_a_look_is_kept_once_an_age(store, published):
    (one,) = store.to_measure(NOW - timedelta(days=1))
    assert (one.persona, one.publication.post_id, one.measured) == ("mira", published.id, frozenset())
    for likes in (3, 99):
        store.add_result(
            Result(
                post_id=published.id,
                channel="folder",
                publication=one.publication.id,
                hours=24,
                at=NOW + timedelta(days=1),
                counts=Counts(likes=likes),
            )
        )
    (found,) = store.results("mira", NOW)
    assert found.counts == Counts(likes=3)
    assert store.to_measure(NOW - timedelta(days=1))[0].measured == {24}
    assert store.to_measure(NOW + timedelta(seconds=1)) == ()
    assert store.results("ana", NOW) == ()


def test_a_post_is_found_by_what_the_platform_calls_it(store, published):
    assert store.post_sent_as("folder", "at://x_1") == published.id
    assert store.post_sent_as("folder", "at://x") is None
    assert store.post_sent_as("folder", "at://x%1") is None
    assert store.post_sent_as("bluesky", "at://x_1") is None


def test_what_people_decided_comes_with_the_post(store, published):
    moved, event = move(published, PostState.REJECTED, at=NOW, actor="ana", because="no")
    decision = Decision(kind=DecisionKind.REJECT, by="ana", at=NOW, because="no")
    store.save_post(moved, expected_version=published.version, events=[event], decision=decision)
    ((post, decisions),) = store.decided("mira", NOW - timedelta(days=1))
    assert (post.id, decisions) == (published.id, (decision,))
    assert store.decided("mira", NOW + timedelta(days=1)) == ()
