"""Rules about training captions: the trigger once and first, and no constants of the look where only what varies is said.

    with_trigger("a woman in a cafe", "mirelo", "woman")     # "mirelo woman in a cafe"
    leaks("mirelo woman with teal hair", look, "mirelo")     # ("teal hair",)

What a caption names, a training explains by the caption; what it leaves out binds to the trigger. Pure; knows no models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from zirelia.domain.persona import Look, Trait
from zirelia.domain.text import mentions
from zirelia.domain.value import printable

LONGEST = 600
"""Characters of a caption; an encoder reads fewer."""

_EMPTY_WORDS = frozenset({"colour", "color", "style", "shape", "type", "length", "tone"})


class CaptionStyle(StrEnum):
    """varying: says pose, clothes, light and place, and leaves out the constants. constants: says these as well."""

    VARYING = "varying"
    CONSTANTS = "constants"


def times_said(trigger: str, caption: str) -> int:
    """How often the trigger stands in the caption as a word of its own, whatever its case."""
    return len(re.findall(_word(trigger), caption, re.IGNORECASE))


def said_once(trigger: str, caption: str) -> bool:
    """Whether the caption says the trigger once, spelt as it is, and in no other spelling."""
    return times_said(trigger, caption) == 1 and re.search(_word(trigger), caption) is not None


def trigger_stands(caption: str, trigger: str) -> bool:
    """Whether the caption begins with the trigger and says it nowhere else."""
    return said_once(trigger, caption) and re.match(rf"\s*{_word(trigger)}", caption) is not None


def with_trigger(caption: str, trigger: str, noun: str) -> str:
    """The caption with the trigger once and first; "a woman ..." becomes "mirelo woman ..."; one line, 600 characters."""
    said = " ".join(printable(caption).split())
    said = " ".join(re.sub(rf"{_word(trigger)},?", " ", said, flags=re.IGNORECASE).split()).strip(" ,.;")
    medium = r"(?:(?:an?|the)\s+)?(?:(?:photo|picture|image|illustration) of\s+)?"
    subject = re.match(rf"{medium}(?:(?:an?|the|one)\s+)?{_word(noun)}", said, re.IGNORECASE)
    rest = said[subject.end() :] if subject else f", {said}" if said else ""
    whole = f"{trigger} {noun}{rest}"
    return whole if len(whole) <= LONGEST else whole[:LONGEST].rsplit(" ", 1)[0].rstrip(" ,;")


def leaks(caption: str, look: Look, trigger: str) -> tuple[str, ...]:
    """Words for constants of the look that the caption says, in the order of the traits; the longest of those that overlap."""
    text = re.sub(_word(trigger), " ", caption, flags=re.IGNORECASE)
    found: list[str] = []
    for trait in look.traits:
        said = [phrase for phrase in (trait.phrase, *trait.synonyms) if mentions(text, phrase)]
        said += list(_values_said(text, trait))
        said.sort(key=len, reverse=True)
        for words in said:
            if not any(mentions(other, words) for other in found):
                found.append(words)
    return tuple(found)


def _values_said(text: str, trait: Trait) -> Iterator[str]:
    """The trait's values as the text says them: a long one as it is, a single word only beside its feature.

    A coat may be brown where the eyes are.
    """
    features = [word for word in re.findall(r"\w+", trait.feature.lower()) if word not in _EMPTY_WORDS]
    for value in (part.strip() for part in trait.value.split(",")):
        if " " in value and mentions(text, value):
            yield value
        elif value and " " not in value:
            for feature in features:
                between, after = r"[\s-]+(?:\w+[\s-]+)?", r"[\s-]+(?:(?:is|are|that|which|in|of)[\s-]+){0,2}(?:\w+[\s-]+)?"
                pattern = rf"{_word(value)}{between}{_word(feature)}|{_word(feature)}{after}{_word(value)}"
                if match := re.search(pattern, text, re.IGNORECASE):
                    yield " ".join(match.group().lower().split())


def _word(word: str) -> str:
    return rf"(?<!\w){re.escape(word)}(?!\w)"
