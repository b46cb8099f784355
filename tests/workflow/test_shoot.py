"""Pictures: at most three, each retry changing what the verdict named, the best one kept, and a critic that fails closed."""

from __future__ import annotations

import io
from datetime import timedelta
from threading import Event as Signal

import pytest
from PIL import Image

from zirelia.critic.panel import CriticPanel
from zirelia.domain.box import Box
from zirelia.domain.post import PostState
from zirelia.domain.repairs import standing
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.errors import ProviderError, ProviderTimeout
from zirelia.pictures import bare_jpeg
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Budget
from zirelia.workflow.produce import produce, resume, retry
from zirelia.workflow.review import request_changes
from zirelia.workflow.shoot import decoded

C, R = Criterion, RepairKind
FACE = Box(left=0.3, top=0.1, right=0.6, bottom=0.5)


def shoot(desk, slot, *verdicts, **changes):
    desk.judge.verdicts = list(verdicts)
    return produce(desk.kit(**changes), desk.subject, slot())


def test_a_picture_that_passes_at_once_is_the_only_one(desk, slot):
    post = shoot(desk, slot)
    assert (len(post.attempts), post.chosen, post.attempts[0].repairs) == (1, 1, ())


@pytest.mark.parametrize(
    ("criterion", "kind", "phrase", "changed"),
    [
        (C.IDENTITY, R.RAISE_LORA_SCALE, "", lambda a, b: b.lora_scale > a.lora_scale),
        (C.IDENTITY, R.CLOSER_FRAMING, "", lambda a, b: "close-up" in b.text),
        (C.TECHNICAL, R.MORE_STEPS, "", lambda a, b: b.steps > a.steps),
        (C.SUBJECTS, R.ONE_PERSON, "", lambda a, b: b.seed != a.seed),
        (C.BRIEF, R.EMPHASISE, "golden hour", lambda a, b: b.text.split(", ")[1] == "golden hour"),
        (C.SAFETY, R.SAFER_WORDING, "", lambda a, b: any(w in b.text for w in ("sweater", "hoodie", "coat", "blazer"))),
        (C.IDENTITY, R.OTHER_SETTING, "", lambda a, b: b.text != a.text),
        (C.IDENTITY, R.NEW_SEED, "", lambda a, b: b.seed != a.seed),
    ],
)
def test_a_retry_changes_what_the_finding_named(desk, slot, repair, criterion, kind, phrase, changed):
    asked = repair(kind, f"{criterion} failed here", phrase)
    desk.chat.values = {"framing": "half body", "outfit": "red blazer"}
    post = shoot(desk, slot, {criterion: asked}, image_steps=16)
    first, second = post.attempts
    assert post.state is PostState.AWAITING_REVIEW
    assert post.chosen == 2
    felt = asked if kind is not R.ONE_PERSON else asked.model_copy(update={"kind": R.CLOSER_FRAMING})  # it hears no "alone"
    (made,) = second.repairs
    assert (made.kind, made.phrase, made.criterion) == (felt.kind, phrase, criterion)
    (mend,) = second.verdict.mends
    assert (mend.kind, mend.criterion, mend.gone) == (felt.kind, criterion, True)
    before, after = first.provenance.prompt, second.provenance.prompt
    assert before.seed != after.seed
    assert changed(before, after)
    assert made.because in desk.diary.said("note")
    assert any(made.because in note for note in after.notes)


def test_a_model_of_free_words_hears_every_repair(desk, slot, repair):
    desk.images = clocked_free(desk)
    verdicts = [{C.SUBJECTS: repair(R.ONE_PERSON)}, {C.BRIEF: repair(R.EMPHASISE, phrase="a green umbrella")}]
    post = shoot(desk, slot, *verdicts)
    texts = [attempt.provenance.prompt.text for attempt in post.attempts]
    assert len(set(texts)) == 3
    assert "alone" not in texts[0]
    assert "alone" in texts[1]
    assert {"alone", "a green umbrella"} <= set(texts[2].split(", "))  # an earlier repair is not forgotten
    assert "two people" in post.attempts[2].provenance.prompt.negative


