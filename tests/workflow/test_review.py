"""What a person may do with a post, in which state, and what is remembered of it."""

from __future__ import annotations

import threading

import pytest
from pydantic import ValidationError

from zirelia.domain.decision import DecisionKind
from zirelia.domain.post import Draft, PostState
from zirelia.domain.verdict import Criterion
from zirelia.errors import Conflict, IllegalTransition, NotFound, ProviderTimeout
from zirelia.workflow.produce import produce
from zirelia.workflow.publish import publish
from zirelia.workflow.review import approve, edit, reject, request_changes

S = PostState


@pytest.fixture
def waiting(desk, slot):
    return produce(desk.kit(), desk.subject, slot())


@pytest.fixture
def held(desk, slot):
    desk.judge.verdicts = [{Criterion.IDENTITY: None}] * 3
    return produce(desk.kit(), desk.subject, slot())


def other(draft, **changes):
    return draft.model_copy(update=changes)


def test_an_approval_is_a_decision_of_a_person(desk, waiting):
    post = approve(desk.kit(), waiting.id, by="ana")
    assert post == desk.store.get_post(waiting.id)
    assert post.state is S.APPROVED
    (decision,) = desk.store.decisions(post.id)
    assert (decision.kind, decision.by, decision.override) == (DecisionKind.APPROVE, "ana", False)
    assert desk.store.events(post.id)[-1].actor == "ana"


def test_an_approval_cannot_be_given_twice(desk, waiting):
    approve(desk.kit(), waiting.id, by="ana")
    with pytest.raises(IllegalTransition, match="is approved and cannot be approved"):
        approve(desk.kit(), waiting.id, by="ben")
    assert len(desk.store.decisions(waiting.id)) == 1


@pytest.mark.parametrize("because", [None, "", "  "])
def test_a_held_post_is_approved_only_with_a_reason(desk, held, because):
    with pytest.raises((IllegalTransition, ValidationError)):
        approve(desk.kit(), held.id, by="ana", because=because)
    assert desk.store.get_post(held.id).state is S.HELD


def test_an_override_is_remembered_as_one(desk, held):
    post = approve(desk.kit(), held.id, by="ana", because="the likeness is fine to me")
    (decision,) = desk.store.decisions(held.id)
    assert (post.state, post.held_because) == (S.APPROVED, None)
    assert (decision.override, decision.because) == (True, "the likeness is fine to me")


def test_a_held_post_without_a_picture_cannot_be_approved(desk, slot):
    desk.images.failures.append(ProviderTimeout("slow", provider="fake"))
    held = produce(desk.kit(), desk.subject, slot())
    with pytest.raises(IllegalTransition, match="no chosen picture"):
        approve(desk.kit(), held.id, by="ana", because="please")


def test_a_rejection_is_final_and_says_why(desk, waiting):
    post = reject(desk.kit(), waiting.id, by="ana", because="she would never say that")
    assert post.state is S.REJECTED
    assert desk.store.decisions(post.id)[0].because == "she would never say that"
    for act in (
        lambda: approve(desk.kit(), post.id, by="ana"),
        lambda: reject(desk.kit(), post.id, by="ana", because="again"),
        lambda: request_changes(desk.kit(), post.id, by="ana", because="again"),
        lambda: edit(
            desk.kit(),
            desk.subject.persona,
            post.id,
            other(post.draft, caption="Something else, said in another way."),
            by="ana",
        ),
        lambda: publish(desk.kit(), desk.subject, post.id),
    ):
        with pytest.raises(IllegalTransition):
            act()


@pytest.mark.parametrize("because", ["", "   "])
@pytest.mark.parametrize("act", [reject, request_changes])
def test_a_no_without_a_reason_is_refused(desk, waiting, act, because):
    with pytest.raises(ValidationError, match="because"):
        act(desk.kit(), waiting.id, by="ana", because=because)
    assert desk.store.get_post(waiting.id) == waiting


