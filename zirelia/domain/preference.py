"""Which topics, scenes and hours do better with those who see them, and how sure that is.

    outcomes = [Outcome(features={"topic": "tea", "scene": "cafe", "hour": "morning"}, reward=0.8, age_days=3.0), ...]
    tastes = learn(outcomes)
    tastes["topic", "tea"].mean, tastes["topic", "tea"].spread      # 0.62, 0.09
    sampled(tastes, {"topic": "tea", "scene": "cafe"}, random.Random("mira:2026-11-28:noon"))       # Thompson sampling

One Beta distribution a value of a feature, all from the same prior: a value that was never tried is uncertain, and so is tried
now and then. A reward is a rank among the persona's own posts on the same channel at the same age, so that a large account
and a small one, a good month and a bad one, count alike. A person's rejection is an outcome of 0 and an edit one of
0.5. Knows no platform and no table.

Thompson, On the likelihood that one unknown probability exceeds another (1933).
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from zirelia.domain.value import Text, Value

PRIOR = 2.0
"""Outcomes that the prior counts for: as many good as bad."""
HALF_LIFE_DAYS = 90.0
"""An outcome counts half after so many days: tastes change."""
REJECTED, EDITED = 0.0, 0.5
LEAST_PEERS = 5
"""Posts to rank among; with fewer a rank says nothing, and the post is no outcome yet."""

_BEGIN = (6, 11, 15, 19)
_PARTS = ("night", "morning", "midday", "afternoon", "evening")

Feature = tuple[str, str]


class Outcome(Value):
    """What came of one post. features: what was chosen, by name. reward: 0 to 1. age_days: since it was measured."""

    features: dict[str, Text]
    reward: float = Field(ge=0, le=1)
    age_days: float = Field(ge=0)


class Taste(Value):
    """What is believed of one value of a feature: the Beta distribution of its reward. outcomes: how many posts say so."""

    good: float = Field(gt=0)
    bad: float = Field(gt=0)
    outcomes: int = Field(ge=0)

    @property
    def mean(self) -> float:
        return self.good / (self.good + self.bad)

    @property
    def spread(self) -> float:
        """The standard deviation."""
        total = self.good + self.bad
        return math.sqrt(self.good * self.bad / (total * total * (total + 1)))


UNKNOWN = Taste(good=PRIOR / 2, bad=PRIOR / 2, outcomes=0)


def learn(outcomes: Iterable[Outcome]) -> dict[Feature, Taste]:
    """Every value that was tried, with what is believed of it."""
    sums: dict[Feature, tuple[float, float, int]] = {}
    for outcome in outcomes:
        weight = 0.5 ** (outcome.age_days / HALF_LIFE_DAYS)
        for feature in outcome.features.items():
            good, bad, count = sums.get(feature, (PRIOR / 2, PRIOR / 2, 0))
            sums[feature] = (good + weight * outcome.reward, bad + weight * (1 - outcome.reward), count + 1)
    return {feature: Taste(good=good, bad=bad, outcomes=count) for feature, (good, bad, count) in sums.items()}


def sampled(tastes: Mapping[Feature, Taste], features: Mapping[str, str], draw: random.Random) -> float:
    """One guess of an option's reward, 0 to 1: the mean over its features of a draw from each one's distribution. The draws are
    what makes the uncertain ones have their turn.
    """
    if not features:
        return 0.5
    guesses = [_drawn(tastes.get(feature, UNKNOWN), draw) for feature in sorted(features.items())]
    return sum(guesses) / len(guesses)


def _drawn(taste: Taste, draw: random.Random) -> float:
    return draw.betavariate(taste.good, taste.bad)


def ranked(own: float, others: Sequence[float]) -> float | None:
    """The reward of a post: its rank among its peers, 0 to 1, ties in the middle; None with fewer than LEAST_PEERS of them."""
    if len(others) < LEAST_PEERS:
        return None
    known = sorted(others)
    below, not_above = bisect.bisect_left(known, own), bisect.bisect_right(known, own)
    return (below + not_above) / 2 / len(known)


def engagement(*, likes: int | None, comments: int | None, shares: int | None, saves: int | None) -> float | None:
    """One number for what people did, to rank by: an answer counts as three likes, a share or a saving as two. None when the
    platform tells nothing.
    """
    told = [(likes, 1.0), (comments, 3.0), (shares, 2.0), (saves, 2.0)]
    if all(count is None for count, _ in told):
        return None
    return sum(weight * count for count, weight in told if count is not None)


def part_of_day(hour: int) -> str:
    """The name of a local hour, 0 to 23, as hours are learnt: few enough that each is tried often."""
    return (
        "night" if hour < 6 else "morning" if hour < 11 else "midday" if hour < 15 else "afternoon" if hour < 19 else "evening"
    )
