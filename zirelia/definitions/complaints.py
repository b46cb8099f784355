"""What pydantic found wrong in a file, said with file, line and dotted key, and with the key that was probably meant.

    raise refusal(located, problems_in(located, error, Persona))

    persona/mira/persona.yaml:14: voice.tonne: unknown key; did you mean 'tone'?

All problems of a file come at once. Knows no particular schema.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from zirelia.definitions.marked_yaml import Located
from zirelia.errors import DefinitionError


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong. `line` is 1-based."""

    line: int
    key: str
    message: str


def near_miss(word: str, known: Iterable[str]) -> str:
    """A hint such as "; did you mean 'tone'?" when a known word is close, else the empty string."""
    close = difflib.get_close_matches(word.lower(), {k.lower(): k for k in known}, n=1, cutoff=0.6)
    originals = {k.lower(): k for k in known} if close else {}
    return f"; did you mean '{originals[close[0]]}'?" if close else ""


def problems_in(located: Located, error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """One problem for each pydantic error, in the file's order."""
    found = []
    for one in error.errors(include_url=False, include_context=True):
        place = one["loc"]
        key = dotted(place)
        if one["type"] == "extra_forbidden":
            known = _keys_at(model, place[:-1])
            message = "unknown key" + (near_miss(str(place[-1]), known) or f"; known here: {', '.join(known)}")
        elif one["type"] == "missing":
            message = "is required but missing"
        else:
            message = one["msg"].removeprefix("Value error, ")
        found.append(Problem(located.line_of(place), key, message))
    return sorted(set(found))


def refusal(path: Path, problems: Sequence[Problem]) -> DefinitionError:
    """One error that names every problem, each on its own line."""
    if len(problems) == 1:
        (only,) = problems
        return DefinitionError(only.message, path=path, line=only.line, key=only.key or None)
    lines = [f"{path}:{one.line}: {one.key + ': ' if one.key else ''}{one.message}" for one in problems]
    return DefinitionError(f"{len(problems)} problems", path=path, hint="\n  ".join(lines))


def dotted(place: Sequence[str | int]) -> str:
    """("routine", 0, "scenes") → "routine[0].scenes"."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _keys_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that the schema knows at a place; empty where it has none of its own."""
    current: type[BaseModel] | None = model
    for part in place:
        if current is None:
            return []
        if isinstance(part, str) and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if current is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in typing.get_args(annotation) if (found := _model_in(one)) is not None), None)
