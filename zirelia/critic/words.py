"""Finds the words that an attribute head knows in the words of a shot or a look.

    known_word("a green hoodie", ("hoodie", "t-shirt"))    # 'hoodie'
    wanted_traits(look, heads)                              # {"hair": ("teal", trait), ...}

A text that says two different known words, or none, gives None: then the head cannot judge it. It looks at no picture.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from zirelia.domain.persona import Look, Trait

Heads = Mapping[str, Sequence[str]]
"""Name of an attribute head → the words that it tells apart."""

YES, NO = "yes", "no"

# The word in a trait's feature, or in its phrase for what is worn or not → the heads that may know its value.
_FEATURE_HEADS = {
    "hair": ("hair", "style"),
    "hairstyle": ("hair", "style"),
    "eye": ("eyes",),
    "eyes": ("eyes",),
    "skin": ("skin",),
    "complexion": ("skin",),
    "glasses": ("glasses",),
    "earrings": ("earrings",),
    "jewellery": ("earrings",),
    "jewelry": ("earrings",),
    "beard": ("beard",),
    "gender": ("gender",),
}
_DENIED = re.compile(r"\b(no|none|without|never)\b")


def says(text: str, word: str) -> bool:
    """Whether the text holds the word or phrase as a whole, whatever its case and accents."""
    return re.search(rf"(?<![\w-]){re.escape(_plain(word))}(?![\w-])", _plain(text)) is not None


def known_word(text: str, vocabulary: Sequence[str]) -> str | None:
    """The one word of the vocabulary that the text says; of "wavy" and "long wavy" the longer one."""
    found = [word for word in vocabulary if says(text, word)]
    whole = [word for word in found if not any(word != other and says(other, word) for other in found)]
    return whole[0] if len(whole) == 1 else None


def wanted_traits(look: Look, heads: Heads) -> dict[str, tuple[str, Trait]]:
    """Head → the value that the look wants of it and the trait that says so; only what the heads know."""
    wanted: dict[str, tuple[str, Trait]] = {}
    for trait in look.traits:
        for head in _heads_of(trait, heads):
            value = _wanted(trait, head, heads[head])
            if value is not None:
                wanted.setdefault(head, (value, trait))
    return wanted


def _heads_of(trait: Trait, heads: Heads) -> list[str]:
    feature = re.findall(r"[a-z]+", _plain(trait.feature))
    named = [head for word in feature for head in _FEATURE_HEADS.get(word, ())]
    return [head for head in dict.fromkeys(named) if head in heads]


def _wanted(trait: Trait, head: str, vocabulary: Sequence[str]) -> str | None:
    if set(vocabulary) == {YES, NO}:
        if not any(says(text, head) for text in (trait.feature, trait.value, trait.phrase)):
            return None  # jewellery that is no earring
        return NO if _DENIED.search(_plain(f"{trait.value} {trait.phrase}")) else YES
    return known_word(trait.value, vocabulary) or known_word(trait.phrase, vocabulary)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
