"""The words that no trigger may be: config/words/english.txt as a set.

    "kitchen" in english_words()     # True

The file says where they come from. Knows nothing of triggers.
"""

from __future__ import annotations

from functools import lru_cache

from zirelia import resources
from zirelia.definitions.marked_yaml import read_text


@lru_cache(maxsize=1)
def english_words() -> frozenset[str]:
    """Lower case. Raises DefinitionError when the file cannot be read."""
    lines = read_text(resources.folder("config") / "words" / "english.txt").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
