"""What a virtual character must not claim: lived product experience, medicine, money, being human or a child,
guarantees.

    found = claims_in("I've been using this cream for weeks.", claims)
    found[0].claim.say          # "do not claim to have used a product"

A phrase is words in order. `a|b` is either word, `a_b` two words in one place, `word~` the word with any ending, `[word]` a
word that may be missing, `*` up to five words. Case, accents, apostrophes and commas do not count; nothing reaches over the
end of a sentence. Knows no language and no file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import mul

from pydantic import Field, field_validator

from zirelia.domain.text_plain import folded
from zirelia.domain.value import Text, Value

_APOSTROPHES = re.compile(r"[%'’ʼ`´]")
NEIGHBOURS = 5
"""Sentences on each side that a sentence is held against."""
_GAP = r"(?:\S+ ){0,5}?"


class ClaimKind(StrEnum):
    EXPERIENCE = "experience"
    MEDICAL = "medical"
    FINANCIAL = "financial"
    HUMAN = "human"
    MINOR = "minor"
    GUARANTEE = "guarantee"


class Claim(Value):
    """Phrases of one kind. say: the instruction to the writer. unless: phrases that make a sentence harmless."""

    kind: ClaimKind
    say: Text
    phrases: tuple[Text, ...] = Field(min_length=1)
    unless: tuple[Text, ...] = ()

    @field_validator("phrases", "unless")
    @classmethod
    def _readable(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            compiled(phrase)
        return phrases


class Claims(Value):
    """All claims of one language. claimed and harmless: sentences on either side, for what no phrase foresees."""

    language: str = Field(pattern=r"^[a-z]{2,3}$")
    claims: tuple[Claim, ...] = Field(min_length=1)
    claimed: tuple[Text, ...] = ()
    harmless: tuple[Text, ...] = ()


@dataclass(frozen=True)
class ClaimFound:
    """A claim and the sentence that makes it, in plain letters."""

    claim: Claim
    sentence: str


def claims_in(text: str, claims: Claims) -> tuple[ClaimFound, ...]:
    """The claims that the text makes, each kind once a sentence."""
    found = []
    for sentence in _sentences(text):
        for claim in claims.claims:
            if _says_any(sentence, claim.phrases) and not _says_any(sentence, claim.unless):
                found.append(ClaimFound(claim, sentence.strip()))
    return tuple(found)


def leaning(sentence: Sequence[float], claimed: Sequence[Sequence[float]], harmless: Sequence[Sequence[float]]) -> float:
    """How much nearer a sentence lies to claims than to harmless sentences: above 0 it may be one. Unit vectors; 0 without
    sentences on both sides.
    """
    if not claimed or not harmless:
        return 0.0
    return _nearest(sentence, claimed) - _nearest(sentence, harmless)


def _nearest(one: Sequence[float], others: Sequence[Sequence[float]]) -> float:
    """Mean cosine to the few nearest."""
    cosines = sorted((float(sum(map(mul, one, other))) for other in others), reverse=True)[:NEIGHBOURS]
    return sum(cosines) / len(cosines)


@lru_cache(maxsize=4096)
def compiled(phrase: str) -> re.Pattern[str]:
    """The phrase as a pattern over plain sentences. Raises ValueError for one that says nothing or is written wrongly."""
    slots = _APOSTROPHES.sub("", folded(phrase)).split()
    if not any(re.search(r"[^\W_]", slot) for slot in slots):
        raise ValueError(f"the phrase '{phrase}' holds no word")
    return re.compile(r"(?:^|(?<= ))" + "".join(_slot(slot, phrase) for slot in slots))


def _slot(slot: str, phrase: str) -> str:
    if slot == "*":
        return _GAP
    optional = slot.startswith("[") and slot.endswith("]")
    bare = slot[1:-1] if optional else slot
    alternatives = bare.split("|")
    for one in alternatives:
        if not re.fullmatch(r"[^\W_]+(?:[_\-][^\W_]+)*~?", one):
            raise ValueError(f"'{slot}' in the phrase '{phrase}' is neither a word, a|b, a_b, word~, [word] nor *")
    body = "|".join(
        one.rstrip("~").replace("_", " ").replace("-", " ") + (r"\w*" if one.endswith("~") else "") for one in alternatives
    )
    return rf"(?:(?:{body}) )" + ("?" if optional else "")


def _sentences(text: str) -> list[str]:
    """Sentences of plain words, each word with one space behind it."""
    parts = re.split(r"[.!?…;:\n]+(?=\s|$)", _APOSTROPHES.sub("", text))
    return ["".join(word + " " for word in re.findall(r"\w+", folded(part))) for part in parts if part.strip()]


def _says_any(sentence: str, phrases: Sequence[str]) -> bool:
    return any(compiled(phrase).search(sentence) for phrase in phrases)
