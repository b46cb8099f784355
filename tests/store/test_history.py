"""Posts from before Zirelia, and looks at the account, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zirelia.domain.history import PastPost, Snapshot
from zirelia.domain.publication import Publication, PublicationState, Receipt

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def past(number: int, channel: str = "instagram", caption: str = "Tea ☕") -> PastPost:
    at = NOW - timedelta(days=number)
    return PastPost(channel=channel, code=f"C{number}", url=f"https://i.example/p/C{number}/", caption=caption, at=at, likes=3)


def test_a_post_is_kept_once_and_stays_as_it_was(store):
    assert store.add_past("mira", past(1), at=NOW)
    assert not store.add_past("mira", past(1, caption="other"), at=NOW)
    assert store.add_past("ana", past(1, caption="other"), at=NOW)
    assert store.add_past("mira", past(0), at=NOW)
    assert store.past("mira", limit=5) == (past(0), past(1))
    assert store.past("mira", limit=1) == (past(0),)
    assert store.known_codes("mira", "instagram") == {"C0", "C1"}
    assert store.known_codes("mira", "threads") == frozenset()


def test_vectors_are_those_of_one_embedder(store):
    for number in range(3):
        store.add_past("mira", past(number), at=NOW)
    assert store.past_vectors("mira", "e") == {}
    store.keep_past_vectors("mira", "e", {"C2": b"\x00\xff", "C0": b"\x01", "gone": b"\x02"})
    assert store.past_vectors("mira", "e") == {"C0": b"\x01", "C2": b"\x00\xff"}
    store.keep_past_vectors("mira", "f", {"C0": b"\x03"})
    assert store.past_vectors("mira", "e") == {"C2": b"\x00\xff"}
    assert store.past_vectors("ana", "f") == {}


def test_the_last_look_takes_the_place_of_the_one_before(store):
    first = Snapshot(persona="mira", channel="instagram", handle="mira", at=NOW, dry=True)
    second = first.model_copy(update={"dry": False, "followers": 3, "posts": 30})
    assert store.last_snapshot("mira", "instagram") is None
    for look in (first, second):
        store.keep_snapshot(look)
        assert store.last_snapshot("mira", "instagram") == look
    assert store.last_snapshot("mira", "threads") is None


def test_what_is_forgotten_is_gone(store):
    store.add_past("mira", past(1), at=NOW)
    store.add_past("ana", past(1), at=NOW)
    store.keep_snapshot(Snapshot(persona="mira", channel="instagram", handle="mira", at=NOW))
    assert store.forget_past("mira", "instagram") == 1
    assert (store.past("mira", limit=5), store.last_snapshot("mira", "instagram")) == ((), None)
    assert store.forget_past("mira", "instagram") == 0
    assert len(store.past("ana", limit=5)) == 1


def test_addresses_of_what_went_out_here(store, new_post, first_event):
    post = store.add_post(new_post(), first_event(new_post()))
    receipt = Receipt(platform_id="1", url="https://www.instagram.com/p/C7/", at=NOW)
    out = Publication(post_id=post.id, channel="instagram", state=PublicationState.PUBLISHED, at=NOW, receipt=receipt)
    store.save_publication(out)
    store.save_publication(Publication(post_id=post.id, channel="x", state=PublicationState.SENDING, at=NOW))
    assert store.published_urls("mira", "instagram") == (receipt.url,)
    assert store.published_urls("mira", "x") == store.published_urls("ana", "instagram") == ()
