"""The statistics of the benches: intervals, curves, bins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.critic.shares import Share, area, percent, quantile, reliability, roc


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # as R's binom::binom.confint(method = "wilson") and the textbook say
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (38, 40, 0.8350, 0.9862),
        (5, 300, 0.0071, 0.0384),
        (1, 2, 0.0945, 0.9055),
    ],
)
def test_wilson(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=5e-4)


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_a_share(counted: tuple[int, int]) -> None:
    share = Share(*counted)
    low, high = share.interval
    assert 0 <= low <= share.value <= high <= 1
    assert low < high


def test_of_nothing_everything_is_possible() -> None:
    assert Share(0, 0).interval == (0.0, 1.0)
    assert math.isnan(Share(0, 0).value)
    assert str(Share(0, 0)) == "-"


@pytest.mark.parametrize(("count", "of"), [(-1, 3), (4, 3), (1, 0)])
def test_no_share(count: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        Share(count, of)


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0 %"), (0.0167, "1.7 %"), (0.5, "50 %"), (0.996, "99.6 %"), (1.0, "100 %"), (0.95, "95 %")]
)
def test_percent(share: float, said: str) -> None:
    assert percent(share) == said


def test_quantiles() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([0, 10], 0.95) == pytest.approx(9.5)
    assert math.isnan(quantile([], 0.5))


def test_roc_of_groups_that_lie_apart_and_of_equal_ones() -> None:
    assert area(roc([0.8, 0.9], [0.1, 0.2])) == 1.0
    assert area(roc([0.1, 0.2], [0.8, 0.9])) == 0.0
    assert area(roc([0.5, 0.5], [0.5, 0.5])) == 0.5
    assert roc([], [0.5]) == []


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=30),
    st.lists(st.floats(-1, 1), min_size=1, max_size=30),
)
def test_the_area_is_the_chance_that_one_of_the_same_scores_higher(same: list[float], others: list[float]) -> None:
    points = roc(same, others)
    wins = sum((s > o) + 0.5 * (s == o) for s in same for o in others) / (len(same) * len(others))
    assert area(points) == pytest.approx(wins, abs=1e-9)
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, 1.0)


def test_reliability_counts_every_answer_once() -> None:
    bins = reliability([(0.55, True), (0.5, False), (0.99, True), (1.0, True), (0.2, False)], (0.0, 0.5, 0.9, 1.0))
    assert [(b.right.count, b.right.of) for b in bins] == [(0, 1), (1, 2), (2, 2)]
    assert bins[1].claimed == pytest.approx(0.525)
