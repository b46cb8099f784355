"""Thresholds held against people's decisions; a table of cases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.post import Post
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.domain.track_record import instruments, pass_rates
from zirelia.domain.tuning import JudgedPost, Line, Rate, Side, lines, side_of, tune
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric, fold

AT = datetime(2026, 11, 21, tzinfo=UTC)
SHOT = Shot(scene="park", outfit="coat", expression="calm", framing=Framing.CLOSE_UP, light="dusk")
LINE = Line("technical", Criterion.TECHNICAL, "sharpness")
RUBRIC = Rubric(must_check=frozenset({Criterion.TECHNICAL}))


def remark(score: float | None, threshold: float | None = 0.5, *, passed: bool | None = None, **more: object) -> Finding:
    good = passed if passed is not None else (score or 0) >= (threshold or 0)
    return Finding.model_validate(
        {
            "criterion": Criterion.TECHNICAL,
            "outcome": Outcome.PASSED if good else Outcome.FAILED,
            "instrument": "technical",
            "explanation": "seen",
            "score": score,
            "threshold": threshold,
            "aspect": "sharpness",
            **more,
        }
    )


def post(number: int, wanted: bool | None, *findings: Finding) -> JudgedPost:
    image = MediaRef(sha256="0" * 64, media_type="image/png", width=1, height=1)
    made = Provenance(backend="b", model="m", prompt=ImagePrompt(text="t", seed=0, width=64, height=64), seconds=0, made_at=AT)
    one = Attempt(number=1, shot=SHOT, image=image, provenance=made, verdict=fold(findings, RUBRIC))
    kind = DecisionKind.APPROVE if wanted else DecisionKind.REJECT
    decisions = () if wanted is None else (Decision(kind=kind, by="ana", at=AT, because="because"),)
    stored = Post(id=number, persona="mira", slot_id=f"s{number}", due=AT, attempts=(one,), chosen=1, created=AT, updated=AT)
    return JudgedPost(stored, decisions)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (5, 10, 0.2366, 0.7634), (95, 100, 0.8882, 0.9785)],
)
def test_wilson(hits, of, low, high):
    assert Rate(hits=hits, of=of).interval == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(
    ("findings", "side"),
    [
        ([remark(0.6), remark(0.4)], Side.AT_LEAST),
        ([remark(0.6, passed=False), remark(0.4, passed=True)], Side.AT_MOST),
        ([remark(0.6, passed=False), remark(0.7, passed=True)], None),
        ([remark(0.5, passed=True)], Side.AT_LEAST),
        ([remark(0.4, passed=True)], Side.AT_MOST),
    ],
)
def test_the_side_is_read_from_what_was_said(findings, side):
    assert side_of(findings) is side


def test_only_what_has_two_numbers_is_a_line():
    unmeasured = [remark(None, passed=True), remark(0.3, None, passed=True), remark(0.3, outcome=Outcome.NOT_CHECKED)]
    assert lines([post(1, True, *unmeasured)]) == ()
    assert lines([post(1, True, remark(0.3))]) == (LINE,)


def test_a_threshold_that_people_disagree_with_is_moved():
    # people take everything from 0.3 on, the line was at 0.5
    judged = [post(n, True, remark(0.3 + n / 100)) for n in range(40)] + [
        post(50 + n, False, remark(n / 100)) for n in range(20)
    ]
    found = tune(LINE, judged, {"mira": RUBRIC}, (0.25, 0.9))
    assert (found.count, found.approved, found.refused, found.present) == (60, 40, 20, (0.5,))
    now, lower, higher = found.tried
    assert (now.findings, now.false_rejects.hits, now.false_accepts.hits) == (0, 20, 0)
    assert (lower.findings, lower.verdicts, lower.agreement.hits) == (20, 20, 60)
    assert higher.false_rejects.share == 1
    assert found.suggestion == 0.25
    assert "60 of 60" in found.because
    assert 0.2 < (tune(LINE, judged, {}).suggestion or 0) < 0.35


@pytest.mark.parametrize(
    ("judged", "because"),
    [
        ([post(n, True, remark(0.4)) for n in range(30)], "too few decisions: 30 approved and 0 refused"),
        ([post(n, None, remark(0.4)) for n in range(30)], "too few decisions: 0 approved and 0 refused"),
        ([post(n, n % 2 == 0, remark(0.6 if n % 2 == 0 else 0.4)) for n in range(40)], "no threshold that was tried"),
        (
            [post(n, n > 11, remark(0.6 if n > 11 else 0.4)) for n in range(24)] + [post(30, True, remark(0.45))],
            "which may be chance",
        ),
        ([post(1, True, remark(0.6, passed=False), remark(0.7, passed=True))], "none can be moved"),
    ],
)
def test_what_is_not_known_is_not_suggested(judged, because):
    found = tune(LINE, judged, {"mira": RUBRIC})
    assert found.suggestion is None
    assert because in found.because


def test_the_record_of_an_instrument():
    judged = [post(n, None, remark(0.6, seconds=n / 1000, cost_usd=0.5)) for n in range(1, 21)]
    judged.append(post(21, None, remark(0.1), remark(None, outcome=Outcome.NOT_CHECKED, explanation="raised OSError")))
    (one,) = instruments(judged)
    assert (one.asked, one.failed, one.not_checked, one.reasons) == (21, 1, 1, (("raised OSError", 1),))
    assert (one.median_ms, one.p95_ms, one.cost_usd) == pytest.approx((10, 19, 10))
    (rates,) = pass_rates(judged)
    assert (rates.first.hits, rates.within_three.of) == (20, 21)
    assert pass_rates([]) == instruments([]) == ()
