"""A rubric in a file of its own, as `zirelia critic replay` takes it.

    rubric = load_rubric(Path("strict.yaml"))      # or .toml; keys: must_check, advisory, hold_on

Every problem is reported with its line and key. A pack's own rubric is read with the pack.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import ValidationError

from zirelia.definitions.complaints import problems_in, refusal
from zirelia.definitions.marked_yaml import Located, Place, parse, read_text
from zirelia.domain.verdict import Rubric
from zirelia.errors import DefinitionError

_KEY = re.compile(r"""^\s*["']?([A-Za-z_][\w-]*)["']?\s*=""")


def load_rubric(path: Path) -> Rubric:
    """The rubric. Raises DefinitionError for a file that cannot be read or does not fit."""
    located = _toml(path) if path.suffix.lower() == ".toml" else parse(read_text(path), path)
    if not isinstance(located.value, dict) or not located.value:
        raise DefinitionError(
            "is empty or not a mapping of keys", path=path, line=1, hint="write for example: must_check: [identity, safety]"
        )
    try:
        return Rubric.model_validate(located.value)
    except ValidationError as error:
        raise refusal(path, problems_in(located, error, Rubric)) from error


def _toml(path: Path) -> Located:
    text = read_text(path)
    try:
        value = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # Python says the line in words only
        place = re.search(r"\(at line (\d+), column \d+\)$", str(error))
        raise DefinitionError(f"is not valid TOML: {error}", path=path, line=int(place[1]) if place else None) from error
    lines: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if key := _KEY.match(line):
            lines.setdefault((key[1],), number)
    return Located(path, value, lines)
