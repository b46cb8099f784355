"""A chat answer that was paid for is not paid again after a crash; what a person wants anew is asked anew."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from zirelia.definitions.answers import ChoiceAnswer, DraftAnswer, choice_answer
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import PostState
from zirelia.domain.shot import Framing, Shot
from zirelia.errors import Conflict, ProviderError
from zirelia.ports import ChatRequest, Usage
from zirelia.testing.chat import ScriptedChat
from zirelia.workflow import direct
from zirelia.workflow.accounts import Account, ask, put
from zirelia.workflow.produce import produce, resume, retry
from zirelia.workflow.review import request_changes

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
ROLES = ("planner", "drafter", "text_critic", "art_director")
EYES = {"alt_text": "A woman smiles at home, in the evening."}
FORBIDDEN = {"caption": "I used this cream for a week and my skin has never been better. Buy it now."}


@pytest.fixture
def paid(desk):
    desk.chat = ScriptedChat(cost=0.01)
    return desk


def rows(desk, role):
    return [row for row in desk.store.ledger() if row.role == role]


def dies_after(desk, patch, role, times=1):
    """The process ends when the row of the role's call is closed, before anything is made of the answer."""
    close, left = desk.store.close_call, iter(range(times, -1, -1))

    def closing(entry):
        close(entry)
        if entry.role == role and next(left) == 1:
            raise SystemExit(9)

    patch.setattr(desk.store, "close_call", closing)


def dies(*_, **__):
    raise SystemExit(9)


@pytest.mark.parametrize("role", ROLES)
def test_a_crash_between_the_answer_and_what_becomes_of_it_costs_nothing(paid, slot, monkeypatch, role):
    with monkeypatch.context() as patch:
        dies_after(paid, patch, role)
        with pytest.raises(SystemExit):
            produce(paid.kit(), paid.subject, slot())
    before = len(paid.chat.asked)
    post = resume(paid.kit(), paid.subject, 1)
    assert post.state is PostState.AWAITING_REVIEW
    assert before + len(paid.chat.asked[before:]) == len(ROLES)
    assert Counter(row.role for row in paid.store.ledger() if row.role in ROLES) == Counter(ROLES)
    assert paid.store.spent(post_id=1).usd == 0.01 * len(ROLES)


def test_the_words_that_were_paid_for_are_those_that_are_used(paid, slot, monkeypatch):
    paid.chat.script({}, {"caption": "The kettle hums before anybody else is awake. Then it does not."})
    with monkeypatch.context() as patch:
        dies_after(paid, patch, "drafter")
        with pytest.raises(SystemExit):
            produce(paid.kit(), paid.subject, slot())
    post = resume(paid.kit(), paid.subject, 1)
    assert post.draft.caption.startswith("The kettle hums")
    assert post.draft.voice == "scripted"


def test_every_crash_of_a_turn_with_rewrites_costs_nothing(paid, slot, monkeypatch):
    paid.chat.script({}, FORBIDDEN)
    with monkeypatch.context() as patch:
        dies_after(paid, patch, "drafter", times=2)
        with pytest.raises(SystemExit):
            produce(paid.kit(), paid.subject, slot())
    resume(paid.kit(), paid.subject, 1)
    assert [row.id.partition("drafter/")[2] for row in rows(paid, "drafter")] == ["1.1", "1.2"]
    assert paid.store.get_post(1).state is PostState.AWAITING_REVIEW


def test_an_outfit_whose_turn_went_by_meanwhile_is_not_paid_for_again(paid, slot, monkeypatch):
    with monkeypatch.context() as patch:
        dies_after(paid, patch, "art_director")
        with pytest.raises(SystemExit):
            produce(paid.kit(), paid.subject, slot())
    (row,) = rows(paid, "art_director")
    chosen = json.loads(paid.store.paid_answer(row.id))["outfit"]
    worn = Shot(scene="park", outfit=chosen, expression="calm", framing=Framing.HALF_BODY, light="daylight")
    monkeypatch.setattr(direct, "_recent_shots", lambda *_: (worn, worn))
    post = resume(paid.kit(), paid.subject, 1)
    assert [one.id for one in rows(paid, "art_director")] == [row.id]
    assert post.state is PostState.AWAITING_REVIEW
    assert post.shot.outfit != chosen


