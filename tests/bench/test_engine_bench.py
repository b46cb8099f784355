"""The bench of the daemon measures the daemon: an opened slot is lived to its end, and a goal that is missed is said."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

import pytest

from bench.engine import Figures, Spent, _quantile, report
from bench.engine_side import SLOTS_A_DAY, Side, crowd
from zirelia.engine import durable


def test_the_smaller_crowd_is_the_beginning_of_the_larger() -> None:
    small, large = crowd(2), crowd(5)
    assert small == {name: large[name] for name in small}
    assert {(one.cadence.min_daily, one.cadence.max_daily) for one in large.values()} == {(SLOTS_A_DAY, SLOTS_A_DAY)}


def test_slots_that_open_are_published_and_the_others_wait(tmp_path, postgres_url, monkeypatch) -> None:
    monkeypatch.setattr(durable, "POLL_SECONDS", 0.05)
    with Side(3, postgres_url, tmp_path) as side:
        with ExitStack() as stack:
            planned = side.engine(stack, listens=False).plan()
        side.next_opening(2)
        with ExitStack() as stack:
            clock = side.engine(stack, listens=True)
            clock.tick()
            side.finish(clock)
        assert side.store.count_posts() == {"published": 2}
        assert len(side.store.planned(limit=1000)) == planned - 2
        assert len(list((tmp_path / "outbox").glob("*.receipt.json"))) == 2


@pytest.mark.parametrize(("large", "code"), [(10.9, 0), (11.2, 1)])
def test_a_slot_that_costs_more_beside_more_personas_is_said(capsys, large, code) -> None:
    figures = {}
    for size, cost in ((100, 10.0), (10_000, large)):
        figures[size] = Figures({"slot to start": [1.0]})
        figures[size].add("the whole of its life", Spent(wall=5.0, cpu=cost / 1000), 1)
    assert report(figures, {}, argparse.Namespace(rounds=1, sample=1)) == code
    assert ("MISSED" in capsys.readouterr().out) is bool(code)


def test_quantiles() -> None:
    assert _quantile([3, 1, 2], 0.5) == 2
    assert _quantile([float(n) for n in range(100)], 0.95) == 95
