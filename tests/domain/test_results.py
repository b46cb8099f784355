"""When a post is looked at, and what the counts make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zirelia.domain.results import Counts, Result, due_step, rewards

OUT = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "measured", "step"),
    [
        (0.5, set(), None),
        (1, set(), 1),
        (1, {1}, None),
        (5.9, {1}, None),
        (6, {1}, 6),
        (24, {1}, 24),
        (25, {1, 6, 24}, None),
        (71, {1}, None),  # the look at a day is too late to say what a day came to
        (72, {1}, 72),
        (1200, set(), 672),
        (1400, set(), None),
        (-3, set(), None),  # the clock was set back
    ],
)
def test_a_look_is_due_once_an_age(hours, measured, step):
    assert due_step(OUT, measured, OUT + timedelta(hours=hours)) == step


def result(post_id: int, likes: int | None, *, hours: int = 24, channel: str = "bluesky") -> Result:
    return Result(
        post_id=post_id,
        channel=channel,
        publication=f"pub-{post_id}-{channel}",
        hours=hours,
        at=OUT,
        counts=Counts(likes=likes),
    )


def test_posts_are_ranked_among_their_own_age_and_channel():
    day = [result(n, n) for n in range(1, 8)]
    other = [result(n, 1000 - n, channel="x") for n in range(1, 8)]
    assert rewards(day) == pytest.approx({n: (n - 1) / 6 for n in range(1, 8)})
    assert rewards([*day, *other]) == pytest.approx(dict.fromkeys(range(1, 8), 0.5))


def test_the_latest_age_counts_and_the_first_hours_do_not():
    week = [result(n, 10 - n, hours=168) for n in range(1, 8)]
    assert rewards([*(result(n, n) for n in range(1, 8)), *week])[1] == 1.0
    assert rewards([result(n, n, hours=6) for n in range(1, 8)]) == {}


def test_too_few_peers_say_nothing():
    assert rewards([result(n, n) for n in range(1, 6)]) == {}
    assert rewards([result(n, None) for n in range(1, 9)]) == {}
