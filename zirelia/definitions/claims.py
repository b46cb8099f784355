"""Claims that a virtual character must not make, as files: config/claims/<language>.yaml → checked Claims.

    load_claims("en").claims[0].phrases
    load_claims("xx")                       # None: nobody has written that language's file

How a phrase is written stands at the top of each file. Knows no text to judge.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from zirelia import resources
from zirelia.definitions.complaints import problems_in, refusal
from zirelia.definitions.marked_yaml import parse, read_text
from zirelia.domain.claims import Claims
from zirelia.errors import DefinitionError


@lru_cache(maxsize=16)
def load_claims(language: str) -> Claims | None:
    """The claims of a language ("pt-BR" takes "pt"); None without a file. Raises DefinitionError with file and line."""
    name = language.split("-")[0].lower()
    path = resources.folder("config") / "claims" / f"{name}.yaml"
    return read_claims(path) if name.isalpha() and path.is_file() else None


def read_claims(path: Path) -> Claims:
    """The claims of that file. Raises DefinitionError with every problem of the file."""
    located = parse(read_text(path), path)
    if not isinstance(located.value, dict):
        raise DefinitionError("is empty or not a mapping of keys", path=path, line=1)
    try:
        claims = Claims.model_validate(located.value)
    except ValidationError as error:
        raise refusal(path, problems_in(located, error, Claims)) from error
    if claims.language != path.stem:
        raise DefinitionError(
            f"the file is called {path.name} but says '{claims.language}'",
            path=path,
            line=located.line_of(("language",)),
            key="language",
        )
    return claims
