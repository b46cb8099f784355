"""The fold fails closed: nothing that was not checked, failed or could not be answered ends as a pass."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.verdict import (
    Criterion,
    Finding,
    Outcome,
    Repair,
    RepairKind,
    Rubric,
    Verdict,
    fold,
    outcome_of,
    repairs_for,
)

IDENTITY, SAFETY, TECHNICAL, BRIEF = Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.BRIEF
PASSED, FAILED, NOT_CHECKED = Outcome.PASSED, Outcome.FAILED, Outcome.NOT_CHECKED
REQUIRED = (IDENTITY, SAFETY, TECHNICAL)


def finding(criterion: Criterion, outcome: Outcome, **more: object) -> Finding:
    return Finding.model_validate(
        {"criterion": criterion, "outcome": outcome, "instrument": "test", "explanation": "seen", **more}
    )


def findings(*outcomes: tuple[Criterion, Outcome]) -> list[Finding]:
    return [finding(criterion, outcome) for criterion, outcome in outcomes]


ALL_WELL = findings(*((criterion, PASSED) for criterion in REQUIRED))


@pytest.mark.parametrize(
    ("seen", "rubric", "passed", "says"),
    [
        (ALL_WELL, Rubric(), True, "passed 3 criteria; not checked: subjects, framing, anatomy, brief, look, novelty"),
        ([], Rubric(), False, "not checked though required: identity, technical, safety"),
        ([], Rubric(must_check=frozenset()), True, "passed 0 criteria"),
        (ALL_WELL[:2], Rubric(), False, "not checked though required: technical"),
        ([*ALL_WELL, *findings((BRIEF, FAILED))], Rubric(), False, "failed: brief"),
        ([*ALL_WELL, *findings((BRIEF, FAILED))], Rubric(advisory=frozenset({BRIEF})), True, "passed 3 criteria"),
        ([*ALL_WELL, *findings((SAFETY, FAILED))], Rubric(), False, "failed: safety"),
        # a second instrument for safety broke: that the first one saw nothing is no answer for both
        ([*ALL_WELL, *findings((SAFETY, NOT_CHECKED))], Rubric(), False, "not checked though required: safety"),
        ([*ALL_WELL, *findings((BRIEF, NOT_CHECKED), (BRIEF, PASSED))], Rubric(), True, "passed 4 criteria"),
        (
            findings((IDENTITY, FAILED), (SAFETY, PASSED)),
            Rubric(),
            False,
            "failed: identity; not checked though required: technical",
        ),
    ],
)
def test_fold(seen: Sequence[Finding], rubric: Rubric, passed: bool, says: str) -> None:
    verdict = fold(seen, rubric)
    assert verdict.passed is passed
    assert verdict.explanation.startswith(says)
    assert verdict.findings == tuple(seen)


@pytest.mark.parametrize(
    ("criterion", "first", "second", "passed"),
    [
        (Criterion.SUBJECTS, ("people", PASSED), ("people", NOT_CHECKED), True),  # a model that is unsure of what is known
        (Criterion.SUBJECTS, ("people", PASSED), ("head", NOT_CHECKED), False),
        (Criterion.SUBJECTS, ("people", PASSED), ("", NOT_CHECKED), False),  # it broke: nobody knows what it would have said
        (Criterion.SUBJECTS, ("", PASSED), ("", NOT_CHECKED), False),
        (Criterion.SUBJECTS, ("cut_off head", PASSED), ("cut-off head", NOT_CHECKED), True),
        (SAFETY, ("nudity", PASSED), ("nudity", NOT_CHECKED), False),  # there each judge must be sure
    ],
)
def test_one_instrument_answers_for_another(
    criterion: Criterion, first: tuple[str, Outcome], second: tuple[str, Outcome], passed: bool
) -> None:
    rubric = Rubric(must_check=frozenset({criterion}))
    seen, unsure = (finding(criterion, outcome, aspect=aspect) for aspect, outcome in (first, second))
    assert not fold([seen, unsure], rubric).passed, "what could not even look is answered by nobody"
    unsure = unsure.model_copy(update={"repair": Repair(kind=RepairKind.NEW_SEED, because="unsure")})
    for order in ([seen, unsure], [unsure, seen]):
        assert fold(order, rubric).passed is passed


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], NOT_CHECKED),
        ([NOT_CHECKED], NOT_CHECKED),
        ([PASSED], PASSED),
        ([PASSED, NOT_CHECKED], PASSED),
        ([PASSED, FAILED], FAILED),
        ([NOT_CHECKED, FAILED], FAILED),
    ],
)
def test_the_outcome_of_one_criterion(outcomes: list[Outcome], expected: Outcome) -> None:
    others = findings((BRIEF, FAILED), (TECHNICAL, PASSED))
    assert outcome_of(SAFETY, [*others, *findings(*((SAFETY, outcome) for outcome in outcomes))]) is expected


_criteria = st.sampled_from(Criterion)
_findings = st.lists(
    st.builds(
        Finding,
        criterion=_criteria,
        outcome=st.sampled_from(Outcome),
        instrument=st.just("test"),
        explanation=st.just("seen"),
        aspect=st.sampled_from(["", "hands", "face"]),
        repair=st.none() | st.just(Repair(kind=RepairKind.NEW_SEED, because="seen")),
        score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        threshold=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    max_size=14,
)


@st.composite
def rubrics(draw: st.DrawFn) -> Rubric:
    must, hold = draw(st.frozensets(_criteria)), draw(st.frozensets(_criteria))
    return Rubric(must_check=must, hold_on=hold, advisory=draw(st.frozensets(_criteria)) - must - hold)


@given(seen=_findings, rubric=rubrics())
def test_a_pass_means_that_all_that_is_required_was_checked_and_nothing_failed(seen: list[Finding], rubric: Rubric) -> None:
    verdict = fold(seen, rubric)
    if verdict.passed:
        assert not verdict.hold
        for criterion in rubric.must_check:
            own = [f for f in seen if f.criterion is criterion]
            assert PASSED in {f.outcome for f in own}
            # each question has an answer, and nobody broke
            answered = {f.aspect for f in own if f.outcome is PASSED and f.aspect and criterion is not SAFETY}
            assert all(f.outcome is PASSED or (f.repair and f.aspect in answered) for f in own)
        assert all(f.criterion in rubric.advisory for f in verdict.failed)
    else:
        assert verdict.explanation.startswith(("failed: ", "not checked though required: "))
    assert 0.0 <= verdict.score <= 1.0


@given(seen=_findings, rubric=rubrics(), extra=_findings)
def test_more_bad_news_never_turns_a_fail_into_a_pass(seen: list[Finding], rubric: Rubric, extra: list[Finding]) -> None:
    bad = [f for f in extra if f.outcome is not PASSED]
    if not fold(seen, rubric).passed:
        assert not fold([*seen, *bad], rubric).passed


@given(seen=_findings, rubric=rubrics())
def test_the_order_of_the_findings_decides_nothing(seen: list[Finding], rubric: Rubric) -> None:
    forwards, backwards = fold(seen, rubric), fold(seen[::-1], rubric)
    assert (forwards.passed, forwards.hold, forwards.explanation) == (backwards.passed, backwards.hold, backwards.explanation)
    assert forwards.score == pytest.approx(backwards.score)


@given(seen=_findings, rubric=rubrics())
def test_a_verdict_survives_the_store(seen: list[Finding], rubric: Rubric) -> None:
    verdict = fold(seen, rubric)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_a_verdict_of_an_older_version_is_read() -> None:
    """What was stored before findings had aspects and repairs named their finding."""
    repair = {"kind": "new_seed", "because": "blurred", "phrase": ""}
    old = {"criterion": "technical", "outcome": "failed", "instrument": "technical", "explanation": "blurred", "repair": repair}
    verdict = Verdict.model_validate({"passed": False, "explanation": "failed", "findings": [old], "score": 0.1, "hold": False})
    (repaired,) = repairs_for(verdict)
    assert (repaired.criterion, verdict.mends, verdict.findings[0].aspect) == (TECHNICAL, (), "")


@pytest.mark.parametrize(
    ("hold_on", "seen", "hold"),
    [
        ({SAFETY}, ALL_WELL, False),
        ({SAFETY}, [*ALL_WELL, *findings((SAFETY, FAILED))], True),
        ({SAFETY}, [*ALL_WELL, *findings((IDENTITY, FAILED))], False),
        (set(), [*ALL_WELL, *findings((SAFETY, FAILED))], False),
    ],
)
def test_what_is_never_retried_holds(hold_on: set[Criterion], seen: Sequence[Finding], hold: bool) -> None:
    assert fold(seen, Rubric(hold_on=frozenset(hold_on))).hold is hold


@pytest.mark.parametrize("field", ["must_check", "hold_on"])
def test_a_criterion_cannot_be_required_and_advisory(field: str) -> None:
    with pytest.raises(ValidationError, match="safety: advisory, so it can neither be in must_check nor in hold_on"):
        Rubric.model_validate({"must_check": ["identity"], field: ["safety"], "advisory": ["safety"]})


def test_a_pack_that_makes_identity_advisory_must_say_what_is_required_instead() -> None:
    with pytest.raises(ValidationError, match="identity"):
        Rubric.model_validate({"advisory": ["identity"]})
    assert Rubric.model_validate({"must_check": ["safety"], "advisory": ["identity"]}).must_check == {SAFETY}


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ((FAILED, 0.1, 0.5), (FAILED, 0.4, 0.5)),
        ((FAILED, 0.49, 0.5), (PASSED, 0.5, 0.5)),
        ((FAILED, -1.0, 0.5), (FAILED, 0.2, 0.5)),
        ((FAILED, None, None), (NOT_CHECKED, None, None)),
        ((NOT_CHECKED, None, None), (PASSED, None, None)),
    ],
)
def test_scores_order_attempts(
    worse: tuple[Outcome, float | None, float | None], better: tuple[Outcome, float | None, float | None]
) -> None:
    low, high = (
        fold([finding(IDENTITY, outcome, score=score, threshold=threshold)], Rubric())
        for outcome, score, threshold in (worse, better)
    )
    assert low.score < high.score


def test_repairs_come_from_failed_findings_once_in_their_order() -> None:
    seed = Repair(kind=RepairKind.NEW_SEED, because="blurred")
    hands = Repair(kind=RepairKind.HIDE_HANDS, because="six fingers")
    again = Repair(kind=RepairKind.NEW_SEED, because="not her")
    cafe, beach = (Repair(kind=RepairKind.EMPHASISE, because="missing", phrase=phrase) for phrase in ("cafe", "beach"))
    seen = [
        finding(TECHNICAL, FAILED, repair=seed),
        finding(SAFETY, PASSED, repair=Repair(kind=RepairKind.SAFER_WORDING, because="unused")),
        finding(BRIEF, NOT_CHECKED, repair=Repair(kind=RepairKind.NOTE, because="unused")),
        finding(Criterion.ANATOMY, FAILED, repair=hands),
        finding(IDENTITY, FAILED, repair=again),
        finding(BRIEF, FAILED, repair=cafe),
        finding(BRIEF, FAILED, repair=beach),
        finding(Criterion.LOOK, FAILED),
    ]
    asked = [(r.kind, r.because, r.phrase, r.criterion) for r in repairs_for(fold(seen, Rubric()))]
    wanted = zip((seed, hands, cafe, beach), (TECHNICAL, Criterion.ANATOMY, BRIEF, BRIEF), strict=True)
    assert asked == [(r.kind, r.because, r.phrase, criterion) for r, criterion in wanted]


@pytest.mark.parametrize("field", ["score", "threshold", "seconds", "cost_usd"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_finding_holds_no_number_that_compares_with_nothing(field: str, value: float) -> None:
    with pytest.raises(ValidationError):
        finding(IDENTITY, PASSED, **{field: value})


@pytest.mark.parametrize("aspect", ["minor", "real person", "real_person", "Violence"])
@pytest.mark.parametrize("rubric", [Rubric(), Rubric(must_check=frozenset(), advisory=frozenset({SAFETY}))])
def test_what_no_rubric_may_wave_through_fails_and_holds(aspect: str, rubric: Rubric) -> None:
    verdict = fold([*ALL_WELL, finding(SAFETY, FAILED, aspect=aspect)], rubric)
    assert (verdict.passed, verdict.hold) == (False, True)
    assert not fold([finding(SAFETY, PASSED, aspect=aspect)], rubric).hold


def test_nudity_alone_does_not_hold_at_once() -> None:
    assert not fold([*ALL_WELL, finding(SAFETY, FAILED, aspect="nudity")], Rubric()).hold