def clocked_free(desk):
    free = type(desk.images)(vocabulary=None, size=(96, 96))
    free.clock = desk.clock
    return free


def test_a_failure_that_names_no_repair_gets_another_seed(desk, slot):
    post = shoot(desk, slot, {C.BRIEF: None})
    assert [r.kind for r in post.attempts[1].repairs] == [R.NEW_SEED]
    assert "no instrument named a repair" in desk.diary.said("note")


def test_three_attempts_at_most_and_then_a_person_looks(desk, slot):
    post = shoot(desk, slot, *[{C.IDENTITY: None}] * 9)
    assert len(post.attempts) == len(desk.images.made) == 3
    assert post.state is PostState.HELD
    assert "no attempt of 3 passed" in post.held_because
    assert "failed: identity" in post.held_because


def test_the_best_of_the_failed_is_kept(desk, slot):
    worse, better = {C.IDENTITY: None, C.BRIEF: None, C.SUBJECTS: None}, {C.IDENTITY: None}
    post = shoot(desk, slot, worse, better, worse)
    assert post.chosen == 2
    assert post.shot == post.attempts[1].shot


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_the_number_of_attempts_is_a_setting(desk, slot, attempts):
    assert len(shoot(desk, slot, *[{C.BRIEF: None}] * 9, attempts=attempts).attempts) == attempts


@pytest.mark.parametrize("attempts", [0, 4])
def test_there_are_never_more_than_three(desk, attempts):
    with pytest.raises(ValueError, match="attempts is 1 to 3"):
        desk.kit(attempts=attempts)


def test_what_a_person_must_see_is_not_tried_again(desk, slot):
    rubric = desk.subject.persona.rubric.model_dump(mode="json") | {"hold_on": ["safety"]}
    desk.as_persona(rubric=rubric)
    post = shoot(desk, slot, {C.SAFETY: None})
    assert (post.state, len(post.attempts)) == (PostState.HELD, 1)
    assert "failed: safety" in post.held_because


@pytest.mark.parametrize("trouble", [RuntimeError("broken"), ProviderError("down", provider="eyes"), SystemExit(1)])
def test_an_instrument_that_raises_passes_nothing(desk, slot, trouble):
    post = shoot(desk, slot, *[trouble] * 3)
    assert post.state is PostState.HELD
    assert "not checked though required: identity, subjects, technical, safety" in post.held_because
    # asked twice about the one picture: another one would be paid for and stay as unjudged
    assert (len(post.attempts), len(desk.judge.seen)) == (1, 2)


def test_an_instrument_that_stumbles_once_costs_no_picture(desk, slot):
    post = shoot(desk, slot, ProviderError("down", provider="eyes"))
    assert (post.state, len(post.attempts), len(desk.images.made)) == (PostState.AWAITING_REVIEW, 1, 1)


def test_what_the_second_look_finds_counts(desk, slot):
    post = shoot(desk, slot, RuntimeError("broken"), {C.IDENTITY: None})
    assert [attempt.verdict.passed for attempt in post.attempts] == [False, True]


def test_a_picture_that_nobody_could_afford_to_judge_is_judged_by_the_retry(desk, slot):
    desk.images._price = 0.05
    poor, eyes = Budget(month_usd=0.5), ScriptedChat({"alt_text": "Mira at home."}, vision=True)
    held = shoot(desk, slot, vision=eyes, vision_estimate_usd=0.46, budget=poor)
    assert (held.state, held.attempts[0].verdict) == (PostState.HELD, None)
    post = retry(desk.kit(vision=eyes), desk.subject, held.id)
    assert (post.state, post.chosen, desk.images.paid) == (PostState.AWAITING_REVIEW, 1, 1)


def test_an_unjudged_picture_is_not_what_a_person_asked_for(desk, slot):
    desk.images._price = 0.05
    poor = Budget(month_usd=0.5)
    held = shoot(desk, slot, vision=ScriptedChat(vision=True), vision_estimate_usd=0.46, budget=poor)
    request_changes(desk.kit(), held.id, by="ana", because="closer")
    assert resume(desk.kit(), desk.subject, held.id).chosen == 2


