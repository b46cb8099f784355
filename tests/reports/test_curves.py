"""Curves: inside their frame whatever they show, with round numbers beside them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.reports.curves import HEIGHT, WIDTH, Level, Series, curve


def test_nothing_to_draw():
    assert curve("leak", []) is None
    assert curve("leak", [Series("leak", [(100, None), (200, None)])]) is None


def test_a_gap_breaks_the_line():
    drawn = curve("a", [Series("a", [(1, 0.1), (2, 0.2), (3, None), (4, 0.3), (5, 0.4)])])
    assert len(drawn.series[0].paths) == 2
    assert [said for *_, said in drawn.series[0].dots] == ["a, 1: 0.100", "a, 2: 0.200", "a, 4: 0.300", "a, 5: 0.400"]


def test_one_point_is_a_dot_in_the_middle():
    drawn = curve("a", [Series("a", [(300, 0.5)])], marked=300)
    assert drawn.series[0].paths == ()
    assert drawn.series[0].dots[0][0] == drawn.marked


def test_the_mark_must_be_on_the_axis():
    assert curve("a", [Series("a", [(1, 0.5)])], marked=2).marked is None


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0.0, 0.7), ["0", "0.2", "0.4", "0.6", "0.8"]),
        ((0.0, 0.0), ["0", "0.25"]),
        ((0.02, 0.05), ["0", "0.02", "0.04", "0.06"]),
        ((-0.2, 0.6), ["-0.2", "0", "0.2", "0.4", "0.6"]),
        ((120.0, 480.0), ["0", "200", "400", "600"]),
    ],
)
def test_round_numbers(values, labels):
    drawn = curve("a", [Series("a", list(enumerate(values)))])
    assert [tick.label for tick in drawn.up] == labels


def test_at_most_eight_steps_are_named_the_last_among_them():
    drawn = curve("a", [Series("a", [(step, 0.5) for step in range(100, 3100, 100)])])
    assert len(drawn.across) <= 8
    assert drawn.across[-1].label == "3000"


numbers = st.floats(-1000, 1000, width=32)


@given(
    points=st.lists(st.tuples(st.integers(1, 5000), st.none() | numbers), max_size=20, unique_by=lambda point: point[0]),
    levels=st.lists(numbers, max_size=3),
)
def test_everything_stays_in_the_frame(points, levels):
    drawn = curve("a", [Series("a", sorted(points))], levels=[Level("l", value) for value in levels])
    if drawn is None:
        assert all(y is None for _, y in points)
        return
    for x, y, _ in drawn.series[0].dots:
        assert drawn.left <= x <= drawn.right
        assert drawn.top - 0.1 <= y <= drawn.bottom + 0.1
    for _, y, _ in drawn.levels:
        assert drawn.top - 0.1 <= y <= drawn.bottom + 0.1
    heights = [tick.at for tick in drawn.up]
    assert all(above < below for below, above in itertools.pairwise(heights))
    assert len(heights) <= 8
    assert (drawn.width, drawn.height) == (WIDTH, HEIGHT)
