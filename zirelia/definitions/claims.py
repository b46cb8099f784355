"""Claims that a virtual character must not make, as files: config/claims/<language>.yaml → checked Claims.

    load_claims("en").claims[0].phrases
    load_claims("xx")                       # None: nobody has written that language's file

How a phrase is written stands at the top of each file. Knows no text to judge.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from zirelia.definitions.by_language import language_file, read_language_file
from zirelia.domain.claims import Claims


@lru_cache(maxsize=16)
def load_claims(language: str) -> Claims | None:
    """The claims of a language ("pt-BR" takes "pt"); None without a file. Raises DefinitionError with file and line."""
    path = language_file("claims", language)
    return read_claims(path) if path else None


def read_claims(path: Path) -> Claims:
    """The claims of that file. Raises DefinitionError with every problem of the file."""
    return read_language_file(path, Claims)