def test_a_shot_that_was_directed_anew_is_not_directed_again(paid, slot, monkeypatch):
    """The process ends between the new shot, which is stored, and its first picture."""
    post = produce(paid.kit(), paid.subject, slot())
    request_changes(paid.kit(), post.id, by="ana", because="sunnier")
    with monkeypatch.context() as patch:
        patch.setattr(paid.images, "make", dies)
        with pytest.raises(SystemExit):
            resume(paid.kit(), paid.subject, 1)
    before = [row.id for row in rows(paid, "art_director")]
    wanted = paid.store.get_post(1).shot
    post = resume(paid.kit(), paid.subject, 1)
    assert [row.id for row in rows(paid, "art_director")] == before
    assert (len(before), post.state, post.shot) == (2, PostState.AWAITING_REVIEW, wanted)
    request_changes(paid.kit(), post.id, by="ana", because="from further away")
    resume(paid.kit(), paid.subject, 1)
    assert len(rows(paid, "art_director")) == 3


def test_the_alt_text_of_the_chosen_picture_is_not_seen_twice(paid, slot, monkeypatch):
    eyes = ScriptedChat(EYES, cost=0.02, vision=True)
    with monkeypatch.context() as patch:
        dies_after(paid, patch, "captioner")
        with pytest.raises(SystemExit):
            produce(paid.kit(vision=eyes), paid.subject, slot())
    post = resume(paid.kit(vision=eyes), paid.subject, 1)
    assert (post.draft.alt_text, len(eyes.asked)) == (EYES["alt_text"], 1)


def test_a_kept_answer_is_free_and_opens_no_row(paid, slot):
    post = produce(paid.kit(), paid.subject, slot())
    request = ChatRequest(system="s", user="u")
    first = ask(paid.kit(), post, "drafter", request, DraftAnswer, turn=9)
    count, asked = len(paid.store.ledger()), len(paid.chat.asked)
    again = ask(paid.kit(), post, "drafter", request, DraftAnswer, turn=9)
    assert (again.value, again.model, again.raw) == (first.value, first.model, first.raw)
    assert (first.usage.cost_usd, again.usage) == (0.01, Usage())
    assert (len(paid.store.ledger()), len(paid.chat.asked)) == (count, asked)


def test_an_answer_that_is_stored_while_the_call_begins_is_waited_for(paid, slot, monkeypatch):
    """The last transaction of a killed process may end after another one has taken over its post, and read the ledger."""
    post = produce(paid.kit(), paid.subject, slot())
    request = ChatRequest(system="s", user="u")
    entry = LedgerEntry(
        id=f"{post.slot_id}/drafter/{post.version}.9", at=NOW, persona="mira", post_id=post.id, role="drafter",
        provider="script", model="scripted", state=LedgerState.INTENT, estimate_usd=0.01,
    )  # fmt: skip
    paid.store.open_call(entry)
    read, answer = paid.store.ledger, ScriptedChat().ask(request, DraftAnswer)
    done = entry.model_copy(update={"state": LedgerState.DONE, "cost_usd": 0.01, "answer": answer.raw})

    def late(**which):
        rows = read(**which)
        paid.store.close_call(done)
        return rows

    before = len(paid.chat.asked)
    with monkeypatch.context() as patch:
        patch.setattr(paid.store, "ledger", late)
        with pytest.raises(Conflict):
            ask(paid.kit(), post, "drafter", request, DraftAnswer, turn=9)
    assert ask(paid.kit(), post, "drafter", request, DraftAnswer, turn=9).value == answer.value
    assert len(paid.chat.asked) == before
    assert [row.id for row in rows(paid, "drafter") if row.id.startswith(entry.id)] == [entry.id]


def test_an_answer_that_fits_no_more_is_asked_for_anew(paid, slot, monkeypatch):
    post = produce(paid.kit(), paid.subject, slot())
    request = ChatRequest(system="s", user="u")
    ask(paid.kit(), post, "drafter", request, DraftAnswer, turn=9)
    with monkeypatch.context() as patch:
        patch.setattr(paid.store, "paid_answer", lambda call_id: '{"old": "form"}')
        ask(paid.kit(), post, "drafter", request, DraftAnswer, turn=9)
    key = f"{post.slot_id}/drafter/{post.version}.9"
    assert {row.id for row in rows(paid, "drafter") if row.id.startswith(key)} == {key, f"{key}~2"}


