"""How a text is written, as numbers that do not depend on what it is about.

    style("Rain since six. Not bad!", pronouns)      # one number for each of FEATURES

Knows no persona, and of a language only the pronouns that it is given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zirelia.domain.text_plain import plain

FEATURES: tuple[tuple[str, str], ...] = (
    ("write shorter sentences", "write longer sentences"),
    ("write less", "write more"),
    ("use shorter words", "use longer words"),
    ("use fewer exclamation marks", "use an exclamation mark"),
    ("use fewer emoji", "use an emoji"),
    ("name fewer numbers", "name a number"),
    ("write fewer words in capitals", "write a word in capitals"),
    ("make simpler sentences", "join more thoughts by commas"),
    ("use more of the same words", "repeat fewer words"),
    ("speak less of yourself", "speak more of yourself"),
    ("address the reader less", "address the reader"),
    ("speak less of 'we'", "speak of 'we'"),
    ("ask fewer questions", "ask a question"),
    ("make the sentences more even", "mix short and long sentences"),
)
"""What a writer is told when a feature is too high, and when it is too low; in the order of `style`."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")


@dataclass(frozen=True)
class Pronouns:
    """Words by which a language speaks of the writer, the reader and a group; plain, without apostrophes."""

    first_person: frozenset[str] = frozenset()
    reader: frozenset[str] = frozenset()
    group: frozenset[str] = frozenset()


def style(text: str, pronouns: Pronouns = Pronouns()) -> tuple[float, ...]:
    """The features of the text; zeros for one without a word."""
    written = _WORD.findall(text)
    if not written:
        return (0.0,) * len(FEATURES)
    parts = [len(_WORD.findall(part)) for part in re.split(r"(?<=[.!?…])\s+|\n+", text) if _WORD.search(part)]
    spoken = [plain(re.sub("['’]", "", word)) for word in written]
    count, sentences = len(written), len(parts)
    lengths = [math.log(1 + words) for words in parts]
    middle = sum(lengths) / sentences
    return (
        math.log(count / sentences),
        math.log(count),
        sum(map(len, written)) / count,
        math.sqrt(text.count("!") / sentences),
        math.sqrt(len(_EMOJI.findall(text))),
        sum(word.isdigit() for word in written) / count,
        sum(word.isupper() and len(word) > 1 for word in written) / count,
        sum(map(text.count, ",;:")) / sentences,
        len(set(spoken)) / count,
        _share(spoken, pronouns.first_person),
        _share(spoken, pronouns.reader),
        _share(spoken, pronouns.group),
        text.count("?") / sentences,
        math.sqrt(sum((one - middle) ** 2 for one in lengths) / sentences),
    )


def _share(spoken: Sequence[str], among: frozenset[str]) -> float:
    return sum(word in among for word in spoken) / len(spoken)
