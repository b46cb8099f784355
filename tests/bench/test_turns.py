"""How turns are counted, and the calendar they run through; the turns themselves are run by the bench."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

from bench.turns import FIRST_DAY, Times, calendar, summary
from zirelia.definitions.personas import load_persona
from zirelia.domain.post import Post, PostState
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.domain.verdict import Criterion, Finding, Mend, Outcome, RepairKind, Verdict

AT = datetime(2027, 1, 4, 12, tzinfo=UTC)
SHOT = Shot(scene="cafe", outfit="red hoodie", expression="smiling", framing=Framing.CLOSE_UP, light="daylight")


def attempt(number: int, *, passed: bool, mends: tuple[Mend, ...] = (), failed: Criterion | None = Criterion.BRIEF) -> Attempt:
    fault = Finding(
        criterion=failed or Criterion.BRIEF, aspect="scene", outcome=Outcome.FAILED, instrument="t", explanation="x"
    )
    findings = () if passed or failed is None else (fault,)
    prompt = ImagePrompt(text="x", seed=1, width=64, height=64)
    return Attempt(
        number=number,
        shot=SHOT,
        image=MediaRef(sha256="0" * 64, media_type="image/png", width=64, height=64),
        provenance=Provenance(backend="t", model="t", prompt=prompt, seconds=1, made_at=AT),
        verdict=Verdict(
            passed=passed, explanation="not checked though required: identity", findings=findings, score=1, mends=mends
        ),
    )


def post(number: int, state: PostState, *attempts: Attempt) -> Post:
    return Post(id=number, persona="mira", slot_id=f"s{number}", due=AT, state=state, attempts=attempts, created=AT, updated=AT)


def mend(gone: bool | None) -> Mend:
    return Mend(kind=RepairKind.EMPHASISE, criterion=Criterion.BRIEF, aspect="scene", gone=gone)


def test_first_attempts_later_ones_and_held_posts_are_counted_apart() -> None:
    posts = [
        post(1, PostState.AWAITING_REVIEW, attempt(1, passed=True)),
        post(2, PostState.AWAITING_REVIEW, attempt(1, passed=False), attempt(2, passed=True, mends=(mend(True),))),
        post(3, PostState.HELD, *(attempt(n, passed=False, mends=(mend(False),) if n > 1 else ()) for n in (1, 2, 3))),
        post(4, PostState.HELD),
    ]
    said = summary(posts, [10.0, 20.0])
    assert "| first attempt passed | 1 | 3 |" in said
    assert "| passed within 3 attempts | 2 | 3 |" in said
    assert "| held, of all posts | 2 | 4 |" in said
    assert "| held before there was a picture | 1 | 4 |" in said
    assert "brief/scene 2." in said
    assert "| brief/scene | emphasise | 3 | 1 | 2 | 0 | 33 % " in said
    assert "median 15.0 s" in said


def test_a_finding_that_nobody_could_check_again_is_no_success() -> None:
    said = summary([post(1, PostState.AWAITING_REVIEW, attempt(1, passed=True, mends=(mend(None), mend(True))))], [])
    assert "| brief/scene | emphasise | 2 | 1 | 0 | 1 | 100 % " in said


def test_a_first_attempt_that_was_not_checked_says_so() -> None:
    said = summary([post(1, PostState.HELD, attempt(1, passed=False, failed=None))], [])
    assert "not checked though required: identity 1." in said
    assert "No repair was applied." in said


def test_nothing_at_all_is_no_error() -> None:
    assert "| first attempt passed | 0 | 0 | - |" in summary([], [])


def test_the_calendar_goes_on_after_the_slots_that_are_taken() -> None:
    persona = load_persona("mira").persona
    first = list(itertools.islice(calendar(persona, frozenset()), 60))
    assert len({slot.id for slot in first}) == 60
    assert first[0].day >= FIRST_DAY
    assert [slot.at for slot in first] == sorted(slot.at for slot in first)
    taken = frozenset(slot.id for slot in first[:10])
    assert next(calendar(persona, taken)) == first[10]


def test_times_of_turns_that_were_cut_short_are_left_out(tmp_path: Path) -> None:
    times = Times(tmp_path / "turns.jsonl")
    assert times.seconds() == []
    times.add(1, 12.5, whole=True)
    times.add(2, 3.0, whole=False)
    assert Times(tmp_path / "turns.jsonl").seconds() == [12.5]
