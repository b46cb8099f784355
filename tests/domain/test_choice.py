"""The rule that chooses a checkpoint: tables for what it says, invariants for whatever it is given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.choice import Choice, Fit, Floors, Measured, choose

FLOORS = Floors()


def at(step: int, identity: float, *, scale: float = 1.0, spread: float = 0.0, **more: Any) -> Measured:
    """Eight pictures around one identity; keeps the floors unless told otherwise."""
    values = tuple(identity + spread * (1 if n % 2 else -1) for n in range(8))
    return Measured(step=step, scale=scale, identities=values, **{"agreement": 0.9, "leaked": 0.0} | more)


CASES = {
    "the only one": ([at(100, 0.6)], (100, 1.0), True),
    "the best": ([at(100, 0.2), at(200, 0.5), at(300, 0.7)], (300, 1.0), True),
    "the earliest within one error": ([at(100, 0.2), at(200, 0.69, spread=0.1), at(300, 0.7, spread=0.1)], (200, 1.0), True),
    "one error and no more": ([at(200, 0.66, spread=0.1), at(300, 0.7, spread=0.1)], (300, 1.0), True),
    "the best one's error counts, not the earlier one's": ([at(200, 0.69, spread=0.3), at(300, 0.7)], (300, 1.0), True),
    "a leak is no candidate": ([at(100, 0.5), at(200, 0.9, leaked=0.2)], (100, 1.0), True),
    "nor is one that draws something else": ([at(100, 0.5), at(200, 0.9, agreement=0.69)], (100, 1.0), True),
    "the floors themselves pass": ([at(100, 0.5, agreement=0.7, leaked=0.05)], (100, 1.0), True),
    "agreement may be unmeasured": ([at(100, 0.5, agreement=None)], (100, 1.0), True),
    "a leak may not": ([at(100, 0.5, leaked=None)], (100, 1.0), False),
    "a measured one before an unmeasured": ([at(100, 0.9, leaked=None), at(200, 0.3)], (200, 1.0), True),
    "of one step the weakest scale": ([at(100, 0.7, scale=0.8), at(100, 0.7)], (100, 0.8), True),
    "but not at the price of identity": ([at(100, 0.5, scale=0.8), at(100, 0.7)], (100, 1.0), True),
    "the order given does not matter": ([at(300, 0.7), at(100, 0.7)], (100, 1.0), True),
    "none passes: nearly there beats far away": ([at(100, 0.3, leaked=0.9), at(200, 0.7, leaked=0.1)], (200, 1.0), False),
    "none passes: a small leak beats no face": ([at(100, 0.01, leaked=0.06), at(200, 0.7, leaked=0.1)], (200, 1.0), False),
    "none passes, no face at all": ([at(100, -0.1, leaked=0.3), at(200, -0.1, leaked=0.2)], (200, 1.0), False),
    "none passes, all alike": ([at(200, 0.5, leaked=0.3), at(100, 0.5, leaked=0.3)], (100, 1.0), False),
}


@pytest.mark.parametrize(("measured", "expected", "passed"), CASES.values(), ids=CASES)
def test_which_is_chosen(measured, expected, passed):
    choice = choose(measured, FLOORS)
    assert (choice.step, choice.scale) == expected
    assert choice.passed is passed
    assert choice.chosen in measured


def test_the_reason_has_the_numbers():
    choice = choose([at(200, 0.69, spread=0.1), at(300, 0.7, spread=0.1)], FLOORS)
    assert choice.because == (
        "earliest within one standard error (0.038) of the best mean identity that keeps the floors: "
        "0.690 against 0.700 at step 300, scale 1"
    )
    assert choose([at(100, 0.6)], FLOORS).because.startswith("the best mean identity of those that keep the floors, 0.600")


def test_what_was_not_measured_is_said():
    assert choose([at(100, 0.6, agreement=None)], FLOORS).because.endswith("nothing here could measure what the pictures show")
    assert "the leak was not measured" in choose([at(100, 0.6, leaked=None)], FLOORS).because


def test_a_compromise_names_what_it_misses():
    because = choose([at(100, 0.6, leaked=0.25, agreement=0.5)], FLOORS).because
    assert "no checkpoint keeps the floors" in because
    assert "25% of the pictures of others are taken for the character, 5% may be" in because
    assert "the pictures show 50% of what was asked, 70% is wanted" in because


FITS = {
    "near real pairs": ([at(1, 0.5), at(2, 0.7), at(3, 0.7)], 0.75, Fit.GOOD, "0.700 against 0.750"),
    "far below real pairs": ([at(1, 0.3), at(2, 0.4), at(3, 0.4)], 0.75, Fit.UNDERFIT, "70% of that is the least"),
    "still rising": ([at(1, 0.4), at(2, 0.5), at(3, 0.6)], 0.75, Fit.UNDERFIT, "still rises at the last step, by 0.100"),
    "still rising, nothing to hold it against": ([at(1, 0.4), at(2, 0.6)], None, Fit.UNDERFIT, "still rises"),
    "rising within its error": ([at(1, 0.58, spread=0.1), at(2, 0.6, spread=0.1)], 0.75, Fit.GOOD, "0.600"),
    "rising, but as good as real": ([at(1, 0.5), at(2, 0.7)], 0.75, Fit.GOOD, "0.700"),
    "the pictures become one": (
        [at(1, 0.7, diversity=0.3), at(2, 0.7, diversity=0.29), at(3, 0.7, diversity=0.2)],
        0.75,
        Fit.OVERFIT,
        "diversity falls from 0.300 to 0.200 by step 3",
    ),
    "training pictures are painted again": (
        [at(1, 0.7, memorised=0.5), at(2, 0.7, memorised=0.9)],
        0.75,
        Fit.OVERFIT,
        "likeness to a training picture rises from 0.50 to 0.90",
    ),
    "memory that buys identity": ([at(1, 0.5, memorised=0.5), at(2, 0.7, memorised=0.9)], 0.75, Fit.GOOD, "0.700"),
    "identity falls too": ([at(1, 0.7, diversity=0.3), at(2, 0.5, diversity=0.1)], 0.75, Fit.OVERFIT, "after step 1"),
    "only one": ([at(1, 0.7)], 0.75, Fit.GOOD, "with one checkpoint nothing tells"),
    "nothing measured but faces": ([at(1, 0.7), at(2, 0.7)], None, Fit.GOOD, "0.700"),
    "a diversity of nothing": ([at(1, 0.7, diversity=0.0), at(2, 0.7, diversity=0.0)], 0.75, Fit.GOOD, "0.700"),
}


@pytest.mark.parametrize(("measured", "real", "fit", "said"), FITS.values(), ids=FITS)
def test_how_the_training_fits(measured, real, fit, said):
    choice = choose(measured, FLOORS, real=real)
    assert choice.fit is fit
    assert said in choice.fit_because


def test_the_fit_is_told_of_the_chosen_scale_alone():
    weak = [at(step, 0.2, scale=0.4) for step in (1, 2)]
    assert choose([*weak, at(1, 0.7), at(2, 0.7)], FLOORS, real=0.75).fit is Fit.GOOD


def test_nothing_and_twice_are_refused():
    with pytest.raises(ValueError, match="nothing was measured"):
        choose([], FLOORS)
    with pytest.raises(ValueError, match="step 100 at scale 1 was measured twice"):
        choose([at(100, 0.5), at(100, 0.6)], FLOORS)


def test_a_choice_is_among_what_was_measured():
    with pytest.raises(ValidationError, match="was not measured"):
        Choice(step=2, scale=1.0, because="b", fit=Fit.GOOD, fit_because="f", passed=True, measured=(at(1, 0.5),))


def test_percentiles_and_errors():
    twenty = Measured(step=1, scale=1.0, identities=tuple(n / 20 for n in range(20)))
    assert (twenty.tenth, twenty.identity) == (0.1, 0.475)
    assert Measured(step=1, scale=1.0, identities=(0.3,)).error == 0.0


shares = st.none() | st.floats(0, 1, width=32)
scores = st.floats(-1, 1, width=32)
measured_ones = st.builds(
    Measured,
    step=st.integers(1, 12),
    scale=st.sampled_from((0.8, 1.0)),
    identities=st.lists(scores, min_size=1, max_size=6).map(tuple),
    agreement=shares,
    leaked=shares,
    diversity=shares,
    memorised=shares,
)
some = st.lists(measured_ones, min_size=1, max_size=8, unique_by=lambda each: (each.step, each.scale))


@given(measured=some, real=st.none() | scores)
def test_the_rule_holds_whatever_was_measured(measured, real):
    choice = choose(measured, FLOORS, real=real)
    passing = [each for each in measured if not FLOORS.missed(each, real)]
    assert choice.passed is bool(passing)
    assert choice == choose(list(reversed(measured)), FLOORS, real=real)
    assert Choice.model_validate_json(choice.model_dump_json()) == choice
    if passing:
        best = max(each.mean for each in passing)
        assert choice.chosen in passing
        # never later than another that is as good
        as_good = [each for each in passing if each.mean >= choice.chosen.mean]
        assert choice.step == min(each.step for each in as_good)
        assert choice.chosen.mean <= best


@given(measured=some, drop=st.floats(0.01, 1))
def test_training_longer_without_gain_changes_nothing(measured, drop):
    choice = choose(measured, FLOORS)
    best = max(measured, key=lambda each: each.identity)
    later = best.model_copy(update={"step": 99, "identities": tuple(score - drop for score in best.identities)})
    if choice.passed:
        assert (choose([*measured, later], FLOORS).step, choice.scale) == (choice.step, choice.scale)


@given(measured=measured_ones)
def test_a_shortfall_is_what_missed_says(measured):
    assert bool(FLOORS.missed(measured)) == (FLOORS.shortfall(measured) > 0)


def test_a_face_that_was_not_learnt_is_not_passed_however_little_it_leaks():
    weak = Measured(step=10, scale=1.0, identities=(0.1, 0.2, 0.15), agreement=1.0, leaked=0.0)
    choice = choose([weak], FLOORS, real=0.9)
    assert not choice.passed
    assert "identity is 0.150" in choice.because
    assert choose([weak], FLOORS).passed


def test_a_checkpoint_that_misses_the_face_now_and_then_is_not_as_good_as_its_median():
    early = Measured(step=10, scale=1.0, identities=(0.9, 0.9, 0.9, 0.9, 0.3, 0.3), agreement=1.0, leaked=0.0)
    late = Measured(step=20, scale=1.0, identities=(0.9, 0.9, 0.91, 0.9, 0.88, 0.89), agreement=1.0, leaked=0.0)
    assert choose([early, late], FLOORS).step == 20
