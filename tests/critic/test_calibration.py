"""The line around a persona, by table: who measured it, what it costs, and how a turned head is judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from zirelia.critic.calibration import LAXER, calibrate

FLOOR = 0.925
LAXEST = 1 - LAXER * (1 - FLOOR)


def rows(*angles: float) -> NDArray[np.float32]:
    return np.array([[np.cos(a), np.sin(a)] for a in angles], dtype=np.float32).reshape(-1, 2)


def test_what_was_measured_is_said() -> None:
    line = calibrate(rows(0.0, 0.1), rows(1.0, 2.0, 3.0), floor=FLOOR, embedder="dlib 19")
    assert (line.embedder, line.floor, line.n, line.impostors, line.turned) == ("dlib 19", FLOOR, 2, 3, ())
    assert line.line(90.0) == line.threshold


@pytest.mark.parametrize(
    ("own", "yaws", "strangers", "turned"),
    [
        # nobody measured: the general laxness from the first turn on
        (rows(0.0, 0.1), (0.0, 30.0), rows(2.0), [(20.0, 0, LAXEST)]),
        (rows(0.0), (None,), rows(), [(20.0, 0, LAXEST)]),
        # a look-alike above the floor: never below the first stranger who may not pass
        (rows(0.0, 0.1), (0.0, 30.0), rows(0.40), [(20.0, 0, pytest.approx(np.cos(0.35), abs=1e-4))]),
        # three that are far from the middle, to either side: as lax as may be
        (rows(0.0, 0.0, 0.0, 0.4, 0.4, -0.4), (0, 0, 0, 25, -30, 45), rows(2.0), [(20.0, 3, LAXEST)]),
    ],
)
def test_a_turned_head_by_table(own, yaws, strangers, turned) -> None:
    line = calibrate(own, strangers, floor=FLOOR, embedder="told", yaws=yaws)
    assert [(t.yaw, t.n, t.threshold) for t in line.turned] == [(y, n, pytest.approx(x, abs=1e-4)) for y, n, x in turned]
    assert line.line(0.0) == line.line(None) == line.threshold
    assert line.line(-30.0) == line.turned[0].threshold <= line.threshold


def test_another_number_of_yaws_and_strangers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="2 references, but 1 yaws"):
        calibrate(rows(0.0, 0.1), rows(), embedder="told", yaws=[0.0])
    with pytest.raises(ValueError, match="not finite"):
        calibrate(rows(0.0), np.full((1, 2), np.nan, dtype=np.float32), embedder="told")


@given(
    own=arrays(np.float64, st.integers(1, 20), elements=st.floats(-1, 1)),
    strangers=arrays(np.float64, st.integers(0, 150), elements=st.floats(-3, 3)),
    turns=st.lists(st.one_of(st.none(), st.floats(-90, 90)), min_size=20, max_size=20),
)
def test_no_line_is_laxer_than_the_general_laxness(own, strangers, turns) -> None:
    line = calibrate(rows(*own), rows(*strangers), floor=FLOOR, embedder="told", yaws=turns[: len(own)])
    assert line.threshold >= FLOOR
    assert all(LAXEST - 1e-9 <= turned.threshold <= line.threshold for turned in line.turned)
    assert line.turned
