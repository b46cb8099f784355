"""Finds a forbidden topic in a text, however it is bent, spelt or hidden.

    says("Two elections and p0l1tics", "politics")      # True
    says("selections of tea", "election")               # False

Plurals and simple endings count, so do digits for letters, stars, single spaced letters, other scripts and hashtags; a topic
inside a longer word does not. Knows no list of topics.
"""

from __future__ import annotations

import re
from functools import lru_cache

from zirelia.domain.text_plain import folded

_LETTER = r"[^\W_]"
_ENDINGS = {
    "en": ("s", "es", "ed", "ing"),
    "de": ("e", "n", "en", "s", "es", "er", "ern"),
    "es": ("s", "es"),
    "fr": ("s", "es", "x"),
    "pt": ("s", "es"),
}
# stem → endings of words that end so; the first that fits counts
_STEMS = (
    (r"ics", ("ics", "ic", "ical", "ically")),
    (r"ies", ("ies", "y")),
    (r"ing", ("ing", "e", "es", "ed", "er", "ers")),
    (r"(?<=[bcdfghjklmnpqrstvwxz])y", ("y", "ies", "ied", "ying")),
    (r"ao", ("ao", "oes", "aos")),
    (r"e", ("e", "es", "ed", "ing")),
)
_LEET = str.maketrans({"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "€": "e"})
_SPACED = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:[\s._\-*/|·]{{1,3}}{_LETTER}){{2,}}(?!{_LETTER})")
_DISGUISED = re.compile(r"[^\s,;:\"()\[\]]*[0-9@$€!|*][^\s,;:\"()\[\]]*")


def says(text: str, topic: str, language: str = "en") -> bool:
    """Whether the text says the topic, a word or a phrase, in that language's inflections."""
    pattern, compact = _pattern(topic, language)
    seen = folded(text)
    if pattern.search(seen):
        return True
    if len(compact) > 2 and any(compact in re.sub(r"[\W_]", "", run) for run in _SPACED.findall(seen)):
        return True
    return any(pattern.search(reading) for reading in _readings(seen)) or _starred(seen, compact)


@lru_cache(maxsize=1024)
def _pattern(topic: str, language: str) -> tuple[re.Pattern[str], str]:
    parts = re.findall(rf"{_LETTER}+|[^\s\w_\-'’]+", folded(topic))
    if not parts:
        return re.compile(r"(?!)"), ""
    *first, last = parts
    body = r"[\s\-_.'’]*".join([*(re.escape(part) for part in first), _inflected(last, language.split("-")[0])])
    return re.compile(rf"(?<!{_LETTER}){body}(?!{_LETTER})"), "".join(parts)


def _inflected(word: str, language: str) -> str:
    if not word.isalpha():
        return re.escape(word)
    if len(word) < 4:
        return re.escape(word) + "s?"
    endings = "|".join(_ENDINGS.get(language, ("s", "es")))
    regular = rf"{re.escape(word)}(?:{endings})?"
    if language not in ("en", "pt"):
        return regular
    for ending, others in _STEMS:
        found = re.search(f"{ending}$", word)
        if found and found.start() >= 3:
            return rf"(?:{regular}|{re.escape(word[: found.start()])}(?:{'|'.join(others)}))"
    return regular


def _readings(text: str) -> list[str]:
    """The words with signs among their letters, as an eye reads them; a number alone is a number."""
    read = []
    for token in _DISGUISED.findall(text):
        bare = token.strip("!.?|*'’#").replace("_", " ")
        if not re.search(r"[^\W\d_]", bare):
            continue
        letters = bare.translate(_LEET)
        read += [re.sub(r"[1!|]", one, letters) for one in "il"]
    return read


def _starred(text: str, topic: str) -> bool:
    """Whether a word with stars for one or two letters can only be the topic."""
    for token in _DISGUISED.findall(text):
        bare = token.strip("!.?#")
        stars = bare.count("*")
        if 0 < stars <= 2 and len(topic) > 4 and not bare.startswith("*") and not bare.endswith("*"):
            mask = "".join(rf"{_LETTER}" if c == "*" else re.escape(c) for c in bare)
            if re.fullmatch(mask, topic) or re.fullmatch(mask, topic + "s"):
                return True
    return False
