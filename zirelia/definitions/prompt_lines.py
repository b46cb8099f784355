"""A file of free prompts, one a line.

    # prompts.txt
    {trigger} woman in a cafe, daylight
    on the beach at night

    prompts = read_prompts(Path("prompts.txt"))
    prompts[0].worn("mirelo")               # "mirelo woman in a cafe, daylight"
    prompts[1].worn("mirelo")               # "mirelo, on the beach at night"

Empty lines and lines that begin with # are left out. It knows no persona; the trigger word is put first and stands once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from zirelia.domain.value import printable
from zirelia.errors import DefinitionError

MOST_PROMPTS = 100
MOST_CHARACTERS = 500
_MOST_BYTES = 1_000_000
_PLACE = "{trigger}"
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")
_ARTICLE = re.compile(r"(?i)^(an?|the)\s+(?=\w)")
_LINKED = re.compile(r"(?i)^(in|on|at|by|under|near|inside|outside|beside|with|wearing|portrait|photo|picture|close-up)\b")


@dataclass(frozen=True)
class PromptLine:
    """One prompt and where it stands in its file (1-based)."""

    text: str
    line: int

    def worn(self, trigger: str) -> str:
        """The prompt with the trigger word first and once, whatever the line says of it."""
        begins = self.text.startswith((_PLACE, f"{trigger} ", f"{trigger},"))
        rest = self.text.replace(_PLACE, " ")
        rest = re.sub(rf"(?i)(?<!\w){re.escape(trigger)}(?!\w)", " ", rest)
        rest = re.sub(r"\s+([,;.])", r"\1", re.sub(r"\s+", " ", rest)).strip(" ,;")
        if not rest:
            return trigger
        if begins:
            after = self.text.removeprefix(_PLACE).removeprefix(trigger).lstrip()
            return f"{trigger}{', ' if after.startswith(',') else ' '}{rest}"
        # "a woman in a cafe" names a subject that the trigger word goes with; other lines say what is around her
        named = _ARTICLE.sub("", rest)
        return f"{trigger} {named}" if named != rest and not _LINKED.match(named) else f"{trigger}, {rest}"

    def bare(self) -> str:
        """The prompt without the place for the trigger word, for a base that knows none."""
        return " ".join(self.text.replace(_PLACE, " ").split()).strip(" ,;") or "a person"


def read_prompts(path: Path) -> tuple[PromptLine, ...]:
    """Every prompt of the file. Raises DefinitionError, naming file and line, for one that cannot be used, or for none."""
    prompts = []
    for number, raw in enumerate(_text(path).splitlines(), start=1):
        line = " ".join(printable(raw.replace("\t", " ")).split())
        if not line or line.startswith("#"):
            continue
        _check(line, path, number)
        prompts.append(PromptLine(line, number))
    if not prompts:
        raise DefinitionError("holds no prompt", path=path, hint="write one free prompt a line; # begins a comment")
    if len(prompts) > MOST_PROMPTS:
        first = prompts[MOST_PROMPTS].line
        raise DefinitionError(
            f"is prompt {MOST_PROMPTS + 1}; at most {MOST_PROMPTS} are drawn", path=path, line=first, hint="draw two grids"
        )
    return tuple(prompts)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DefinitionError(
                f"has more than {_MOST_BYTES:,} bytes; this is no file of prompts",
                path=path,
                hint="give a text, one prompt a line",
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DefinitionError("is not UTF-8 text", path=path, line=line, hint="save the file as UTF-8") from error
    except OSError as error:
        raise DefinitionError(f"cannot be read: {error.strerror or error}", path=path) from error


def _check(line: str, path: Path, number: int) -> None:
    if len(line) > MOST_CHARACTERS:
        raise DefinitionError(
            f"has {len(line)} characters; at most {MOST_CHARACTERS} are read",
            path=path,
            line=number,
            hint="say it in fewer words",
        )
    wrong = [found for found in _BRACES.findall(line) if found != _PLACE]
    if wrong:
        raise DefinitionError(
            f"'{wrong[0]}' means nothing here", path=path, line=number, hint="the one placeholder is {trigger}"
        )
    if line.count(_PLACE) > 1:
        raise DefinitionError("says {trigger} more than once", path=path, line=number, hint="the trigger word stands once")
    if not re.search(r"\w", line.replace(_PLACE, "")):
        raise DefinitionError("asks for nothing", path=path, line=number, hint="say what to draw, such as: in a cafe")
