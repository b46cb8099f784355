"""What may become what, and that nothing else ever happens to a post."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import ValidationError

import zirelia
from zirelia.domain.post import IN_QUEUE, TRANSITIONS, Draft, Event, Post, PostState, move
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.errors import IllegalTransition

S = PostState

PAGE = Path(zirelia.__file__).resolve().parent.parent / "docs" / "architecture.md"


def documented() -> dict[str, set[str]]:
    """State → the states that it may become, as the table of the architecture page says."""
    table = PAGE.read_text(encoding="utf-8").split("| from | to |")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if "`" in line]
    return {state: set(re.findall(r"`(\w+)`", after)) for before, after in rows for state in re.findall(r"`(\w+)`", before)}


# the way of a post, written out a second time on purpose
ALLOWED = {
    "briefed": "drafted held rejected",
    "drafted": "shot held rejected",
    "shot": "awaiting_review held rejected",
    "awaiting_review": "approved rejected drafted held",
    "approved": "publishing awaiting_review rejected drafted",
    "publishing": "published approved unknown",
    "published": "",
    "held": "approved rejected drafted briefed",
    "rejected": "",
    "unknown": "published approved",
}
MAIN_ROAD = [S.DRAFTED, S.SHOT, S.AWAITING_REVIEW, S.APPROVED, S.PUBLISHING, S.PUBLISHED]


def test_the_table_is_the_documented_one() -> None:
    assert {before.value: {after.value for after in afters} for before, afters in TRANSITIONS.items()} == {
        before: set(afters.split()) for before, afters in ALLOWED.items()
    }
    assert {before.value: {after.value for after in afters} for before, afters in TRANSITIONS.items()} == documented()
    assert set(TRANSITIONS) == set(PostState)


def test_a_person_or_the_slot_ends_every_wait() -> None:
    assert {"awaiting_review", "held", "approved", "unknown"} == IN_QUEUE
    assert all(TRANSITIONS[state] for state in IN_QUEUE)


def test_every_state_can_be_reached_and_every_state_can_end() -> None:
    reached = {S.BRIEFED}
    while more := {after for before in reached for after in TRANSITIONS[before]} - reached:
        reached |= more
    assert reached == set(PostState)
    ends = {state for state in PostState if not TRANSITIONS[state]}
    assert ends == {S.PUBLISHED, S.REJECTED}
    able = set(ends)
    while more := {before for before in PostState if TRANSITIONS[before] & able} - able:
        able |= more
    assert able == set(PostState)


def test_the_main_road(finished: Post, now: datetime) -> None:
    post, events = finished, []
    for minute, state in enumerate(MAIN_ROAD):
        post, event = move(post, state, at=now + timedelta(minutes=minute), actor="studio")
        events.append(event)
    assert post.state is S.PUBLISHED
    assert post.version == len(MAIN_ROAD)
    assert post.updated == now + timedelta(minutes=5)
    assert [(event.before, event.after) for event in events] == list(zip([S.BRIEFED, *MAIN_ROAD], MAIN_ROAD, strict=False))


@pytest.mark.parametrize("before", PostState)
@pytest.mark.parametrize("after", PostState)
def test_every_pair_of_states(before: PostState, after: PostState, finished: Post, later: datetime) -> None:
    post = finished.model_copy(update={"state": before})
    if after.value in ALLOWED[before.value].split():
        moved, event = move(post, after, at=later, actor="ana", because="asked")
        assert (moved.state, moved.version, moved.updated) == (after, post.version + 1, later)
        assert event == Event(post_id=1, at=later, actor="ana", before=before, after=after, because="asked")
        assert moved.held_because == ("asked" if after is S.HELD else None)
    else:
        with pytest.raises(IllegalTransition, match=f"post 1 is {before} and cannot become {after}") as refused:
            move(post, after, at=later, actor="ana", because="asked")
        assert refused.value.exit_code == 4
        assert (refused.value.hint or "").startswith("from here: ")
    assert post.state is before


@pytest.mark.parametrize("because", [None, "", "   "])
def test_nothing_is_held_without_a_reason(because: str | None, post: Post, later: datetime) -> None:
    with pytest.raises(IllegalTransition, match="cannot be held without a reason"):
        move(post, S.HELD, at=later, actor="studio", because=because)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (S.SHOT, S.AWAITING_REVIEW),
        (S.AWAITING_REVIEW, S.APPROVED),
        (S.HELD, S.APPROVED),
        (S.APPROVED, S.PUBLISHING),
        (S.PUBLISHING, S.PUBLISHED),
        (S.UNKNOWN, S.PUBLISHED),
    ],
)
@pytest.mark.parametrize("missing", [{"draft": None}, {"chosen": None}, {"chosen": 2}, {"attempts": ()}])
def test_half_a_post_goes_no_further(
    before: PostState, after: PostState, missing: dict[str, object], finished: Post, later: datetime
) -> None:
    half = finished.model_copy(update={"state": before, **missing})
    with pytest.raises(IllegalTransition, match="no text or no chosen picture"):
        move(half, after, at=later, actor="ana")


def test_a_naive_moment_moves_nothing(post: Post) -> None:
    with pytest.raises(ValidationError):
        move(post, S.DRAFTED, at=datetime(2026, 11, 21, 9), actor="studio")  # noqa: DTZ001 - the point


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "One good detail a day.\n\n#sketchbook #lisbon\n\nMade with AI."),
        ({"disclosure": None}, "One good detail a day.\n\n#sketchbook #lisbon"),
        ({"draft": Draft(caption="Hi.", alt_text="Mira.")}, "Hi.\n\nMade with AI."),
        ({"draft": None}, ""),
    ],
)
def test_the_caption_as_a_reader_sees_it(changes: dict[str, object], expected: str, finished: Post) -> None:
    assert finished.model_copy(update=changes).caption_for_reader() == expected


def test_a_post_survives_the_store(finished: Post) -> None:
    assert Post.model_validate_json(finished.model_dump_json()) == finished
    with pytest.raises(ValidationError, match="frozen"):
        finished.state = S.APPROVED  # type: ignore[misc]
    with pytest.raises(ValidationError, match="mood"):
        Post.model_validate({**finished.model_dump(), "mood": "good"})


class PostLife(RuleBasedStateMachine):
    """Any calls in any order: the history is unbroken, what is final stays, and only a whole post gets near a channel."""

    START = datetime(2026, 11, 21, 9, tzinfo=UTC)

    @initialize()
    def briefed(self) -> None:
        self.post = Post(id=7, persona="mira", slot_id="mira:x:noon", due=self.START, created=self.START, updated=self.START)
        self.history: list[Event] = []

    @rule(to=st.sampled_from(PostState), because=st.sampled_from([None, "", "asked", "the critic failed three times"]))
    def ask(self, to: PostState, because: str | None) -> None:
        before = self.post
        try:
            after, event = move(before, to, at=self.START + timedelta(minutes=len(self.history)), actor="ana", because=because)
        except IllegalTransition:
            assert self.post is before
            return
        assert to in TRANSITIONS[before.state]
        self.post = after
        self.history.append(event)

    @precondition(lambda self: self.post.draft is None)
    @rule()
    def write(self) -> None:
        self.post = self.post.model_copy(update={"draft": Draft(caption="Hello.", alt_text="Mira.")})

    @rule(number=st.integers(1, 3), chosen=st.none() | st.integers(1, 4))
    def shoot(self, number: int, chosen: int | None) -> None:
        attempts = tuple(self.attempt(n) for n in range(1, number + 1))
        if self.post.state in {S.BRIEFED, S.DRAFTED, S.SHOT}:
            self.post = self.post.model_copy(update={"attempts": attempts, "chosen": chosen})

    def attempt(self, number: int) -> Attempt:
        prompt = ImagePrompt(text="mirelo woman", seed=number, width=256, height=256)
        shot = Shot(scene="cafe", outfit="hoodie", expression="smiling", framing=Framing.CLOSE_UP, light="daylight")
        image = MediaRef(sha256=f"{number:064x}", media_type="image/png", width=256, height=256)
        made = Provenance(backend="flux", model="pocket", prompt=prompt, seconds=0.1, made_at=self.START)
        return Attempt(number=number, shot=shot, image=image, provenance=made)

    @invariant()
    def the_history_is_unbroken(self) -> None:
        states = [S.BRIEFED, *(event.after for event in self.history)]
        assert [event.before for event in self.history] == states[:-1]
        assert self.post.state is states[-1]
        assert self.post.version == len(self.history)

    @invariant()
    def nothing_leaves_a_final_state(self) -> None:
        assert not {event.before for event in self.history} & {S.PUBLISHED, S.REJECTED}

    @invariant()
    def only_a_whole_post_is_near_a_channel(self) -> None:
        if self.post.state in {S.AWAITING_REVIEW, S.APPROVED, S.PUBLISHING, S.PUBLISHED, S.UNKNOWN}:
            assert self.post.draft is not None
            assert self.post.chosen_attempt is not None

    @invariant()
    def a_held_post_says_why(self) -> None:
        assert (self.post.held_because is not None) is (self.post.state is S.HELD)

    @invariant()
    def publishing_comes_after_approval(self) -> None:
        for event in self.history:
            if event.after is S.PUBLISHING:
                assert event.before is S.APPROVED


TestPostLife = PostLife.TestCase
