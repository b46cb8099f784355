"""Files of which there is one a language, config/<folder>/<language>.yaml → a checked value.

    path = language_file("claims", "pt-BR")         # config/claims/pt.yaml, or None: nobody has written that language's file
    read_language_file(path, Claims)

Knows nothing of what the files say.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from zirelia import resources
from zirelia.definitions.complaints import problems_in, refusal
from zirelia.definitions.marked_yaml import parse, read_text
from zirelia.domain.value import Value
from zirelia.errors import DefinitionError

Spoken = TypeVar("Spoken", bound=Value)


def language_file(folder: str, language: str) -> Path | None:
    """The file of a language ("pt-BR" takes "pt"); None without one."""
    name = language.split("-")[0].lower()
    path = resources.folder("config") / folder / f"{name}.yaml"
    return path if name.isalpha() and path.is_file() else None


def read_language_file(path: Path, kind: type[Spoken]) -> Spoken:
    """What the file says; `kind` has a field `language`, which must be the file's name. Raises DefinitionError with every
    problem of the file.
    """
    located = parse(read_text(path), path)
    if not isinstance(located.value, dict):
        raise DefinitionError("is empty or not a mapping of keys", path=path, line=1)
    try:
        said = kind.model_validate(located.value)
    except ValidationError as error:
        raise refusal(path, problems_in(located, error, kind)) from error
    language = located.value["language"]
    if language != path.stem:
        line = located.line_of(("language",))
        raise DefinitionError(f"the file is called {path.name} but says '{language}'", path=path, line=line, key="language")
    return said
