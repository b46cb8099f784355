"""What platforms count of a publication, at which ages it is looked at, and what that makes of a post.

    due_step(published, measured={1, 6}, now=now)       # 24: the age in hours at which it is looked at now; None: not now
    rewards(results)                                    # post id → 0 to 1, ranked among posts of the same age and channel

Knows no platform and no table.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from pydantic import Field

from zirelia.domain.preference import engagement, ranked
from zirelia.domain.value import Instant, Slug, Text, Value

AGES = (1, 6, 24, 72, 168, 672)
"""Hours after publication at which a post is looked at: what happens at first, and what it comes to."""
RIPE = 24
"""From this age on a number says something of the post and not of the hour."""
LATE = 2.0
"""A look that comes later than so many times its age says something else, and is left out."""


class Counts(Value):
    """What was counted; None is what the platform does not tell."""

    views: int | None = Field(default=None, ge=0)
    likes: int | None = Field(default=None, ge=0)
    comments: int | None = Field(default=None, ge=0)
    shares: int | None = Field(default=None, ge=0)
    saves: int | None = Field(default=None, ge=0)

    @property
    def engagement(self) -> float | None:
        return engagement(likes=self.likes, comments=self.comments, shares=self.shares, saves=self.saves)


class Result(Value):
    """One look at one publication. hours: the age it was due at."""

    post_id: int
    channel: Slug
    publication: Text
    hours: int
    at: Instant
    counts: Counts


def due_step(published: datetime, measured: Collection[int], now: datetime) -> int | None:
    """The age, in hours, at which the publication is to be looked at now; None when that was done, or is too late."""
    age = (now - published) / timedelta(hours=1)
    step = max((hours for hours in AGES if hours <= age), default=None)
    return None if step is None or step in measured or age > LATE * step + 1 else step


def rewards(results: Sequence[Result]) -> dict[int, float]:
    """Post id → its rank, 0 to 1, at the latest ripe age it was looked at; the mean over its channels. A post without enough
    peers has none.
    """
    groups: dict[tuple[str, int], dict[int, float]] = collections.defaultdict(dict)
    for result in results:
        value = result.counts.engagement
        if value is not None and result.hours >= RIPE:
            groups[result.channel, result.hours][result.post_id] = value
    latest: dict[tuple[int, str], int] = {}
    for channel, hours in groups:
        for post_id in groups[channel, hours]:
            latest[post_id, channel] = max(hours, latest.get((post_id, channel), 0))
    found: dict[int, list[float]] = collections.defaultdict(list)
    for (post_id, channel), hours in latest.items():
        group = groups[channel, hours]
        rank = ranked(group[post_id], [value for other, value in group.items() if other != post_id])
        if rank is not None:
            found[post_id].append(rank)
    return {post_id: sum(ranks) / len(ranks) for post_id, ranks in found.items()}
