"""Stories: which beat is next, whatever people decide of the posts that tell them."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.arc import Arc, Beat, complaints, next_beat, told_by
from zirelia.domain.post import Brief, Post, PostState

S = PostState
DAY = date(2027, 3, 1)
BEATS = tuple(Beat(tells=f"Part {number}.") for number in range(1, 4))
ARC = Arc(name="book", beats=BEATS, every=3)


def told(beat: int, state: PostState = S.PUBLISHED, *, days: int = 0, arc: str | None = "book", number: int = 1) -> Post:
    due = datetime.combine(DAY + timedelta(days=days), datetime.min.time(), UTC).replace(hour=12)
    brief = Brief(topic="tea", angle="x", activity="reads", scene="cafe", light="night", arc=arc, beat=beat if arc else None)
    return Post(id=number, persona="mira", slot_id=f"s{number}", due=due, state=state, brief=brief, created=due, updated=due)


def number_on(days: int, posts: list[Post], *arcs: Arc) -> tuple[str, int] | None:
    part = next_beat(arcs or (ARC,), posts, DAY + timedelta(days=days), UTC)
    return part and (part.arc.name, part.number)


@pytest.mark.parametrize(
    ("posts", "days", "number"),
    [
        ([], 0, 1),
        ([told(1)], 2, None),
        ([told(1)], 3, 2),
        ([told(1)], -1, None),
        ([told(1), told(2, days=3)], 6, 3),
        ([told(1), told(2, days=3), told(3, days=6)], 60, None),
        ([told(1, S.REJECTED)], 0, 1),
        ([told(1), told(2, S.REJECTED, days=3)], 3, 2),
        ([told(1, S.REJECTED), told(1, days=1, number=2)], 3, None),
        ([told(1, S.REJECTED), told(1, days=1, number=2)], 4, 2),
        ([told(1, arc=None)], 0, 1),
        ([told(1, arc="another")], 0, 1),
        *(
            ([told(1), told(2, state, days=3)], 60, None)
            for state in S
            if state not in {S.PUBLISHED, S.REJECTED}
        ),
    ],
)  # fmt: skip
def test_which_beat_is_next(posts: list[Post], days: int, number: int | None) -> None:
    assert number_on(days, posts) == (number and ("book", number))


@pytest.mark.parametrize(
    ("changes", "days", "number"),
    [
        ({"starts": "2027-03-02"}, 0, None),
        ({"starts": "2027-03-02"}, 1, 1),
        ({"ends": "2027-03-02"}, 1, 1),
        ({"ends": "2027-03-02"}, 2, None),
        ({"after": "another"}, 0, None),
        ({"after": "book"}, 0, None),
    ],
)
def test_when_a_story_may_begin(changes: dict[str, Any], days: int, number: int | None) -> None:
    arc = Arc.model_validate(ARC.model_dump() | changes)
    assert number_on(days, [], arc) == (number and ("book", number))


def test_one_story_after_another_and_two_beside_each_other() -> None:
    second = Arc(name="sequel", beats=BEATS[:1], after="book")
    beside = Arc(name="garden", beats=BEATS[:2], every=1)
    whole = [told(1), told(2, days=3, number=2), told(3, days=6, number=3)]
    assert number_on(9, whole[:2], ARC, second) == ("book", 3)
    assert number_on(9, [*whole[:2], told(3, S.APPROVED, days=6, number=3)], ARC, second) is None
    assert number_on(9, whole, ARC, second) == ("sequel", 1)
    passed = ARC.model_copy(update={"ends": DAY + timedelta(days=4)})
    assert number_on(4, whole[:1], second, passed) == ("book", 2)
    assert number_on(5, whole[:1], second, passed) == ("sequel", 1)
    assert number_on(0, [], ARC, beside) == ("book", 1)
    assert number_on(0, whole[:1], ARC, beside) == ("garden", 1)


def test_days_are_the_personas_own() -> None:
    late = told(1).model_copy(update={"due": datetime(2027, 3, 1, 23, 30, tzinfo=UTC)})
    assert next_beat((ARC,), [late], date(2027, 3, 4), UTC) is not None
    assert next_beat((ARC,), [late], date(2027, 3, 4), ZoneInfo("Pacific/Auckland")) is None


def test_a_brief_finds_its_part_again() -> None:
    brief = told(2).brief
    assert brief is not None
    part = told_by((ARC,), brief)
    assert part is not None
    assert (part.beat.tells, part.so_far()) == ("Part 2.", ("Part 1.",))
    assert told_by((), brief) is None
    assert told_by((ARC.model_copy(update={"beats": BEATS[:1]}),), brief) is None
    old = Brief.model_validate_json(
        '{"topic":"t","angle":"a","activity":"b","scene":"s","light":"l","occasion":null,"avoid":[]}'
    )
    assert told_by((ARC,), old) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"beats": []}, "at least 1"),
        ({"every": 0}, "greater than or equal to 1"),
        ({"starts": "2027-03-02", "ends": "2027-03-01"}, "before the start"),
        ({"starts": 2027}, "write a"),
        ({"beats": [{"tells": " "}]}, "at least 1 character"),
        ({"name": "The Book"}, "match pattern"),
    ],
)
def test_a_story_that_cannot_be(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Arc.model_validate({"name": "book", "beats": [{"tells": "x"}]} | changes)


def test_what_is_wrong_between_stories() -> None:
    def arc(name: str, after: str | None = None) -> Arc:
        return Arc(name=name, after=after, beats=BEATS)

    assert complaints([arc("a"), arc("b", "a"), arc("c", "b")]) == []
    assert [place for place, _ in complaints([arc("a"), arc("a")])] == [(1, "name")]
    assert [place for place, _ in complaints([arc("a", "z")])] == [(0, "after")]
    assert [place for place, _ in complaints([arc("a", "a")])] == [(0, "after")]
    circle = [arc("a", "c"), arc("b", "a"), arc("c", "b"), arc("d", "a")]
    assert [place for place, _ in complaints(circle)] == [(0, "after"), (1, "after"), (2, "after")]


@given(
    fates=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["publish", "reject", "wait", "approve"])), max_size=40),
    every=st.integers(1, 4),
)
def test_no_beat_twice_and_none_out_of_order(fates: list[tuple[int, str]], every: int) -> None:
    """Days go by; each day a post is planned if a beat is due, and somebody decides of the oldest that waits."""
    arcs = (ARC.model_copy(update={"every": every}), Arc(name="sequel", beats=BEATS, after="book", every=every))
    posts: list[Post] = []
    days = 0
    for passed, fate in fates:
        days += passed
        part = next_beat(arcs, posts, DAY + timedelta(days=days), UTC)
        if part is not None:
            posts.append(told(part.number, S.BRIEFED, days=days, arc=part.arc.name, number=len(posts) + 1))
        waiting = next((at for at, post in enumerate(posts) if post.state not in {S.PUBLISHED, S.REJECTED}), None)
        to = {"publish": S.PUBLISHED, "reject": S.REJECTED, "approve": S.APPROVED}.get(fate)
        if waiting is not None and to is not None:
            posts[waiting] = posts[waiting].model_copy(update={"state": to})
    out = [(post.brief.arc, post.brief.beat, post.due) for post in posts if post.brief and post.state is not S.REJECTED]
    whole = [("book", 1), ("book", 2), ("book", 3), ("sequel", 1), ("sequel", 2), ("sequel", 3)]
    assert [(arc, beat) for arc, beat, _ in out] == whole[: len(out)]
    for (arc, _, due), (then, _, later) in itertools.pairwise(out):
        assert arc != then or later - due >= timedelta(days=every)
