"""What is remembered of a post, and what of it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.memory import LEAST_NOVELTY, Memory, avoidable, fading, memory_of, novelty
from zirelia.domain.post import Brief, Draft, Post
from zirelia.domain.shot import Framing, Shot

BRIEF = Brief(topic="birds", angle="The heron\nis back.", activity="draws gulls", scene="beach", light="night")


def memory(number: int) -> Memory:
    return Memory(post_id=number, title=f"title {number}", topic="birds", activity="draws", scene="beach")


def test_a_memory_has_no_text_of_the_post(post: Post) -> None:
    draft = Draft(caption="Secret words.", hashtags=("Sketchbook", "heron"), alt_text="Secret picture.")
    shot = Shot(scene="beach", outfit="coat", pose="sitting", expression="calm", framing=Framing.HALF_BODY, light="night")
    kept = memory_of(post.model_copy(update={"brief": BRIEF, "draft": draft, "shot": shot}), constant=["sketchbook"])
    assert kept == Memory(
        post_id=1, title="The heron is back.", topic="birds", activity="draws gulls", scene="beach",
        hashtags=("heron",), outfit="coat", pose="sitting",
    )  # fmt: skip
    assert kept.line() == '"The heron is back." (birds, at the beach) #heron'
    assert kept.embedded() == "birds. draws gulls, beach. The heron is back. heron"
    assert "Secret" not in kept.model_dump_json()


def test_little_is_remembered_of_little(post: Post) -> None:
    assert memory_of(post) is None
    bare = memory_of(post.model_copy(update={"brief": BRIEF}))
    assert bare is not None
    assert bare.line() == '"The heron is back." (birds, at the beach)'


def test_a_line_stays_short(post: Post) -> None:
    long = BRIEF.model_copy(update={"angle": "word " * 100})
    draft = Draft(caption="x", hashtags=tuple(f"{n}" + "x" * 500 for n in range(20)), alt_text="y")
    kept = memory_of(post.model_copy(update={"brief": long, "draft": draft}))
    assert kept is not None
    assert len(kept.line()) < 300
    assert kept.title.endswith("word…")


@given(
    recent=st.lists(st.integers(1, 30), max_size=30, unique=True),
    similar=st.lists(st.integers(1, 30), max_size=30),
    most=st.integers(3, 15),
)
def test_what_is_avoided_is_bounded_and_never_said_twice(recent: list[int], similar: list[int], most: int) -> None:
    shown = [one.post_id for one in avoidable([memory(n) for n in recent], [memory(n) for n in similar], most=most)]
    assert len(shown) == len(set(shown)) <= most
    new = [n for n in dict.fromkeys(similar) if n not in recent]
    assert len(shown) == min(len(recent), most - min(len(new), most // 3)) + min(len(new), most // 3)
    assert shown[: len(recent)] == recent[: len(shown[: len(recent)])] or len(recent) > most - most // 3


@pytest.mark.parametrize(
    ("likeness", "factor"), [(-0.2, 1.0), (0.0, 1.0), (0.5, 0.25), (1.0, LEAST_NOVELTY), (1.1, LEAST_NOVELTY)]
)
def test_the_more_alike_the_less_likely(likeness: float, factor: float) -> None:
    assert novelty(likeness) == pytest.approx(factor)


def test_a_likeness_fades() -> None:
    assert (fading(0), fading(20)) == (1.0, 0.5)
    assert all(fading(age) > fading(age + 1) > 0 for age in range(100))
