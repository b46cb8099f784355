"""Posts in other voices, as files: config/voices/<language>.yaml → checked OtherVoices.

    load_voices("en").posts
    load_voices("xx")                       # None: nobody has written that language's file

Knows no text to judge.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field

from zirelia.definitions.by_language import language_file, read_language_file
from zirelia.domain.value import Text, Value
from zirelia.domain.voice_style import Pronouns

LEAST_POSTS = 12


class OtherVoices(Value):
    """Posts in other voices of one language, and the pronouns by which that language is told apart."""

    language: str = Field(pattern=r"^[a-z]{2,3}$")
    first_person: tuple[Text, ...] = Field(min_length=1)
    reader: tuple[Text, ...] = Field(min_length=1)
    group: tuple[Text, ...] = Field(min_length=1)
    posts: tuple[Text, ...] = Field(min_length=LEAST_POSTS)

    @property
    def pronouns(self) -> Pronouns:
        return Pronouns(frozenset(self.first_person), frozenset(self.reader), frozenset(self.group))


@lru_cache(maxsize=16)
def load_voices(language: str) -> OtherVoices | None:
    """The other voices of a language ("pt-BR" takes "pt"); None without a file. Raises DefinitionError with file and line."""
    path = language_file("voices", language)
    return read_voices(path) if path else None


def read_voices(path: Path) -> OtherVoices:
    """The other voices of that file. Raises DefinitionError with every problem of the file."""
    return read_language_file(path, OtherVoices)
