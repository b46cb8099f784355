"""The states of a post, drawn by hypothesis: the stored one always equals the model's, and every change has its event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from zirelia.domain.post import TRANSITIONS, Draft, Event, Post, PostState, move
from zirelia.domain.value import printable
from zirelia.errors import Conflict, IllegalTransition, StoreError
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

NOW = datetime(2026, 10, 25, tzinfo=UTC)
_S = PostState
WAY = [_S.BRIEFED, _S.DRAFTED, _S.SHOT, _S.AWAITING_REVIEW, _S.APPROVED, _S.PUBLISHING, _S.PUBLISHED]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    home: Path = tmp_path_factory.mktemp("states")
    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:
        yield store


class Life(RuleBasedStateMachine):
    """One post, moved at random; `post` is the model, `history` what its events must be."""

    store: SqlStore
    attempt: Any
    born = 0

    @initialize(ready=st.booleans())
    def plan(self, ready: bool) -> None:
        type(self).born += 1
        post = Post(persona="mira", slot_id=f"mira:{self.born}", due=NOW, created=NOW, updated=NOW)
        first = Event(post_id=0, at=NOW, actor="planner", before=None, after=post.state)
        self.post = self.store.add_post(post, first)
        self.history = [first.model_copy(update={"post_id": self.post.id})]
        self.stale: Post | None = None
        if ready:
            self.write("Tea, again.")
            self.shoot()

    def _at(self) -> datetime:
        return NOW + timedelta(minutes=len(self.history))

    @rule(to=st.sampled_from(PostState), because=st.sampled_from([None, "the critic failed three times"]))
    def take_any_step(self, to: PostState, because: str | None) -> None:
        self.change_state(to, because)

    def change_state(self, to: PostState, because: str | None) -> None:
        try:
            moved, event = move(self.post, to, at=self._at(), actor="ana", because=because)
        except IllegalTransition:
            return
        assert to in TRANSITIONS[self.post.state]
        self.store.save_post(moved, expected_version=self.post.version, events=[event])
        self.stale, self.post = self.post, moved
        self.history.append(event)

    @rule()
    def follow_the_way(self) -> None:
        if self.post.state in WAY[:-1]:
            self.change_state(WAY[WAY.index(self.post.state) + 1], None)

    @rule(draw=st.data())
    def take_an_allowed_step(self, draw: st.DataObject) -> None:
        allowed = sorted(TRANSITIONS[self.post.state])
        if allowed:
            self.change_state(draw.draw(st.sampled_from(allowed)), "a reason")

    @rule(caption=st.text(min_size=1, max_size=30).filter(lambda text: bool(printable(text).strip())))
    def write(self, caption: str) -> None:
        draft = Draft(caption=caption, alt_text="a picture")
        edited = self.post.model_copy(update={"draft": draft, "version": self.post.version + 1})
        self.store.save_post(edited, expected_version=self.post.version)
        self.stale, self.post = self.post, edited

    @rule()
    def shoot(self) -> None:
        attempt = self.attempt.model_copy(update={"number": len(self.post.attempts) + 1})
        self.store.add_attempt(self.post.id, attempt)
        chosen = self.post.model_copy(
            update={
                "attempts": (*self.post.attempts, attempt),
                "chosen": attempt.number,
                "version": self.post.version + 1,
            }
        )
        self.store.save_post(chosen, expected_version=self.post.version)
        self.stale, self.post = self.post, chosen

    @rule(to=st.sampled_from(PostState))
    def force_around_the_domain(self, to: PostState) -> None:
        if to in TRANSITIONS[self.post.state] or to is self.post.state:
            return
        forged = self.post.model_copy(update={"state": to, "version": self.post.version + 1})
        event = Event(post_id=self.post.id, at=self._at(), actor="eve", before=self.post.state, after=to)
        with pytest.raises(IllegalTransition):
            self.store.save_post(forged, expected_version=self.post.version, events=[event])
        with pytest.raises(StoreError):
            self.store.save_post(forged, expected_version=self.post.version)

    @rule()
    def save_a_stale_value(self) -> None:
        if self.stale is None:
            return
        late = self.stale.model_copy(update={"version": self.stale.version + 1, "disclosure": "late"})
        with pytest.raises(Conflict):
            self.store.save_post(late, expected_version=self.stale.version)

    @invariant()
    def stored_equals_model(self) -> None:
        if hasattr(self, "post"):
            assert self.store.get_post(self.post.id) == self.post

    @invariant()
    def every_change_has_its_event(self) -> None:
        if hasattr(self, "post"):
            events = self.store.events(self.post.id)
            assert list(events) == self.history
            assert events[-1].after is self.post.state


def test_the_store_follows_the_domain(shared: SqlStore, attempt, media: MediaStore):
    ref = shared.media.put(media.read(attempt().image), "image/png")
    machine = type("Run", (Life,), {"store": shared, "attempt": attempt().model_copy(update={"image": ref})})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("to", PostState)
@pytest.mark.parametrize("state", PostState)
def test_every_pair_of_states(shared: SqlStore, state: PostState, to: PostState):
    slot = f"pair:{state}:{to}"
    post = Post(persona="mira", slot_id=slot, due=NOW, state=state, created=NOW, updated=NOW)
    post = shared.add_post(post, Event(post_id=0, at=NOW, actor="planner", before=None, after=state))
    event = Event(post_id=post.id, at=NOW, actor="ana", before=state, after=to, because="a reason")
    moved = post.model_copy(update={"state": to, "version": 1})
    if to is state or to in TRANSITIONS[state]:
        shared.save_post(moved, expected_version=0, events=[event])
        assert shared.get_post(post.id) == moved
        assert shared.events(post.id)[1:] == (event,)
    else:
        with pytest.raises(IllegalTransition):
            shared.save_post(moved, expected_version=0, events=[event])
        assert shared.get_post(post.id) == post
        assert len(shared.events(post.id)) == 1