def test_one_lost_picture_of_an_old_post_holds_no_other(desk, slot):
    first = shoot(desk, slot)
    desk.media.path(first.chosen_attempt.image).unlink()
    second = produce(desk.kit(), desk.subject, slot("night", 21))
    assert second.state is PostState.AWAITING_REVIEW
    assert f"not compared with post {first.id}" in desk.diary.said("note")


def test_the_judge_sees_what_the_reader_will_see(desk):
    """Lying on its side by its EXIF, and clear where it is painted black."""
    clear = Image.new("RGBA", (64, 96), (0, 0, 0, 0))
    clear.paste((200, 30, 30, 255), (0, 0, 64, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    clear.save(data, "PNG", exif=exif)
    seen = decoded(data.getvalue())
    assert (seen.mode, seen.size) == ("RGB", (96, 64))
    assert seen.getpixel((5, 32)) == (255, 255, 255)
    assert seen.getpixel((90, 32)) == (200, 30, 30)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "RGBA"])
def test_every_kind_of_picture_can_be_judged(mode):
    data = io.BytesIO()
    Image.new("L", (48, 48), 90).convert(mode if mode != "I;16" else "I").convert(mode).save(data, "PNG")
    assert decoded(data.getvalue()).mode == "RGB"


class Blind(CriticPanel):
    """Cannot tell whose face it is before the shot is another one."""

    def examine(self, exhibit):
        repair = Repair(kind=R.REMOVE_WORDS, because="no face", phrase="from behind")
        seen = "from behind" not in (exhibit.shot.pose, exhibit.prompt.text)
        outcome = Outcome.PASSED if seen else Outcome.NOT_CHECKED
        face = Finding(
            criterion=C.IDENTITY, aspect="face", outcome=outcome, instrument="faces", explanation="no face", repair=repair
        )
        return (*(one for one in super().examine(exhibit) if one.criterion is not C.IDENTITY), face)


def test_what_can_be_checked_in_another_picture_gets_one(desk, slot):
    desk.images = clocked_free(desk)
    desk.chat.values = {"pose": "from behind"}
    post = shoot(desk, slot, panel=Blind([desk.judge], time_limit=5.0))
    assert (post.state, len(post.attempts)) == (PostState.AWAITING_REVIEW, 2)
    assert [attempt.shot.pose for attempt in post.attempts] == ["from behind", ""]
    assert "from behind" not in post.attempts[1].provenance.prompt.text


def test_an_instrument_that_hangs_passes_nothing(desk, slot):
    wake = Signal()

    class Hangs(type(desk.judge)):
        def examine(self, exhibit):
            wake.wait(30)
            return super().examine(exhibit)

    try:
        post = shoot(desk, slot, panel=CriticPanel([Hangs()], time_limit=0.05))
    finally:
        wake.set()
    assert post.state is PostState.HELD
    assert all("gave no answer" in a.verdict.findings[0].explanation for a in post.attempts[:1])


def test_no_instrument_at_all_passes_nothing(desk, slot):
    assert shoot(desk, slot, panel=CriticPanel([])).state is PostState.HELD


def test_a_change_that_did_not_help_is_not_made_again(desk, slot, repair):
    same = {C.TECHNICAL: repair(R.MORE_STEPS)}
    post = shoot(desk, slot, same, same, same, image_steps=16)
    assert [[r.kind for r in a.repairs] for a in post.attempts] == [[], [R.MORE_STEPS], [R.NEW_SEED]]
    assert [[m.gone for m in a.verdict.mends] for a in post.attempts] == [[], [False], [False]]
    rows = {row.kind: (row.gone, row.stayed) for row in standing(post.attempts)}
    assert rows == {R.MORE_STEPS: (0, 1), R.NEW_SEED: (0, 1)}


def test_an_unsafe_picture_is_tried_once_more_and_then_held(desk, slot, repair):
    post = shoot(desk, slot, *[{C.SAFETY: repair(R.SAFER_WORDING)}] * 3)
    assert (post.state, len(post.attempts)) == (PostState.HELD, 2)


