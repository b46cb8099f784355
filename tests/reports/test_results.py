"""The page of results: numbers as they were measured, beliefs with their doubt, no word as markup."""

from __future__ import annotations

from datetime import UTC, datetime

from zirelia.domain.preference import Taste
from zirelia.domain.results import Counts, Result
from zirelia.reports.results import beliefs, results_page

OUT = datetime(2026, 11, 28, tzinfo=UTC)


def result(post_id: int, hours: int, likes: int) -> Result:
    return Result(
        post_id=post_id, channel="bluesky", publication=f"pub-{post_id}", hours=hours, at=OUT, counts=Counts(likes=likes)
    )


def test_what_is_surer_has_a_shorter_line():
    tastes = {
        ("topic", "tea"): Taste(good=40, bad=10, outcomes=48),
        ("topic", "rain"): Taste(good=2, bad=1, outcomes=1),
        ("scene", "cafe"): Taste(good=1, bad=1, outcomes=0),
    }
    tea, rain = beliefs(tastes, "topic")
    assert (tea.name, rain.name) == ("tea", "rain")
    assert tea.high - tea.low < rain.high - rain.low
    assert 0 <= rain.low < rain.mean < rain.high <= 1


def test_the_page_says_what_was_measured(read):
    found = [result(n, hours, n * hours) for n in range(1, 4) for hours in (1, 24)]
    page = read(results_page("Mira", found, {("topic", "<b>tea</b>"): Taste(good=2, bad=1, outcomes=1)}, {1: 0.25}, {}))
    assert "posts measured 3 6 looks" in page.text
    assert "<b>tea</b> 0.67 1 post" in page.text
    assert page.named("b") == []
    assert "1 – bluesky 24 h – 24 – – – 0.25" in page.text
    assert "How posts grow" in page.text


def test_an_empty_page_says_so(read):
    assert "Nothing was measured yet." in read(results_page("Mira", [], {}, {}, {})).text