def test_a_choice_by_number_comes_back_with_its_own_list(paid, slot):
    post = produce(paid.kit(), paid.subject, slot())

    def chosen(*options):
        request = ChatRequest(system="s", user=" ".join(options))
        schema, listed = choice_answer(len(options)), ",".join(options)
        return ask(paid.kit(), post, "planner", request, schema, turn=9, beside=listed, kept_as=ChoiceAnswer)

    first = chosen("trams", "tea", "rain")
    asked = len(paid.chat.asked)
    again = chosen("rain")
    assert (again.value.choice, again.beside) == (first.value.choice, "trams,tea,rain")
    assert len(paid.chat.asked) == asked


def test_a_plan_that_was_paid_for_holds_though_another_post_was_made_meanwhile(paid, slot, monkeypatch):
    with monkeypatch.context() as patch:
        dies_after(paid, patch, "planner")
        with pytest.raises(SystemExit):
            produce(paid.kit(), paid.subject, slot())
    wanted = paid.chat.asked[-1].user
    produce(paid.kit(), paid.subject, slot("morning", hour=9, day=22))
    brief = resume(paid.kit(), paid.subject, 1).brief
    assert [row.id for row in rows(paid, "planner") if row.post_id == 1] == ["mira:2026-11-21:evening/planner/0.1"]
    assert f"{brief.activity}, scene: {brief.scene}, topic: {brief.topic}" in wanted


def test_an_opinion_of_one_text_is_none_of_another(paid):
    """`put` is for judging given material: its key is not enough."""
    kit, account = paid.kit(), Account("mira", "captions/mira")

    def caption(user, images=(b"1",)):
        request = ChatRequest(system="s", user=user, images=images)
        return put(kit, account, "vision", eyes, request, DraftAnswer, key="k", estimate=0.0)

    eyes = ScriptedChat(cost=0.01, vision=True)
    first = caption("a")
    assert caption("a").value == first.value
    assert len(eyes.asked) == 1
    caption("b")
    caption("a", images=(b"2",))
    assert len(eyes.asked) == 3
    assert caption("a").value == first.value
    assert len(eyes.asked) == 3
    assert [row.id for row in rows(paid, "vision")] == ["captions/mira/k", "captions/mira/k~2", "captions/mira/k~3"]


def test_a_held_post_that_is_tried_again_is_written_anew(paid, slot):
    paid.chat.script({}, *[FORBIDDEN] * 3)
    held = produce(paid.kit(), paid.subject, slot())
    assert (held.state, held.draft) == (PostState.HELD, None)
    before = {row.id for row in rows(paid, "drafter")}
    post = retry(paid.kit(), paid.subject, held.id)
    assert post.state is PostState.AWAITING_REVIEW
    new = {row.id for row in rows(paid, "drafter")} - before
    assert len(new) == 1
    assert not any("~" in row for row in new)


def test_a_picture_that_failed_is_directed_once_and_described_anew(paid, slot):
    eyes = ScriptedChat(EYES, vision=True)
    paid.images.failures.append(ProviderError("down", provider="fake"))
    held = produce(paid.kit(vision=eyes), paid.subject, slot())
    assert retry(paid.kit(vision=eyes), paid.subject, held.id).state is PostState.AWAITING_REVIEW
    assert (len(rows(paid, "art_director")), len(eyes.asked)) == (1, 1)


def test_a_request_for_changes_is_directed_and_described_anew(paid, slot):
    eyes = ScriptedChat(EYES, vision=True)
    kit = paid.kit(vision=eyes)
    post = produce(kit, paid.subject, slot())
    request_changes(kit, post.id, by="ana", because="closer")
    again = resume(kit, paid.subject, post.id)
    assert (again.state, again.chosen) == (PostState.AWAITING_REVIEW, 2)
    assert len(rows(paid, "art_director")) == 2
    assert len(eyes.asked) == 2
    assert "closer" in paid.chat.asked[-1].user
    # and once more with the very same words
    request_changes(kit, post.id, by="ana", because="closer")
    resume(kit, paid.subject, post.id)
    assert len(rows(paid, "art_director")) == 3
    assert not any("~" in row.id for row in paid.store.ledger())
