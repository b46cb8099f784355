"""Scenes, outfits and poses in turn: nothing comes again while something that fits has not been used.

    rested(["cafe", "kitchen", "park"], used=["park"])             # ("cafe", "kitchen")
    turned("red hoodie", ["red hoodie", "coat"], used=["red hoodie"])   # "coat"

`used` is what was shown, newest first; words are compared whatever their case and accents. Draws nothing: the same history
gives the same answer. Knows neither posts nor models.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.domain.text_plain import plain

LEFT = 3
"""Choices that stay open when all were used: those that were used longest ago."""


def rested(choices: Sequence[str], used: Sequence[str], *, at_least: int = 1) -> tuple[str, ...]:
    """The choices that were not used, in their order. Where all were, the `at_least` of which the last use is longest ago, that
    one first.
    """
    ages = _ages(used)
    words = tuple({plain(choice): choice for choice in reversed(choices)}.values())[::-1]
    fresh = tuple(word for word in words if plain(word) not in ages)
    return fresh or tuple(sorted(words, key=lambda word: -ages[plain(word)])[: max(1, at_least)])


def turned(word: str, choices: Sequence[str], used: Sequence[str]) -> str:
    """The word itself when its turn has come, else the choice whose turn it is. A word that was never used may be any word."""
    if not choices or plain(word) not in _ages(used):
        return word
    rest = rested((*choices, word), used, at_least=LEFT)
    return word if plain(word) in map(plain, rest) else rest[0]


def _ages(used: Sequence[str]) -> dict[str, int]:
    """Word → how many posts ago it was last used, from 0."""
    ages: dict[str, int] = {}
    for age, word in enumerate(used):
        ages.setdefault(plain(word), age)
    return ages
