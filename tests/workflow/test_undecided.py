"""A slot has come, and nobody decided."""

from __future__ import annotations

from datetime import timedelta

import pytest

from zirelia.domain.cadence import slots_between
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion
from zirelia.errors import IllegalTransition
from zirelia.workflow.giving_up import cancel
from zirelia.workflow.produce import produce
from zirelia.workflow.review import approve
from zirelia.workflow.undecided import PATIENCE, decide, postpone

S = PostState


@pytest.fixture
def waiting(desk, slot):
    """A post that waits for a person, and the slots after its own."""
    made = produce(desk.kit(), desk.subject, slot())
    assert made.state is S.AWAITING_REVIEW
    cadence, now = desk.subject.persona.cadence, desk.clock()
    slots = tuple(slots_between(cadence, "mira", made.due + timedelta(hours=12), now + timedelta(days=4)))
    desk.store.plan_slots("mira", slots, until=now, cadence_sha256="0" * 64, lead=timedelta(hours=12), at=made.due)
    return made, slots


def test_nothing_happens_before_the_slot(desk, waiting):
    made, _ = waiting
    for policy in ("postpone", "expire", "auto_approve"):
        assert decide(desk.kit(), desk.subject.persona, made.id, policy=policy) == made


def test_it_moves_to_the_next_slot_which_is_then_no_others(desk, waiting):
    made, slots = waiting
    desk.clock.at = made.due
    moved = decide(desk.kit(), desk.subject.persona, made.id, policy="postpone")
    assert (moved.state, moved.due) == (S.AWAITING_REVIEW, slots[0].at)
    assert slots[0].id in desk.store.taken_slots("mira")
    assert desk.store.job(made.id).at == slots[0].at
    assert "nobody decided" in desk.store.events(made.id)[-1].because
    desk.clock.at = moved.due
    assert decide(desk.kit(), desk.subject.persona, made.id, policy="postpone").due == slots[1].at


def test_after_a_week_it_is_held_and_not_lost(desk, waiting):
    made, _ = waiting
    desk.clock.at = made.created + PATIENCE + timedelta(minutes=1)
    assert decide(desk.kit(), desk.subject.persona, made.id, policy="postpone").state is S.HELD


def test_it_expires_to_held_and_a_person_may_still_approve_it(desk, waiting):
    made, _ = waiting
    desk.clock.at = made.due
    held = decide(desk.kit(), desk.subject.persona, made.id, policy="expire")
    assert held.state is S.HELD
    assert "nobody decided" in held.held_because
    assert approve(desk.kit(), made.id, by="ana", because="late but good").state is S.APPROVED


def test_auto_approval_is_recorded_as_the_policys(desk, waiting):
    made, _ = waiting
    desk.clock.at = made.due
    assert decide(desk.kit(), desk.subject.persona, made.id, policy="auto_approve").state is S.APPROVED
    assert [(one.kind, one.by) for one in desk.store.decisions(made.id)] == [("approve", "policy")]


def test_what_is_held_is_never_approved_by_policy(desk, slot, repair):
    desk.judge.verdicts = [{Criterion.SAFETY: None}] * 3
    held = produce(desk.kit(), desk.subject, slot())
    assert held.state is S.HELD
    desk.clock.at = held.due + timedelta(hours=1)
    assert decide(desk.kit(), desk.subject.persona, held.id, policy="auto_approve").state is S.HELD


def test_a_real_persons_likeness_waits_for_a_person(desk, waiting):
    made, slots = waiting
    desk.clock.at = made.due
    consent = {"fictional": False, "person": "Ana", "scope": "posts", "expires": "2030-01-01", "document_sha256": "0" * 64}
    persona = desk.as_persona(consent=consent).persona
    moved = decide(desk.kit(), persona, made.id, policy="auto_approve")
    assert (moved.state, moved.due) == (S.AWAITING_REVIEW, slots[0].at)
    assert "a real person" in desk.store.events(made.id)[-1].because


def test_an_approved_post_keeps_its_approval_when_it_moves(desk, waiting):
    made, slots = waiting
    approved = approve(desk.kit(), made.id, by="ana")
    moved = postpone(desk.kit(), approved, because="its slot went by")
    assert (moved.state, desk.store.job(made.id).at) == (S.APPROVED, slots[0].at)


def test_a_waiting_post_can_be_given_up(desk, waiting):
    made, _ = waiting
    with pytest.raises(IllegalTransition, match="outcome is known"):
        cancel(desk.kit(), made.id, by="ana", because="x", not_out=True)
    assert cancel(desk.kit(), made.id, by="ana", because="the shop has closed").state is S.REJECTED
    assert desk.store.job(made.id) is None
