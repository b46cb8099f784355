"""The page of results: each channel's posts as they grew, and what does better, with how sure that is.

    results_page("Mira", results, tastes, rewards, posts)

It shows what was measured and decides nothing.
"""

from __future__ import annotations

import collections
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zirelia.domain.post import Post
from zirelia.domain.preference import Feature, Taste
from zirelia.domain.results import Result
from zirelia.reports.curves import Curve, Series, curve
from zirelia.reports.page import render
from zirelia.reports.sheet import Figure

_NONE = "–"


@dataclass(frozen=True)
class Belief:
    """One value of a feature. low, high: two standard deviations around the mean, within 0 to 1."""

    name: str
    posts: int
    mean: float
    low: float
    high: float


def beliefs(tastes: Mapping[Feature, Taste], feature: str) -> list[Belief]:
    """The best first."""
    found = [
        Belief(
            name=value,
            posts=taste.outcomes,
            mean=taste.mean,
            low=max(0.0, taste.mean - 2 * taste.spread),
            high=min(1.0, taste.mean + 2 * taste.spread),
        )
        for (kind, value), taste in tastes.items()
        if kind == feature
    ]
    return sorted(found, key=lambda one: (-one.mean, one.name))


def results_page(
    name: str,
    results: Sequence[Result],
    tastes: Mapping[Feature, Taste],
    rewards: Mapping[int, float],
    posts: Mapping[int, Post],
) -> str:
    """The page as HTML text."""
    measured = {result.post_id for result in results}
    return render(
        "results.html",
        title=f"What became of {name}'s posts",
        figures=[
            Figure("posts measured", str(len(measured)), f"{len(results)} looks"),
            Figure("ranked", str(len(rewards)), "a day old, with five peers or more"),
            Figure("rejected or edited", str(_decided(tastes, rewards)), "count too"),
        ],
        curves=_growth(results),
        tables=[(title, beliefs(tastes, feature)) for title, feature in _TITLES.items()],
        rows=[_row(posts, latest, rewards) for latest in _latest(results)],
    )


_TITLES = {"Topics": "topic", "Scenes": "scene", "Hours": "hour"}


def _decided(tastes: Mapping[Feature, Taste], rewards: Mapping[int, float]) -> int:
    outcomes = sum(taste.outcomes for (kind, _), taste in tastes.items() if kind == "hour")
    return max(0, outcomes - len(rewards))


def _growth(results: Sequence[Result]) -> list[Curve]:
    """Per channel the median of what people did, by the age in hours."""
    by_channel: dict[str, dict[int, list[float]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for result in results:
        value = result.counts.engagement
        if value is not None:
            by_channel[result.channel][result.hours].append(value)
    drawn = [
        curve(
            channel,
            [Series("median", [(hours, statistics.median(values)) for hours, values in sorted(ages.items())])],
            axis="hours",
            note="What people did with a post, the median, by its age in hours.",
        )
        for channel, ages in sorted(by_channel.items())
        if len(ages) > 1
    ]
    return [each for each in drawn if each]


def _latest(results: Sequence[Result]) -> list[Result]:
    """The last look at each publication, the newest first."""
    last = {result.publication: result for result in results}
    return sorted(last.values(), key=lambda result: (-result.post_id, result.channel))


def _row(posts: Mapping[int, Post], result: Result, rewards: Mapping[int, float]) -> tuple[str, ...]:
    post, counts = posts.get(result.post_id), result.counts
    told = (counts.views, counts.likes, counts.comments, counts.shares, counts.saves)
    reward = rewards.get(result.post_id)
    return (
        str(result.post_id),
        post.brief.topic if post and post.brief else _NONE,
        result.channel,
        f"{result.hours} h",
        *(_NONE if count is None else f"{count:,}" for count in told),
        _NONE if reward is None else f"{reward:.2f}",
    )
