"""Posts in other voices, as files: config/voices/<language>.yaml → checked OtherVoices.

    load_voices("en").posts
    load_voices("xx")                       # None: nobody has written that language's file

Knows no text to judge.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError

from zirelia import resources
from zirelia.definitions.complaints import problems_in, refusal
from zirelia.definitions.marked_yaml import parse, read_text
from zirelia.domain.value import Text, Value
from zirelia.domain.voice_style import Pronouns
from zirelia.errors import DefinitionError

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
    name = language.split("-")[0].lower()
    path = resources.folder("config") / "voices" / f"{name}.yaml"
    return read_voices(path) if name.isalpha() and path.is_file() else None


def read_voices(path: Path) -> OtherVoices:
    """The other voices of that file. Raises DefinitionError with every problem of the file."""
    located = parse(read_text(path), path)
    if not isinstance(located.value, dict):
        raise DefinitionError("is empty or not a mapping of keys", path=path, line=1)
    try:
        voices = OtherVoices.model_validate(located.value)
    except ValidationError as error:
        raise refusal(path, problems_in(located, error, OtherVoices)) from error
    if voices.language != path.stem:
        raise DefinitionError(
            f"the file is called {path.name} but says '{voices.language}'",
            path=path,
            line=located.line_of(("language",)),
            key="language",
        )
    return voices
