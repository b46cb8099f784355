"""What does better, and how sure that is: rewards are ranks, beliefs widen with doubt, and the doubtful has its turn."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.preference import (
    HALF_LIFE_DAYS,
    UNKNOWN,
    Outcome,
    engagement,
    learn,
    part_of_day,
    ranked,
    sampled,
)


def outcome(reward: float, topic: str = "tea", age_days: float = 0.0) -> Outcome:
    return Outcome(features={"topic": topic}, reward=reward, age_days=age_days)


def test_what_did_well_is_believed_to_do_well():
    tastes = learn([outcome(0.9), outcome(0.8), outcome(0.1, "rain")])
    assert tastes["topic", "tea"].mean > UNKNOWN.mean > tastes["topic", "rain"].mean
    assert tastes["topic", "tea"].outcomes == 2


def test_more_outcomes_are_surer():
    spreads = [learn([outcome(0.7)] * count)["topic", "tea"].spread for count in (1, 5, 50)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] < UNKNOWN.spread


def test_an_old_outcome_counts_less():
    new, old = learn([outcome(1.0)]), learn([outcome(1.0, age_days=HALF_LIFE_DAYS)])
    assert new["topic", "tea"].mean - 0.5 == pytest.approx(1 / 6)
    assert old["topic", "tea"].good == pytest.approx(1.5)


def test_the_better_one_is_tried_more_often_and_the_unknown_now_and_then():
    tastes = learn([outcome(0.8)] * 20 + [outcome(0.2, "rain")] * 20)
    draw, topics = random.Random(7), ("tea", "rain", "boats")
    first = collections.Counter(max(topics, key=lambda topic: sampled(tastes, {"topic": topic}, draw)) for _ in range(1000))
    assert first["tea"] > 600
    assert first["boats"] > 100
    assert first["rain"] < 50


def test_the_same_slot_guesses_the_same():
    tastes = learn([outcome(0.6)])
    guesses = {sampled(tastes, {"topic": "tea", "scene": "cafe"}, random.Random("mira:2026-11-28:noon")) for _ in range(5)}
    assert len(guesses) == 1


@pytest.mark.parametrize(
    ("own", "others", "reward"),
    [
        (5, [1, 2, 3, 4], None),
        (5, [1, 2, 3, 4, 4], 1.0),
        (0, [1, 2, 3, 4, 4], 0.0),
        (3, [1, 2, 3, 4, 5], 0.5),
        (7, [7, 7, 7, 7, 7], 0.5),
    ],
)
def test_a_reward_is_a_rank_among_peers(own, others, reward):
    assert ranked(own, others) == reward


@given(own=st.floats(0, 1e9), others=st.lists(st.floats(0, 1e9), min_size=5, max_size=40), factor=st.floats(0.5, 1000))
def test_a_larger_account_ranks_alike(own, others, factor):
    reward = ranked(own, others)
    assert 0 <= reward <= 1
    distinct = len({own * factor, *(other * factor for other in others)}) == len({own, *others})
    if distinct:
        assert ranked(own * factor, [other * factor for other in others]) == reward


def test_what_a_platform_does_not_tell_is_not_zero():
    assert engagement(likes=None, comments=None, shares=None, saves=None) is None
    assert engagement(likes=0, comments=None, shares=None, saves=None) == 0
    assert engagement(likes=4, comments=2, shares=None, saves=1) == 12


def test_every_hour_has_a_name():
    names = [part_of_day(hour) for hour in range(24)]
    assert sorted(set(names)) == ["afternoon", "evening", "midday", "morning", "night"]
    assert part_of_day(9) == "morning"
    assert part_of_day(23) == "evening"
