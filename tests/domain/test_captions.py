"""Captions: the trigger once and first, constants found where they slipped in, and triggers that mean something refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.definitions.personas import load_persona
from zirelia.definitions.words import english_words
from zirelia.domain.captions import LONGEST, leaks, times_said, trigger_stands, with_trigger
from zirelia.domain.trigger import trigger_complaints

LOOK = load_persona("mira").persona.look


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a woman in a cafe", "mirelo woman in a cafe"),
        ("A photo of a woman, smiling.", "mirelo woman, smiling"),
        ("the woman laughs", "mirelo woman laughs"),
        ("smiling in a park", "mirelo woman, smiling in a park"),
        ("mirelo woman, mirelo at night", "mirelo woman, at night"),
        ("in a gym, MIRELO, running", "mirelo woman, in a gym, running"),
        ("a womanly figure", "mirelo woman, a womanly figure"),
        ("", "mirelo woman"),
        ("smiling\nin\x1b[31m red", "mirelo woman, smiling in[31m red"),
    ],
)
def test_the_trigger_is_put_first(before, after):
    assert with_trigger(before, "mirelo", "woman") == after


@given(st.text(max_size=900))
def test_whatever_was_said_the_trigger_stands_once_and_first(said):
    after = with_trigger(said, "mirelo", "woman")
    assert trigger_stands(after, "mirelo")
    assert len(after) <= LONGEST
    assert "\n" not in after


@pytest.mark.parametrize(
    ("said", "times"), [("mirelo", 1), ("Mirelo and mirelo", 2), ("mirelos", 0), ("xmirelo", 0), ("mirelo, mirelo", 2)]
)
def test_the_trigger_counts_as_a_word(said, times):
    assert times_said("mirelo", said) == times


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("mirelo woman, smiling, wearing a red blazer, in a kitchen, night", ()),
        ("mirelo woman with long wavy teal hair", ("long wavy teal hair",)),
        ("mirelo woman with Teal-hair, in a cafe", ("teal-hair",)),
        ("mirelo woman, her hair is teal", ("hair is teal",)),
        ("mirelo woman with brown eyes in a brown coat", ("brown eyes",)),
        ("mirelo woman in a brown coat and a teal hat", ()),
        ("mirelo woman, fair-skinned, at a fair", ()),
        ("mirelo woman, pale skin, gold hoops", ("pale skin", "gold hoops")),
        ("mirelo woman wearing lipstick", ("lipstick",)),
        ("mirelo woman, red lipstick", ("red lipstick",)),
        ("mirelo woman on a long road", ()),
    ],
)
def test_constants_that_slip_in_are_named(said, found):
    assert leaks(said, LOOK, "mirelo") == found


WORDS = frozenset({"kitchen", "luna", "mira"})


@pytest.mark.parametrize(
    ("word", "others", "complaint"),
    [
        ("mirelo", (), None),
        ("Kitchen", (), "is a word that models know ('kitchen')"),
        ("mira2", (), "is a word that models know ('mira')"),
        ("luna_", (), "is a word that models know"),
        ("mirelo", ("MIRELO",), "is the trigger of another LoRA"),
        ("mirela", ("mirelo",), "shares its beginning 'mirel'"),
        ("MIREla", ("mirexx",), "shares its beginning 'mire'"),
        ("mirxlo", ("mirelo",), None),
        ("x", (), "is not one word"),
        ("two words", (), "is not one word"),
    ],
)
def test_triggers_that_mean_something_or_collide(word, others, complaint):
    found = trigger_complaints(word, WORDS, others)
    if complaint is None:
        assert found == ()
    else:
        assert any(complaint in one for one in found)


def test_the_shipped_words():
    words = english_words()
    assert len(words) > 20_000
    assert {"kitchen", "woman", "emma", "red", "portrait"} <= words
    assert trigger_complaints("mirelo", words) == ()
    assert all(word == word.lower() and len(word) >= 3 for word in words)
