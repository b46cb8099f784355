"""How people ask whether she is an AI, and the plain answer: config/candour/<language>.yaml → checked Candour.

all_candours()                  # every language: people write in their own
candour_of("de")                # the persona's own; English where nobody has written her language's file
"""

from __future__ import annotations

from functools import lru_cache

import regex

from zirelia import resources
from zirelia.definitions.by_language import language_file, read_language_file
from zirelia.domain.reply import Candour
from zirelia.errors import DefinitionError

_FOLDER = "candour"
_DEFAULT = "en"


@lru_cache(maxsize=1)
def all_candours() -> tuple[Candour, ...]:
    """Raises DefinitionError with file and line."""
    folder = resources.folder("config") / _FOLDER
    return tuple(_read(path.stem) for path in sorted(folder.glob("*.yaml")))


def candour_of(language: str) -> Candour:
    """Raises DefinitionError with file and line."""
    return _read(language if language_file(_FOLDER, language) else _DEFAULT)


@lru_cache(maxsize=16)
def _read(language: str) -> Candour:
    path = language_file(_FOLDER, language)
    if path is None:
        raise DefinitionError("is missing", path=resources.folder("config") / _FOLDER / f"{language}.yaml")
    candour = read_language_file(path, Candour)
    for question in candour.questions:
        try:
            regex.compile(question)
        except regex.error as error:
            raise DefinitionError(f"'{question}' is no regular expression: {error}", path=path, key="questions") from error
    return candour