def test_an_edit_voids_an_approval_and_is_remembered(desk, waiting):
    approve(desk.kit(), waiting.id, by="ana")
    draft = other(waiting.draft, caption="One good detail: the tram driver hums.", hashtags=("tram",))
    post = edit(desk.kit(), desk.subject.persona, waiting.id, draft, by="ben")
    assert post.state is S.AWAITING_REVIEW
    assert desk.store.get_post(post.id).draft.caption == draft.caption
    decision = desk.store.decisions(post.id)[-1]
    assert decision.kind is DecisionKind.EDIT
    assert set(decision.changes) == {"caption", "hashtags"}
    assert decision.changes["caption"] == (waiting.draft.caption, draft.caption)
    with pytest.raises(IllegalTransition, match="not approved"):
        publish(desk.kit(), desk.subject, post.id)


def test_an_edit_of_a_waiting_or_held_post_leaves_its_state(desk, held):
    post = edit(desk.kit(), desk.subject.persona, held.id, other(held.draft, alt_text="A woman in a hoodie."), by="ben")
    assert (post.state, post.held_because) == (S.HELD, held.held_because)
    assert desk.store.events(post.id)[-1].because == "edited alt_text"


def test_an_edit_that_changes_nothing_writes_nothing(desk, waiting):
    approved = approve(desk.kit(), waiting.id, by="ana")
    assert edit(desk.kit(), desk.subject.persona, waiting.id, approved.draft, by="ben") == approved
    assert desk.store.get_post(waiting.id).version == approved.version


def test_a_published_post_is_past_every_decision(desk, waiting):
    approve(desk.kit(), waiting.id, by="ana")
    post = publish(desk.kit(), desk.subject, waiting.id)
    for act in (
        lambda: approve(desk.kit(), post.id, by="ana", because="x"),
        lambda: reject(desk.kit(), post.id, by="ana", because="x"),
        lambda: edit(desk.kit(), desk.subject.persona, post.id, Draft(caption="Another one.", alt_text="Other."), by="ana"),
    ):
        with pytest.raises(IllegalTransition):
            act()


def test_an_approval_is_no_way_out_of_an_unknown_publication(desk, waiting):
    from zirelia.domain.post import move

    post = approve(desk.kit(), waiting.id, by="ana")
    for to in (S.PUBLISHING, S.UNKNOWN):
        moved, event = move(post, to, at=desk.clock(), actor="publisher")
        desk.store.save_post(moved, expected_version=post.version, events=[event])
        post = moved
        with pytest.raises(IllegalTransition, match="cannot be approved"):
            approve(desk.kit(), post.id, by="ana", because="it is out, I think")


def test_changes_cannot_be_asked_of_a_post_without_a_text(desk, slot):
    desk.chat.script(ProviderTimeout("slow", provider="script"))
    post = produce(desk.kit(), desk.subject, slot())
    with pytest.raises(IllegalTransition, match="no text"):
        request_changes(desk.kit(), post.id, by="ana", because="closer")
    assert desk.store.get_post(post.id).state is S.HELD


@pytest.mark.parametrize("act", [approve, reject, request_changes])
def test_no_such_post(desk, act):
    with pytest.raises(NotFound):
        act(desk.kit(), 404, by="ana", because="why not")


def test_of_two_who_decide_at_once_one_gets_a_conflict(desk, waiting):
    """Both have read the same version before either writes."""
    both_have_read = threading.Barrier(2)
    read = desk.store.get_post
    outcomes: list[object] = []

    def get_post(post_id):
        post = read(post_id)
        both_have_read.wait(10)
        return post

    desk.store.get_post = get_post
    kit = desk.kit()

    def decide(act, **words):
        try:
            outcomes.append(act(kit, waiting.id, **words).state)
        except Conflict as error:
            outcomes.append(type(error))

    people = [
        threading.Thread(target=decide, args=(approve,), kwargs={"by": "ana"}),
        threading.Thread(target=decide, args=(reject,), kwargs={"by": "ben", "because": "no"}),
    ]
    for person in people:
        person.start()
    for person in people:
        person.join(20)
    assert sorted(map(str, outcomes)) in (sorted([str(Conflict), "approved"]), sorted([str(Conflict), "rejected"]))
    assert len(desk.store.decisions(waiting.id)) == 1