class Pointing:
    """Says that the face is wrong, and where, in as many pictures as it is told."""

    name, criteria = "pointing", frozenset({C.ANATOMY})

    def __init__(self, times):
        self.left = times

    def examine(self, exhibit):
        self.left -= 1
        failed = self.left >= 0
        outcome = Outcome.FAILED if failed else Outcome.PASSED
        return [
            Finding(
                criterion=C.ANATOMY, aspect="face", outcome=outcome, instrument=self.name, explanation="melted", region=FACE
            )
        ]


def test_a_spoilt_part_is_drawn_anew_in_the_picture_that_was_well(desk, slot):
    desk.images._inpaints = True
    post = shoot(desk, slot, panel=CriticPanel([desk.judge, Pointing(1)], time_limit=5.0))
    first, second = post.attempts
    assert desk.images.parts == [FACE]
    assert second.provenance.parents == (first.image.sha256,)
    assert second.shot == first.shot
    assert [(m.kind, m.aspect, m.gone) for m in second.verdict.mends] == [(R.INPAINT, "face", True)]


def test_a_part_that_stays_spoilt_is_not_mended_twice(desk, slot):
    desk.images._inpaints = True
    post = shoot(desk, slot, panel=CriticPanel([desk.judge, Pointing(3)], time_limit=5.0))
    assert desk.images.parts == [FACE]
    assert [a.repairs[0].kind for a in post.attempts[1:]] in ([R.INPAINT, R.CLOSER_FRAMING], [R.INPAINT, R.NEW_SEED])


def test_a_clock_that_is_set_back_grants_no_attempts(desk, slot):
    """The attempts after a crash would seem older than the request for them."""

    class Stops(type(desk.judge)):
        def examine(self, exhibit):
            desk.clock.at -= timedelta(hours=1)
            return super().examine(exhibit)

    desk.clock.at += timedelta(hours=9)
    judge = Stops(verdicts=[{C.BRIEF: None}] * 9)
    made = desk.images.make

    def stops(*args, **options):
        if len(desk.images.made) == 2:
            desk.clock.at -= timedelta(hours=4)
            desk.images.made.append(desk.images.made[-1])
            raise KeyboardInterrupt
        return made(*args, **options)

    desk.images.make = stops
    kit = desk.kit(panel=CriticPanel([judge], time_limit=5.0))
    with pytest.raises(KeyboardInterrupt):
        produce(kit, desk.subject, slot())
    (post,) = desk.store.posts()
    assert len(resume(kit, desk.subject, post.id).attempts) == 3
    request_changes(kit, post.id, by="ana", because="closer")
    assert len(resume(kit, desk.subject, post.id).attempts) == 6


def test_a_clock_that_was_ahead_takes_no_attempts_from_a_request(desk, slot):
    post = shoot(desk, slot, *[{C.BRIEF: None}] * 3)
    desk.clock.at -= timedelta(days=1)
    request_changes(desk.kit(), post.id, by="ana", because="closer")
    assert len(resume(desk.kit(), desk.subject, post.id).attempts) == 4


def test_a_note_makes_a_new_picture_and_keeps_the_old_ones(desk, slot):
    post = shoot(desk, slot, {C.BRIEF: None})
    assert len(post.attempts) == 2
    asked = len(desk.chat.asked)
    request_changes(desk.kit(), post.id, by="ana", because="wear the purple hoodie")
    again = resume(desk.kit(), desk.subject, post.id)
    assert again.state is PostState.AWAITING_REVIEW
    assert [a.number for a in again.attempts] == [1, 2, 3]
    assert again.chosen == 3
    assert again.draft.caption == post.draft.caption
    (directed,) = desk.chat.asked[asked:]
    assert "wear the purple hoodie" in directed.user
    assert [(r.kind, r.because) for r in again.attempts[2].repairs] == [(R.NOTE, "ana asked: wear the purple hoodie")]


def test_a_note_gives_three_attempts_anew(desk, slot):
    post = shoot(desk, slot, *[{C.BRIEF: None}] * 3)
    request_changes(desk.kit(), post.id, by="ana", because="closer")
    desk.judge.verdicts = [{C.BRIEF: None}] * 3
    assert len(resume(desk.kit(), desk.subject, post.id).attempts) == 6


