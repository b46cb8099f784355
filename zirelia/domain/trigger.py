"""Whether a word can call up one face: it must mean nothing yet, and begin like no other LoRA's word.

    trigger_complaints("mirela", known_words=english_words(), others=("mirelo",))
    # ("shares its beginning 'mirel' with the trigger 'mirelo': the text encoders tell them apart badly",)

Pure; where the known words come from, `definitions.words` knows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable

SHARED = 4
"""Letters with which two triggers may not both begin."""


def trigger_complaints(word: str, known_words: Collection[str], others: Iterable[str] = ()) -> tuple[str, ...]:
    """What speaks against the word as a trigger, in words; empty when nothing does.

    Args:
        known_words: words that an encoder knows, lower case.
        others: triggers of the other LoRAs in the library.
    """
    plain = word.lower()
    found = []
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{2,31}", word) is None:
        found.append("is not one word of 3 to 32 letters, digits and underscores that begins with a letter")
    # mira2 and mira_ are read as the word and a mark behind it
    core = re.sub(r"[0-9_]+$", "", plain)
    if core in known_words:
        found.append(f"is a word that models know ('{core}'): its meaning would mix with the face")
    for other in dict.fromkeys(others):
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(plain, other.lower(), strict=False))
        shared = "".join(letter for letter, _ in same)
        if plain == other.lower():
            found.append(f"is the trigger of another LoRA ('{other}')")
        elif len(shared) >= SHARED:
            found.append(f"shares its beginning '{shared}' with the trigger '{other}': text encoders tell them apart badly")
    return tuple(found)
