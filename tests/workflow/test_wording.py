"""The text critic at work: remarks are stored, a person's edit is judged, a repeated shot is changed."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from zirelia.domain.post import Draft, PostState
from zirelia.domain.text_plain import words
from zirelia.domain.text_remark import TextCriterion, failed
from zirelia.domain.verdict import Criterion, Outcome
from zirelia.errors import IllegalTransition, ProviderTimeout
from zirelia.ports import BackendFacts
from zirelia.testing.chat import ScriptedChat
from zirelia.workflow.produce import produce, retry
from zirelia.workflow.review import edit
from zirelia.workflow.wording import Measures, judge_edit, judge_text

CLAIM = "I have been using this cream for weeks and I draw on the tram."


class Tongue:
    def facts(self) -> BackendFacts:
        return BackendFacts(backend="tongue", model="one", local=True, paid=False)

    def identify(self, text: str) -> tuple[str, float]:
        return "de", 0.99


class Broken(Tongue):
    def embed(self, texts):
        raise ProviderTimeout("slow", provider="tongue")


class Flat(Tongue):
    def embed(self, texts):
        return np.ones((len(texts), 1), dtype=np.float32)


def outcomes(remarks):
    return {str(remark.criterion): str(remark.outcome) for remark in remarks}


def test_remarks_are_stored_with_the_draft(desk, slot):
    post = desk.store.get_post(produce(desk.kit(), desk.subject, slot()).id)
    said = outcomes(post.draft.remarks)
    assert said["claims"] == said["length"] == said["boundaries"] == "passed"
    assert said["language"] == said["voice"] == "not_checked"


def test_a_claim_is_written_again_and_the_third_holds_with_its_remarks(desk, slot):
    desk.chat.script({}, *[{"caption": CLAIM}] * 3)
    held = produce(desk.kit(), desk.subject, slot())
    assert held.state is PostState.HELD
    assert "do not claim to have used a product" in held.held_because
    assert "written again (2 of 2)" in desk.diary.said("note")
    assert len(desk.chat.asked) == 4


@pytest.mark.parametrize(("caption", "criterion"), [(CLAIM, "claims"), ("A new pamphlet about elections.", "boundaries")])
def test_an_edit_that_breaks_a_soft_rule_warns(desk, slot, caption, criterion):
    post = produce(desk.kit(), desk.subject, slot())
    judged = judge_edit(desk.kit(), desk.subject.persona, post, Draft(caption=caption, alt_text="Mira."))
    assert outcomes(judged.remarks)[criterion] == "failed"


def test_an_edit_that_no_channel_takes_is_refused(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    with pytest.raises(IllegalTransition, match="write at most"):
        judge_edit(desk.kit(), desk.subject.persona, post, Draft(caption="word " * 600, alt_text="Mira."))


def test_the_language_is_judged_by_the_identifier(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    remarks = judge_text(desk.kit(identifier=Tongue()), desk.subject.persona, post, post.draft)
    (said,) = [one for one in remarks if one.criterion is TextCriterion.LANGUAGE]
    assert (said.outcome, said.explanation) == (Outcome.FAILED, "write in 'en', not in 'de'")


class Bag(Tongue):
    """Bags of words: texts that share words lie close."""

    def embed(self, texts):
        rows = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in words(text):
                row[zlib.crc32(word.encode()) % 512] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def said(remarks, criterion):
    return [one for one in remarks if one.criterion is criterion]


@pytest.mark.parametrize("embedder", [Broken(), Flat(), None])
def test_a_voice_of_few_posts_is_not_checked(desk, slot, embedder):
    post = produce(desk.kit(), desk.subject, slot())
    (voice,) = said(judge_text(desk.kit(embedder=embedder), desk.subject.persona, post, post.draft), TextCriterion.VOICE)
    assert voice.outcome is Outcome.NOT_CHECKED
    assert "too few" in voice.explanation


def test_a_broken_embedder_leaves_the_words(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    judge_text(desk.kit(embedder=Broken()), desk.subject.persona, post, post.draft)
    assert desk.diary.said("note").count("by their words alone: tongue: slow") == 1


def test_a_language_without_other_voices_is_not_checked(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    finnish = desk.as_persona(voice=desk.subject.persona.voice.model_dump(mode="json") | {"language": "fi"}).persona
    remarks = judge_text(desk.kit(), finnish, post, post.draft)
    assert said(remarks, TextCriterion.VOICE)[0].explanation == "there is no file config/voices for 'fi'"
    assert said(remarks, TextCriterion.CLAIMS)[0].outcome is Outcome.NOT_CHECKED


SHOUTED = Draft(caption="OMG YOU GUYS!!! Use my code NOW and SAVE 50 percent, link below!! 🔥🔥🔥", alt_text="Mira.")


@pytest.mark.parametrize("short_voice", [False, True])
def test_another_voice_is_sent_back_but_not_to_a_tiny_model(desk, slot, short_voice):
    post = produce(desk.kit(), desk.subject, slot())
    own = [*desk.subject.persona.voice.examples, *(f"{one} The baker hums." for one in desk.subject.persona.voice.examples)]
    known = Measures(recent=(), own=tuple(own))
    remarks = judge_text(desk.kit(short_voice=short_voice), desk.subject.persona, post, SHOUTED, known=known)
    (voice,) = said(remarks, TextCriterion.VOICE)
    assert (voice.outcome, voice.advisory) == (Outcome.FAILED, short_voice)
    assert (voice in failed(remarks)) is not short_voice


def test_the_same_in_other_words_is_asked_for_again(desk, slot):
    first = "A dog waits outside the pharmacy, very upright, like somebody with an appointment."
    again = "Upright, very like somebody with an appointment, a dog waits outside the pharmacy."
    kit = desk.kit(embedder=Bag())
    desk.chat.script({}, {"caption": first}, {})
    produce(kit, desk.subject, slot())
    desk.chat.script({}, {"caption": again})
    post = produce(kit, desk.subject, slot("night", 21))
    assert post.held_because is None
    assert "said before in other words" in desk.diary.said("note")
    assert post.draft.caption != again


def test_the_same_hashtags_every_time_are_advice(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    past = tuple(Draft(caption=f"Number {n}.", hashtags=("Sketchbook", "rain"), alt_text="Mira.") for n in range(3))
    draft = Draft(caption="The tea is cold.", hashtags=("rain", "sketchbook"), alt_text="Mira.")
    remarks = judge_text(desk.kit(), desk.subject.persona, post, draft, known=Measures(recent=past, own=()))
    (told,) = said(remarks, TextCriterion.REPETITION)
    assert (told.outcome, told.advisory) == (Outcome.FAILED, True)
    fresh = draft.model_copy(update={"hashtags": ("sketchbook", "tea")})
    remarks = judge_text(desk.kit(), desk.subject.persona, post, fresh, known=Measures(recent=past, own=()))
    assert said(remarks, TextCriterion.REPETITION)[0].outcome is Outcome.PASSED


def test_an_edit_is_stored_with_its_remarks_and_is_no_change_by_them(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    after = edit(desk.kit(), desk.subject.persona, post.id, post.draft.model_copy(update={"caption": CLAIM}), by="ana")
    stored = desk.store.get_post(post.id).draft
    assert stored == after.draft
    assert outcomes(stored.remarks)["claims"] == "failed"
    assert outcomes(stored.remarks)["novelty"] == "passed"
    assert edit(desk.kit(), desk.subject.persona, post.id, stored.model_copy(update={"remarks": ()}), by="ana") == after
    with pytest.raises(IllegalTransition, match="write at most"):
        edit(desk.kit(), desk.subject.persona, post.id, stored.model_copy(update={"caption": "word " * 600}), by="ana")


def test_an_alt_text_is_judged_when_there_is_a_picture(desk, slot):
    eyes = ScriptedChat({"alt_text": "A poster about elections behind her."}, vision=True)
    post = produce(desk.kit(vision=eyes), desk.subject, slot())
    assert post.state is PostState.AWAITING_REVIEW
    assert post.draft.alt_text.startswith("Illustration of Mira")
    assert outcomes(post.draft.remarks)["boundaries"] == "passed"
    assert "alt text: do not mention" in desk.diary.said("note")


def test_an_alt_text_that_breaks_a_rule_holds_the_post(desk, slot):
    boundaries = desk.subject.persona.boundaries.model_dump(mode="json") | {"topics": ["illustration"]}
    held = produce(desk.kit(), desk.as_persona(boundaries=boundaries), slot())
    assert held.state is PostState.HELD
    assert held.held_because == "the text: do not mention 'illustration'"
    assert outcomes(held.draft.remarks)["boundaries"] == "failed"


def test_posts_that_came_since_hold_none_for_its_caption(desk, slot):
    """It was new when it was written; whoever approves sees what has changed."""
    desk.judge.verdicts = [{Criterion.BRIEF: None}] * 3
    held = produce(desk.kit(), desk.subject, slot())
    other = produce(desk.kit(), desk.subject, slot("night", 21))
    same = other.draft.model_copy(update={"caption": held.draft.caption})
    edit(desk.kit(), desk.subject.persona, other.id, same, by="ana")
    post = retry(desk.kit(), desk.subject, held.id)
    assert post.state is PostState.AWAITING_REVIEW
    assert outcomes(post.draft.remarks)["repetition"] == "failed"


def test_a_shot_that_was_there_before_is_asked_again_then_changed(desk, slot):
    desk.images._vocabulary = None
    desk.chat.values = {"outfit": "a raincoat", "pose": "", "framing": "half body"}
    first = produce(desk.kit(), desk.subject, slot())
    brief = first.brief
    fixed = {"routine": [{"name": "day", "start_hour": 0, "end_hour": 24, "activities": ["draws"], "scenes": [brief.scene]}]}
    fixed["look"] = desk.subject.persona.look.model_dump(mode="json") | {"wardrobe": []}
    second = produce(desk.kit(), desk.as_persona(**fixed), slot("night", 21))
    assert second.held_because is None
    assert (second.shot.scene, second.shot.outfit) == (first.shot.scene, "a raincoat")
    assert second.shot.pose == "standing"
    assert "was shown lately" in desk.diary.said("note")
    assert len(desk.chat.asked) == 4 + 3 + 3
    (stored,) = said(desk.store.get_post(second.id).draft.remarks, TextCriterion.NOVELTY)
    assert stored.explanation == (
        f"a raincoat, {brief.scene}, half body was shown lately; changed: a raincoat, {brief.scene}, half body, standing"
    )