def test_a_retry_of_a_held_post_draws_other_pictures(desk, slot):
    held = shoot(desk, slot, *[{C.BRIEF: None}] * 3)
    post = retry(desk.kit(), desk.subject, held.id)
    assert (post.state, post.chosen) == (PostState.AWAITING_REVIEW, 4)
    assert len({a.provenance.prompt.seed for a in post.attempts}) == 4


def test_the_alt_text_is_of_the_chosen_picture(desk, slot):
    desk.chat.values = {"framing": "half body", "outfit": "red blazer", "expression": "laughing"}
    other = {C.IDENTITY: None}
    post = shoot(desk, slot, other)
    alt = post.draft.alt_text
    assert alt.startswith("Illustration of Mira, a woman with long wavy teal hair, brown eyes, laughing")
    assert post.shot.outfit in alt
    assert post.brief.light in alt


def test_a_vision_model_says_what_it_sees(desk, slot):
    eyes = ScriptedChat({"alt_text": "Somebody in a hoodie laughs on a dark street."}, vision=True)
    post = shoot(desk, slot, vision=eyes)
    assert post.draft.alt_text == "Somebody in a hoodie laughs on a dark street."
    assert eyes.asked[-1].images == (bare_jpeg(desk.media.read(post.chosen_attempt.image), what="it"),)
    assert [row.role for row in desk.store.ledger(post_id=post.id) if row.model == "scripted"].count("captioner") == 1


def test_a_vision_model_that_fails_costs_no_picture(desk, slot):
    eyes = ScriptedChat(vision=True)
    eyes.script(ProviderTimeout("asleep", provider="script"))
    post = shoot(desk, slot, vision=eyes)
    assert post.state is PostState.AWAITING_REVIEW
    assert post.draft.alt_text.startswith("Illustration of Mira")


def test_the_judge_compares_with_recent_pictures_but_not_with_rejected_ones(desk, slot):
    first = shoot(desk, slot)
    second = produce(desk.kit(), desk.subject, slot("night", 21))
    assert [number for number, _ in desk.judge.seen[-1].recent] == [first.id]
    from zirelia.workflow.review import reject

    reject(desk.kit(), first.id, by="ana", because="no")
    produce(desk.kit(), desk.subject, slot("morning", 9, day=22))
    assert [number for number, _ in desk.judge.seen[-1].recent] == [second.id]


def test_a_prediction_that_came_to_nothing_is_ordered_anew_once(desk, slot):
    """A time-out leaves the order open; a retry looks at it first, and orders again when it was cancelled."""
    desk.images._price = 0.05
    plain, orders = FakeImageMaker.make, []

    def late(self, prompt, *, lora, call, progress, beside=(), start_from=None):
        orders.append(call.external_id)
        if len(orders) == 1:
            call.created("gone-1")
            raise ProviderTimeout("not over in time", provider="fake")
        if call.external_id == "gone-1":
            raise ProviderError("prediction gone-1 was canceled", provider="fake")
        return plain(self, prompt, lora=lora, call=call, progress=progress)

    kind = type(desk.images)
    desk.images.make = late.__get__(desk.images, kind)
    held = produce(desk.kit(), desk.subject, slot())
    assert held.state is PostState.HELD
    assert [(r.state, r.external_id) for r in desk.store.ledger() if r.role == "image"] == [("unknown", "gone-1")]
    post = retry(desk.kit(), desk.subject, held.id)
    assert orders == [None, "gone-1", None]
    assert post.state is PostState.HELD or post.chosen == 1
    assert desk.images.paid == 1


def test_an_order_that_cannot_be_looked_at_is_never_ordered_again(desk, slot):
    desk.images._price = 0.05
    orders = []

    def unreachable(self, prompt, *, lora, call, progress, beside=(), start_from=None):
        orders.append(call.external_id)
        if call.external_id is None:
            call.created("there-1")
        raise ProviderError("HTTP 502", provider="fake", retryable=True)

    desk.images.make = unreachable.__get__(desk.images, type(desk.images))
    held = produce(desk.kit(), desk.subject, slot())
    for _ in range(3):
        held = retry(desk.kit(), desk.subject, held.id)
    assert orders == [None, "there-1", "there-1", "there-1"]
