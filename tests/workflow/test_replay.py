"""A verdict once more: from what is stored, without asking or paying anybody, and without writing anything."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from zirelia.critic.panel import CriticPanel
from zirelia.critic.vision import VisionInstrument
from zirelia.definitions.agents import load_agent
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion, Outcome, RepairKind, Rubric
from zirelia.errors import ConfigurationError, MediaError, NotFound, ProviderError
from zirelia.testing.chat import ScriptedChat
from zirelia.workflow.produce import produce, retry
from zirelia.workflow.replay import ReplayDesk, replay
from zirelia.workflow.review import reject

C = Criterion
LAX = Rubric(must_check=frozenset(), advisory=frozenset(Criterion) - {C.SAFETY})
STRICT = Rubric(must_check=frozenset(Criterion))


@dataclass
class Mute(ScriptedChat):
    """Eyes that may look while `open`; a question after that fails the test."""

    open: bool = True
    questions: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__({"answer": "yes", "evidence": "It can be seen."}, vision=True, cost=0.01)

    def ask(self, request, schema):
        assert self.open, "a replay asked the vision model"
        return super().ask(request, schema)


@pytest.fixture
def again(desk):
    """again(post_id, rubric=..., attempt=..., panel=...): a replay after which everything stored is as it was."""

    def dump():
        with closing(sqlite3.connect(desk.home / "zirelia.db")) as connection:
            files = {path: path.stat().st_mtime_ns for path in desk.media.files()}
            return list(connection.iterdump()), files

    def run(post_id, *, panel=None, **options):
        panel = panel or CriticPanel([desk.judge], expected=frozenset())
        before, paid, asked = dump(), desk.images.paid, len(desk.chat.asked)
        try:
            return replay(ReplayDesk(desk.store, desk.media, panel), desk.subject, post_id, **options)
        finally:
            assert dump() == before
            assert (desk.images.paid, len(desk.chat.asked)) == (paid, asked)

    return run


def test_the_same_eyes_and_rubric_come_to_the_same_verdict(desk, slot, again):
    post = produce(desk.kit(panel=CriticPanel([desk.judge], expected=frozenset())), desk.subject, slot())
    said = again(post.id)
    assert (said.attempt, said.changes, said.remembered) == (1, (), ())
    assert (said.before.passed, said.after.passed, said.by_rubric) == (True, True, True)
    assert said.after.explanation == said.before.explanation
    assert said.why == "the outcome is the same"
    first, second = desk.judge.seen
    assert first.image.tobytes() == second.image.tobytes()
    assert (first.shot, first.brief, first.prompt) == (second.shot, second.brief, second.prompt)


@pytest.mark.parametrize(
    ("failing", "rubric", "before", "after", "why"),
    [
        ({C.BRIEF: None}, LAX, False, True, "the rubric decides it"),
        ({}, STRICT, True, False, "the rubric decides it"),
        ({C.SAFETY: None}, LAX, False, False, "the outcome is the same"),
    ],
)
def test_another_rubric_is_all_it_takes(desk, slot, again, failing, rubric, before, after, why):
    desk.judge.verdicts = [failing]
    post = produce(desk.kit(attempts=1), desk.subject, slot())
    desk.judge.verdicts = [failing]
    said = again(post.id, rubric=rubric)
    assert (said.before.passed, said.after.passed, said.by_rubric) == (before, after, after)
    assert said.why.startswith(why)
    assert said.rubric == rubric
    assert not said.changes


def test_instruments_that_see_otherwise_decide_and_say_by_what(desk, slot, again):
    post = produce(desk.kit(), desk.subject, slot())
    desk.judge.verdicts = [{C.IDENTITY: None}]
    said = again(post.id)
    assert (said.before.passed, said.after.passed, said.by_rubric) == (True, False, True)
    assert said.why.startswith("the instruments decide it")
    (change,) = said.changes
    assert (change.criterion, change.before, change.after) == (C.IDENTITY, Outcome.PASSED, Outcome.FAILED)
    assert change.because == "judge: passed (0.9 / 0.8), now failed (0.4 / 0.8)"


def test_what_a_vision_model_found_is_remembered_and_never_asked_again(desk, slot, again):
    eyes = Mute()
    vision = VisionInstrument(eyes, load_agent("critic"), criteria=frozenset({C.ANATOMY}))
    panel = CriticPanel([desk.judge, vision], time_limit=5.0)
    desk.judge.criteria -= {C.SAFETY}
    desk.judge.verdicts = [{}] * 3
    post = produce(desk.kit(panel=panel, vision=eyes, attempts=1), desk.subject, slot())
    stored = [f for f in post.attempts[0].verdict.findings if f.instrument == "vision"]
    assert stored
    assert all(finding.raw for finding in stored)
    eyes.open = False
    spent = sum(row.charged_usd for row in desk.store.ledger())
    said = again(post.id, panel=CriticPanel([desk.judge]))
    assert said.remembered == ("vision",)
    assert [f for f in said.after.findings if f.instrument == "vision"] == stored
    # what nobody looked for stays open: the panel's own remark comes once, and not for what the eyes answered
    gaps = [f.criterion for f in said.after.findings if f.instrument == "panel"]
    assert gaps.count(C.SAFETY) == 1
    assert C.ANATOMY not in gaps
    assert not said.changes
    assert sum(row.charged_usd for row in desk.store.ledger()) == spent


def test_an_instrument_that_fails_now_passes_nothing(desk, slot, again):
    post = produce(desk.kit(), desk.subject, slot())
    desk.judge.verdicts = [ProviderError("gone", provider="x")]
    said = again(post.id)
    assert (said.before.passed, said.after.passed) == (True, False)
    assert {change.after for change in said.changes} == {Outcome.NOT_CHECKED}
    assert "gone" in said.changes[0].because


def test_it_compares_with_the_pictures_of_that_time(desk, slot, again):
    first = produce(desk.kit(), desk.subject, slot("morning", 9))
    second = produce(desk.kit(), desk.subject, slot("evening"))
    third = produce(desk.kit(), desk.subject, slot("morning", 9, day=22))
    for post, then in ((first, []), (second, [first.id]), (third, [second.id, first.id])):
        again(post.id)
        assert [number for number, _ in desk.judge.seen[-1].recent] == then
    reject(desk.kit(), first.id, by="ana", because="dull")
    again(third.id)
    assert [number for number, _ in desk.judge.seen[-1].recent] == [second.id]


def test_a_repair_that_helped_is_seen_to_have_helped(desk, slot, again, repair):
    desk.judge.verdicts = [{C.IDENTITY: repair(RepairKind.CLOSER_FRAMING)}]
    desk.chat.values = {"framing": "half body"}
    post = produce(desk.kit(), desk.subject, slot())
    assert post.chosen == 2
    said = again(post.id)
    (mend,) = said.after.mends
    assert (mend.kind, mend.criterion, mend.gone) == (RepairKind.CLOSER_FRAMING, C.IDENTITY, True)
    assert said.after.mends == said.before.mends
    desk.judge.verdicts = [{C.IDENTITY: None}]
    assert [mend.gone for mend in again(post.id).after.mends] == [False]
    assert again(post.id, attempt=1).after.mends == ()


def test_each_attempt_by_its_number(desk, slot, again):
    desk.judge.verdicts = [{C.BRIEF: None}] * 3
    held = produce(desk.kit(), desk.subject, slot())
    assert held.state is PostState.HELD
    for number in (1, 2, 3):
        said = again(held.id, attempt=number)
        assert (said.attempt, said.before.passed, said.after.passed) == (number, False, True)
        assert desk.judge.seen[-1].prompt == held.attempts[number - 1].provenance.prompt
    with pytest.raises(NotFound, match="no attempt 4") as error:
        again(held.id, attempt=4)
    assert "1, 2, 3" in error.value.hint


def test_an_attempt_that_was_never_judged_has_nothing_before(desk, slot, again, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("zirelia.workflow.shoot.fold", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            produce(desk.kit(), desk.subject, slot())
    said = again(1)
    assert (said.before, said.by_rubric, said.why) == (None, None, "the attempt had no verdict")
    assert {change.before for change in said.changes} == {None}


@pytest.mark.parametrize("harm", ["missing", "damaged"])
@pytest.mark.parametrize("whose", ["its own", "a recent one"])
def test_a_picture_that_is_lost_is_named(desk, slot, again, harm, whose):
    first, second = produce(desk.kit(), desk.subject, slot()), produce(desk.kit(), desk.subject, slot("night", 21))
    lost = desk.media.path((second if whose == "its own" else first).chosen_attempt.image)
    if harm == "missing":
        lost.unlink()
    else:
        lost.chmod(0o600)
        lost.write_bytes(b"rotten")
    with pytest.raises(MediaError, match=harm) as error:
        replay(ReplayDesk(desk.store, desk.media, CriticPanel([desk.judge])), desk.subject, second.id)
    assert str(lost) in error.value.message
    assert "backup" in error.value.hint


def test_a_post_without_brief_or_picture_is_refused_with_a_way_on(desk, slot, again):
    desk.chat.script(ProviderError("down", provider="script"))
    held = produce(desk.kit(), desk.subject, slot())
    with pytest.raises(NotFound, match="no picture yet") as error:
        again(held.id)
    assert error.value.hint == f"zirelia retry {held.id}"
    with pytest.raises(NotFound):
        again(99)
    post = retry(desk.kit(), desk.subject, held.id)
    bare = post.model_copy(update={"brief": None, "version": post.version + 1})
    desk.store.save_post(bare, expected_version=post.version)
    with pytest.raises(ConfigurationError, match="no brief"):
        again(post.id)
