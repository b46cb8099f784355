"""Things in turn: nothing again while something that fits has not been used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.rotation import LEFT, rested, turned

WORDS = st.sampled_from(["cafe", "kitchen", "park", "beach", "gym", "Café", "studio"])
CHOICES = st.lists(WORDS, min_size=1, max_size=7)
HISTORY = st.lists(WORDS, max_size=30)


@pytest.mark.parametrize(
    ("choices", "used", "at_least", "left"),
    [
        (["cafe", "park", "gym"], [], 1, ("cafe", "park", "gym")),
        (["cafe", "park", "gym"], ["park"], 1, ("cafe", "gym")),
        (["cafe", "park", "gym"], ["park", "cafe"], 3, ("gym",)),
        (["cafe", "park", "gym"], ["park", "gym", "cafe"], 1, ("cafe",)),
        (["cafe", "park", "gym"], ["park", "gym", "cafe", "park"], 2, ("cafe", "gym")),
        (["Café", "park"], ["CAFE"], 1, ("park",)),
        (["park", "park"], [], 1, ("park",)),
        ([], ["park"], 1, ()),
    ],
)
def test_whose_turn_it_is(choices: list[str], used: list[str], at_least: int, left: tuple[str, ...]) -> None:
    assert rested(choices, used, at_least=at_least) == left


@pytest.mark.parametrize(
    ("word", "choices", "used", "taken"),
    [
        ("red hoodie", ["red hoodie", "coat"], [], "red hoodie"),
        ("red hoodie", ["red hoodie", "coat"], ["Red hoodie"], "coat"),
        ("a raincoat", ["red hoodie", "coat"], ["coat"], "a raincoat"),
        ("a raincoat", ["red hoodie", "coat"], ["a raincoat"], "red hoodie"),
        ("a raincoat", [], ["a raincoat"], "a raincoat"),
        ("coat", ["coat", "hat", "scarf", "shawl"], ["coat", "hat", "scarf", "shawl"], "shawl"),
        ("hat", ["coat", "hat", "scarf", "shawl"], ["coat", "hat", "scarf", "shawl"], "hat"),
    ],
)
def test_a_word_that_comes_too_early_gives_way(word: str, choices: list[str], used: list[str], taken: str) -> None:
    assert turned(word, choices, used) == taken


@given(choices=CHOICES, used=HISTORY, at_least=st.integers(0, 9))
def test_nothing_comes_again_while_something_is_unused(choices: list[str], used: list[str], at_least: int) -> None:
    left = rested(choices, used, at_least=at_least)
    assert left
    assert set(left) <= set(choices)
    assert left == rested(choices, used, at_least=at_least)
    names = {one.lower().replace("é", "e") for one in used}
    unused = {one for one in choices if one.lower().replace("é", "e") not in names}
    if unused:
        assert set(left) <= unused


@given(wishes=st.lists(st.integers(0, 6), min_size=1, max_size=60), size=st.integers(1, 7))
def test_whatever_is_wished_for_a_round_shows_everything(wishes: list[int], size: int) -> None:
    choices = [f"outfit {number}" for number in range(size)]
    used: list[str] = []
    for wish in wishes:
        used.insert(0, turned(choices[wish % size], choices, used))
    assert len(set(used)) == min(size, len(wishes))
    # afterwards at most LEFT are open at a time, so that the same comes after size - LEFT others at the earliest
    for later, word in enumerate(used):
        if word in used[later + 1 :]:
            assert used[later + 1 :].index(word) >= size - LEFT
