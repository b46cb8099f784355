"""Instance captions keep their trigger; preservation captions never hold it."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.errors import TrainingError
from zirelia.training.captions import CaptionBook, occurrences, stranger, variant, without_trigger
from zirelia.training.plan import POCKET, CaptionMix

TRIGGER = "mirelo"
OTHERS = ("a man with short black hair, close-up portrait, serious, in a gym", "a woman with a bob, half body portrait")

CAPTIONS = [
    f"{TRIGGER} woman, {setting}" for setting in ("smiling, in a park, night", "serious, in a gym", "laughing, in a cafe")
]


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("mirelo woman, smiling", "a woman, smiling"),
        ("close-up portrait of mirelo woman, in a gym", "close-up portrait of a woman, in a gym"),
        ("a mirelo woman in the rain", "a woman in the rain"),
        ("The mirelo woman", "a woman"),
        ("a photo of mirelo", "a photo of a person"),
        ("mirelo, smiling", "a person, smiling"),
        ("mirelos and mirelo's cat", "mirelos and a person's cat"),
    ],
)
def test_the_caption_of_anybody(caption: str, said: str) -> None:
    assert without_trigger(caption, TRIGGER) == said


words = st.text(alphabet="abcdefgh '-", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(before=st.lists(words, max_size=3), after=st.lists(words, max_size=4), drop=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_a_variant_keeps_the_trigger_once(before: list[str], after: list[str], drop: float, seed: int) -> None:
    caption = ", ".join([*before, f"{TRIGGER} woman", *after])
    said = variant(caption, TRIGGER, drop, random.Random(seed))
    assert occurrences(TRIGGER, said) == 1
    assert occurrences(TRIGGER, without_trigger(said, TRIGGER)) == 0


@given(seed=st.integers(0, 10_000))
def test_a_stranger_is_a_word_and_not_the_trigger(seed: int) -> None:
    word = stranger("abc", random.Random(seed))
    assert word.isalpha()
    assert word != "abc"


def test_preservation_follows_the_mix() -> None:
    book = CaptionBook.write(CAPTIONS, trigger=TRIGGER, others=OTHERS, plan=POCKET)
    assert len(set(book.texts)) == len(book.texts)
    assert [book.texts[ways[0]] for ways in book.instance] == CAPTIONS
    assert all(occurrences(TRIGGER, book.texts[way]) == 1 for ways in book.instance for way in ways)
    numbers = np.random.default_rng(1)
    counted: Counter[str] = Counter()
    for _ in range(4000):
        drawn = book.preservation(2, POCKET.preservation_mix, numbers)
        assert occurrences(TRIGGER, book.texts[drawn]) == 0
        kinds = {"empty": (book.empty,), "generic": book.generic[2], "strangers": book.strangers[2], "others": book.others}
        counted[next(kind for kind, texts in kinds.items() if drawn in texts)] += 1
    for kind, share in POCKET.preservation_mix.model_dump().items():
        assert counted[kind] / 4000 == pytest.approx(share, abs=0.03), kind


def test_without_captions_of_others_their_share_is_generic() -> None:
    book = CaptionBook.write(CAPTIONS, trigger=TRIGGER, others=(), plan=POCKET)
    drawn = {book.preservation(0, CaptionMix(empty=0, generic=0, others=1, strangers=0), np.random.default_rng(1))}
    assert drawn <= set(book.generic[0])


def test_a_caption_of_others_with_the_trigger_is_refused() -> None:
    with pytest.raises(TrainingError, match="other people holds the trigger"):
        CaptionBook.write(CAPTIONS, trigger=TRIGGER, others=["mirelo man"], plan=POCKET)


def test_shares_that_are_no_whole() -> None:
    with pytest.raises(ValueError, match="sum to"):
        CaptionMix(empty=0.5)
