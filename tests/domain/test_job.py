"""A post has the job that its state asks for, whatever came before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.job import BY_HAND, LEASE, OWED, Job, JobKind, buried, job_after, put_off, revived
from zirelia.domain.post import Post, PostState

S, K = PostState, JobKind
NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
DUE = NOW + timedelta(hours=10)


def post(state: PostState, **changes: object) -> Post:
    made = Post(id=7, persona="mira", slot_id="mira:2026-11-28:evening", due=DUE, created=NOW, updated=NOW)
    return made.model_copy(update={"state": state, **changes})


def job(kind: JobKind, **fields: object) -> Job:
    return Job(**{"post_id": 7, "kind": kind, "at": NOW, "round": 3, "workflow": "w/3", **fields})


@pytest.mark.parametrize(
    ("before", "state", "earlier", "kind", "at"),
    [
        (None, S.BRIEFED, None, K.WRITE, NOW + BY_HAND),  # a command began it: it may still be at work
        (S.BRIEFED, S.BRIEFED, job(K.WRITE, at=NOW + LEASE), K.WRITE, NOW + LEASE),  # the brief was stored
        (S.BRIEFED, S.DRAFTED, job(K.WRITE), K.SHOOT, NOW),  # the engine goes on at once
        (S.BRIEFED, S.DRAFTED, job(K.WRITE, workflow=None), K.SHOOT, NOW + BY_HAND),
        (S.DRAFTED, S.AWAITING_REVIEW, job(K.SHOOT), K.DECIDE, DUE),
        (S.AWAITING_REVIEW, S.APPROVED, job(K.DECIDE), K.PUBLISH, DUE),
        (S.APPROVED, S.PUBLISHING, job(K.PUBLISH), K.PUBLISH, NOW + LEASE),
        (S.HELD, S.APPROVED, None, K.PUBLISH, DUE),
        (S.AWAITING_REVIEW, S.DRAFTED, job(K.DECIDE), K.SHOOT, NOW),  # changes were asked for
    ],
)
def test_the_next_job(before, state, earlier, kind, at):
    after = job_after(before, post(state), earlier)
    assert after is not None
    assert (after.kind, after.at, after.tries) == (kind, at, 0)


@pytest.mark.parametrize("state", [S.PUBLISHED, S.REJECTED, S.HELD])
def test_nothing_is_owed(state):
    assert job_after(S.PUBLISHING, post(state), job(K.PUBLISH)) is None


@pytest.mark.parametrize("state", [S.APPROVED, S.UNKNOWN])
def test_a_failed_publication_waits_longer_each_time(state):
    tried, waits = job(K.PUBLISH), []
    for _ in range(7):
        after = job_after(S.PUBLISHING, post(state), tried, because="HTTP 500")
        waits.append(after.at - NOW)
        assert after.problem == "HTTP 500"
        tried = after
    assert waits == sorted(waits)
    assert waits[0] >= timedelta(minutes=1)
    assert tried.tries == 7


def test_a_post_that_moves_to_another_slot_takes_its_job_along():
    later = DUE + timedelta(days=1)
    for state, kind in ((S.AWAITING_REVIEW, K.DECIDE), (S.APPROVED, K.PUBLISH)):
        assert job_after(state, post(state, due=later), job(kind)).at == later


def test_a_platform_that_asks_to_wait_is_waited_for():
    assert put_off(job(K.PUBLISH), now=NOW, because="429", at_least=timedelta(hours=2)).at == NOW + timedelta(hours=2)


def test_a_dead_letter_comes_back_only_by_a_person():
    dead = buried(job(K.PUBLISH, tries=8), "refused")
    assert dead.dead
    assert dead.problem == "refused"
    back = revived(dead, NOW)
    assert (back.at, back.tries, back.problem) == (NOW, 0, None)


def test_the_account_of_which_a_job_failed_is_that_of_the_last_try():
    failed = put_off(job(K.PUBLISH), now=NOW, because="not connected", account="x")
    assert failed.account == "x"
    assert put_off(failed, now=NOW, because="429").account is None
    assert buried(failed, "was revoked", account="x").account == "x"
    assert buried(failed, "refused").account is None
    assert revived(failed, NOW).account is None


@given(
    before=st.sampled_from([None, *S]),
    state=st.sampled_from(list(S)),
    earlier=st.none() | st.builds(job, st.sampled_from(list(K)), tries=st.integers(0, 9), at=st.none() | st.just(NOW)),
)
def test_a_state_that_is_owed_something_always_has_a_job(before, state, earlier):
    after = job_after(before, post(state), earlier)
    assert (after is not None) == (state in OWED)
    if after is not None:
        assert after.kind is OWED[state]
        assert after.round == (earlier.round if earlier else 0)
