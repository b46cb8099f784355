"""What the store keeps for the critic, from many threads too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from zirelia.domain.calibration import Calibration, YawLine
from zirelia.domain.decision import Decision, DecisionKind
from zirelia.ports import KeptAnswer

ONE = Calibration(
    embedder="dlib 19", threshold=0.9, floor=0.8, false_accept=0.01, n=8, turned=(YawLine(yaw=35, threshold=0.85, n=3),)
)


def test_a_calibration_is_kept_and_replaced(store):
    assert store.calibration("k") is None
    store.keep_calibration("k", "mira", ONE)
    store.keep_calibration("k", "mira", two := ONE.model_copy(update={"threshold": 0.91}))
    store.keep_calibration("other", "noor", ONE)
    assert store.calibration("k") == two
    assert store.calibrations("mira") == (two,)


@pytest.mark.parametrize(
    ("raw", "kept"), [('{"answer": "yes"}', '{"answer": "yes"}'), ("half \ud83d of\x00 it", "half ? of it"), ("", "")]
)
def test_the_first_answer_stays(store, raw, kept):
    assert store.answer("k") is None
    store.keep_answer("k", KeptAnswer("eyes", "one person?", raw, 0.0015))
    store.keep_answer("k", KeptAnswer("eyes", "one person?", "another", 0.5))
    assert store.answer("k") == KeptAnswer("eyes", "one person?", kept, 0.0015)


def test_worker_threads_write_at_once(store):
    def work(number: int) -> KeptAnswer | None:
        store.keep_answer(f"k{number % 4}", KeptAnswer("eyes", "q", f"{number % 4}", 0.0))
        store.keep_calibration("same", "mira", ONE)
        return store.answer(f"k{number % 4}")

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(work, range(40)))
    assert [one and one.raw for one in said] == [str(number % 4) for number in range(40)]
    assert store.calibration("same") == ONE


def test_judged_posts_come_with_their_decisions(store, stored, attempt, verdict, new_post, first_event):
    bare = new_post("mira:2026-10-26:noon")
    store.add_post(bare, first_event(bare))
    store.add_attempt(stored.id, attempt(judged=verdict()))
    assert [(known.post.id, known.wanted) for known in store.judged_posts()] == [(stored.id, None)]
    known = store.get_post(stored.id)
    decision = Decision(kind=DecisionKind.REJECT, by="ana", at=stored.created, because="dull")
    after = known.model_copy(update={"version": known.version + 1})
    store.save_post(after, expected_version=known.version, decision=decision)
    (judged,) = store.judged_posts(persona="mira")
    assert (judged.decisions, judged.wanted) == ((decision,), False)
    assert len(judged.post.attempts[0].verdict.findings) == 3
    assert store.judged_posts(persona="noor") == ()
