"""Texts brought to a form that can be compared, and cut into sentences; for comparing, never for showing.

    plain("Très  CHIC")          # "tres chic"
    folded("pоlitics")           # "politics": that o was Cyrillic

Knows no rule.
"""

from __future__ import annotations

import re
import unicodedata

# Letters of other scripts that look Latin: Cyrillic, then Greek.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһӏԛԝкмтвнαορνικτυχγ", "aeopcyxijsdhlqwkmtbhaopviktuxy")


def plain(text: str) -> str:
    """Lower case, no accents, no fancy letters, single spaces."""
    # decomposed before and after: a fancy capital is a capital only then, and folding may compose again
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def folded(text: str) -> str:
    """`plain`, without invisible characters and with Latin letters for those that look like them."""
    seen = plain("".join(c for c in text if unicodedata.category(c) != "Cf"))
    return seen.translate(_LOOKALIKES)


def mentions(text: str, phrase: str) -> bool:
    """Whether the text says the phrase as whole words, whatever the case and the accents."""
    return re.search(rf"(?<!\w){re.escape(plain(phrase))}(?!\w)", plain(text)) is not None


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text that are longer than a few letters."""
    return tuple(s.strip() for s in re.split(r"(?<=[.!?…])\s+|\n+", text) if len(s.strip()) > 8)


def words(text: str) -> tuple[str, ...]:
    """The words of a text, plain, without apostrophes."""
    return tuple(re.findall(r"[^\W_]+", re.sub(r"['’ʼ`´]", "", plain(text))))
