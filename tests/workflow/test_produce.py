"""One turn: what is stored after each step, and what every kind of failure leaves behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from zirelia.domain.post import PostState
from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    Conflict,
    ConsentRequired,
    IllegalTransition,
    MediaError,
    NotFound,
    OfflineViolation,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    RateLimited,
    StoreError,
)
from zirelia.workflow.produce import produce, resume, retry, unfinished

PERSON = {"fictional": False, "person": "Ada", "scope": "posts", "document_sha256": "0" * 64}
FAILURES = [
    ProviderTimeout("no answer within 60 s", provider="script"),
    RateLimited("too many requests", provider="script", retry_after=1.0),
    ProviderRefused("bad key", provider="script"),
    ProviderError("a cut line", provider="script", retryable=True),
    BadAnswer("gave 3 answers that do not fit", provider="script", raw="{}"),
    OfflineViolation("ZIRELIA_OFFLINE=1 forbids api.example.com"),
]


def test_a_turn_ends_in_the_queue_with_everything_a_person_needs(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    assert desk.store.get_post(post.id) == post
    assert post.state is PostState.AWAITING_REVIEW
    assert post.brief is not None
    assert post.draft is not None
    assert post.chosen_attempt is not None
    assert post.chosen_attempt.verdict.passed
    assert post.disclosure == desk.subject.persona.disclosure.visible_line
    assert desk.states(post.id) == ["briefed", "drafted", "shot", "awaiting_review"]
    assert post.chosen_attempt.provenance.prompt.text.startswith("mirelo ")
    assert {row.role for row in desk.store.ledger(post_id=post.id)} == {
        "planner",
        "drafter",
        "text_critic",
        "art_director",
        "image",
    }
    assert all(row.state == "done" for row in desk.store.ledger())


def test_the_next_free_slot_is_taken_and_never_twice(desk):
    first, second = produce(desk.kit(), desk.subject), produce(desk.kit(), desk.subject)
    assert first.slot_id != second.slot_id
    assert desk.clock.at < first.due < second.due
    assert desk.store.taken_slots("mira") == {first.slot_id, second.slot_id}


def test_a_taken_slot_is_a_conflict_before_anything_is_asked(desk, slot):
    produce(desk.kit(), desk.subject, slot())
    asked = len(desk.chat.asked)
    with pytest.raises(Conflict):
        produce(desk.kit(), desk.subject, slot())
    assert len(desk.chat.asked) == asked


def test_a_cadence_without_a_free_slot_is_said(desk):
    cadence = desk.subject.persona.cadence.model_dump(mode="json") | {"rest_days": [1, 2, 3, 4, 5, 6, 7]}
    with pytest.raises(ConfigurationError, match="no free slot"):
        produce(desk.kit(), desk.as_persona(cadence=cadence))


@pytest.mark.parametrize("failure", FAILURES, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("step", [0, 1, 3], ids=["plan", "draft", "direct"])
def test_a_chat_that_fails_holds_the_post_and_a_retry_goes_on_from_there(desk, slot, failure, step):
    desk.chat.script(*[{}] * step, failure)
    held = produce(desk.kit(), desk.subject, slot())
    assert held.state is PostState.HELD
    assert held.held_because == failure.message
    assert (held.brief is not None, held.draft is not None) == (step > 0, step > 1)
    asked = len(desk.chat.asked)
    post = retry(desk.kit(), desk.subject, held.id)
    assert post.state is PostState.AWAITING_REVIEW
    assert len(desk.chat.asked) - asked == 4 - step  # nothing that was done is asked again
    assert post.held_because is None


@pytest.mark.parametrize("failure", [*FAILURES, MediaError("not a picture")], ids=lambda f: type(f).__name__)
def test_an_image_backend_that_fails_holds_the_post(desk, slot, failure):
    desk.images.failures.append(failure)
    held = produce(desk.kit(), desk.subject, slot())
    assert (held.state, held.held_because, held.attempts) == (PostState.HELD, failure.message, ())
    assert retry(desk.kit(), desk.subject, held.id).state is PostState.AWAITING_REVIEW


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SystemExit(1), RuntimeError("a defect"), StoreError("disk full")])
@pytest.mark.parametrize("step", ["plan", "draft", "text critic", "direct", "image", "critic"])
def test_a_turn_cut_short_anywhere_is_finished_by_resume(desk, slot, monkeypatch, failure, step):
    def cut(*args: Any, **options: Any) -> Any:
        raise failure

    with monkeypatch.context() as patch:
        asked = ["plan", "draft", "text critic", "direct"]
        if step in asked:
            calls = asked.index(step)
            answer, ask = iter(range(9)), desk.chat.ask
            patch.setattr(desk.chat, "ask", lambda *given: cut() if next(answer) == calls else ask(*given))
        elif step == "image":
            patch.setattr(desk.images, "make", cut)
        else:
            patch.setattr("zirelia.workflow.shoot.fold", cut)
        with pytest.raises(type(failure)):
            produce(desk.kit(), desk.subject, slot())
    (cut_short,) = unfinished(desk.kit(), "mira")
    post = resume(desk.kit(), desk.subject, cut_short.id)
    assert post.state is PostState.AWAITING_REVIEW
    assert len(post.attempts) == 1
    assert not unfinished(desk.kit(), "mira")


@pytest.mark.parametrize("at", range(1, 16))
def test_a_crash_at_any_write_is_resumed(desk, slot, monkeypatch, at):
    """The process dies right after its n-th write: what is committed stays, and a new process goes on."""
    count = iter(range(1, 1000))

    def dying(name: str) -> Any:
        original = getattr(desk.store, name)

        def write(*args: Any, **options: Any) -> Any:
            done = original(*args, **options)
            if next(count) == at:
                raise SystemExit(9)
            return done

        return write

    with monkeypatch.context() as patch:
        for name in ("add_post", "save_post", "add_attempt", "open_call", "close_call"):
            patch.setattr(desk.store, name, dying(name))
        desk.images._price = 0.03
        with pytest.raises(SystemExit):
            produce(desk.kit(), desk.subject, slot())
    waiting = unfinished(desk.kit(), "mira")
    posts = [resume(desk.kit(), desk.subject, post.id) for post in waiting] or list(desk.store.posts())
    (post,) = posts
    assert post.state is PostState.AWAITING_REVIEW
    assert [attempt.number for attempt in post.attempts] == [1]
    assert desk.images.paid == 1
    assert all(attempt.verdict is not None for attempt in post.attempts)


def test_resume_leaves_a_post_past_production_alone(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    assert resume(desk.kit(), desk.subject, post.id) == post
    with pytest.raises(NotFound):
        resume(desk.kit(), desk.subject, 99)


def test_two_at_once_on_one_post_is_a_conflict(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    with desk.store.lock(f"produce-{post.id}"), pytest.raises(Conflict, match="in progress"):
        resume(desk.kit(), desk.subject, post.id)


def test_only_a_held_post_is_tried_again(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    with pytest.raises(IllegalTransition, match="only a held post"):
        retry(desk.kit(), desk.subject, post.id)


@pytest.mark.parametrize(("expires", "works"), [("2026-11-20", False), ("2026-11-21", True), ("2027-01-01", True)])
def test_a_likeness_needs_a_consent_of_today(desk, slot, expires, works):
    subject = desk.as_persona(consent={**PERSON, "expires": expires})
    if works:
        assert produce(desk.kit(), subject, slot()).state is PostState.AWAITING_REVIEW
        return
    with pytest.raises(ConsentRequired, match="Ada's likeness ended on 2026-11-20"):
        produce(desk.kit(), subject, slot())
    assert not desk.store.posts()
    assert not desk.chat.asked


def test_a_consent_that_ended_meanwhile_changes_nothing(desk, slot):
    desk.images.failures.append(FAILURES[0])
    held = produce(desk.kit(), desk.subject, slot())
    subject = desk.as_persona(consent={**PERSON, "expires": str(date(2026, 1, 1))})
    for use_case in (retry, resume):
        with pytest.raises(ConsentRequired):
            use_case(desk.kit(), subject, held.id)
    assert desk.store.get_post(held.id) == held


def test_a_held_post_shows_the_best_picture_that_there_is(desk, slot):
    desk.images.failures = []
    desk.judge.verdicts = [{next(iter(desk.judge.criteria)): None}]
    made = desk.images.make

    def fails_second(*args: Any, **options: Any) -> Any:
        if desk.images.made:
            raise FAILURES[0]
        return made(*args, **options)

    kit = desk.kit()
    object.__setattr__(desk.images, "make", fails_second)
    held = produce(kit, desk.subject, slot())
    assert held.state is PostState.HELD
    assert held.held_because == FAILURES[0].message
    assert held.chosen == 1


def test_a_budget_is_a_reason_to_hold_not_an_error(desk, slot):
    kit = replace(desk.kit(), budget=replace(desk.kit().budget, month_usd=0.0), chat_estimate_usd=0.01)
    held = produce(kit, desk.subject, slot())
    assert held.state is PostState.HELD
    assert "ZIRELIA" not in held.held_because
    assert "mira has spent $0.00 of $0.00 this month" in held.held_because
