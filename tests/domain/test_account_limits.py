"""When an account takes the next post."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zirelia.domain.publication import AccountLimits, earliest

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("sent", "wait"),
    [
        ([], timedelta(0)),
        ([ago(hours=5)], timedelta(0)),
        ([ago(minutes=10)], timedelta(minutes=20)),
        ([ago(hours=20), ago(hours=10), ago(hours=2)], timedelta(hours=4)),
        ([ago(hours=25), ago(hours=10), ago(hours=2)], timedelta(0)),
        ([ago(hours=23), ago(hours=22), ago(minutes=5)], timedelta(hours=1)),
        ([ago(hours=23, minutes=59), ago(hours=22), ago(minutes=5)], timedelta(minutes=25)),  # the gap lasts longer
        ([NOW + timedelta(minutes=30)], timedelta(minutes=60)),  # the clock was set back
    ],
)
def test_the_earliest_moment(sent, wait):
    assert earliest(sent, AccountLimits(daily=3, gap_minutes=30), NOW) == NOW + wait
