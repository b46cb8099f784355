r"""Somebody's folder of training pictures, in any of the usual layouts → pictures with the words that came with them.

    for one in read_brought(Path("pics")):
        one.path, one.caption, one.repeats

Layouts: pictures with a caption file of the same name (.txt, or the extension that dataset.toml says), metadata.jsonl of
Hugging Face's loaders (file_name, text), and kohya's dataset.toml (image_dir, num_repeats, caption_extension). It only reads;
whether a picture can be opened, the curation finds out.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zirelia.definitions.marked_yaml import read_text
from zirelia.domain.dataset import Brought
from zirelia.domain.value import printable
from zirelia.errors import DefinitionError, NotFound

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
MOST = 2000
"""Pictures; a face needs fifty, and each of these is opened and compared with all others."""

_LINE = 'write one JSON object a line: {"file_name": "1.png", "text": "..."}'
_HERE = "name a folder, relative to dataset.toml"
_CAPTION_KEYS = ("text", "caption", "prompt")


@dataclass(frozen=True)
class _Part:
    """One folder of pictures, as dataset.toml describes it."""

    folder: Path
    repeats: int = 1
    extension: str = ".txt"


def read_brought(folder: Path) -> tuple[Brought, ...]:
    """The pictures in order of their names. Raises NotFound when there are none, and DefinitionError."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    toml, lines = folder / "dataset.toml", folder / "metadata.jsonl"
    parts = tuple(_parts(toml)) if toml.is_file() else (_Part(folder),)
    told = _metadata(lines) if lines.is_file() else {}
    found = [_brought(picture, part, told) for part in parts for picture in _pictures(part.folder)]
    unique = {one.path: one for one in found}
    if not unique:
        raise NotFound(f"there is no picture in {folder}", hint=f"pictures end in {', '.join(sorted(SUFFIXES))}")
    if len(unique) > MOST:
        raise DefinitionError(f"has {len(unique)} pictures, at most {MOST} are taken", path=folder)
    return tuple(unique.values())


def _pictures(folder: Path) -> list[Path]:
    return sorted(path.resolve() for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _brought(picture: Path, part: _Part, told: dict[Path, str]) -> Brought:
    beside = picture.with_suffix(part.extension)
    said = read_text(beside) if beside.is_file() else told.get(picture, "")
    caption = " ".join(printable(said).split())
    return Brought(path=str(picture), caption=caption or None, repeats=part.repeats)


def _metadata(path: Path) -> dict[Path, str]:
    """Absolute picture path → caption."""
    found = {}
    for number, line in enumerate(read_text(path, largest=20_000_000).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            said = str(error).splitlines()[0]
            raise DefinitionError(f"is not JSON: {said}", path=path, line=number, hint=_LINE) from error
        if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str):
            raise DefinitionError("has no file_name", path=path, line=number, key="file_name", hint=_LINE)
        said = next((entry[key] for key in _CAPTION_KEYS if isinstance(entry.get(key), str)), "")
        found[_inside(path, entry["file_name"], line=number)] = said
    return found


def _inside(path: Path, name: str, *, line: int) -> Path:
    try:
        picture = (path.parent / name).resolve()
        inside = picture.is_relative_to(path.parent.resolve())
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise DefinitionError(
            f"'{printable(name)}' is not a path inside the folder",
            path=path,
            line=line,
            key="file_name",
            hint="pictures lie in the folder of metadata.jsonl or below it",
        )
    return picture


def _parts(path: Path) -> Iterator[_Part]:
    """The subsets of kohya's file, each with what general, dataset and subset say, the last one strongest."""
    try:
        said = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        # Python says the line in words only
        place = re.search(r"\(at line (\d+), column \d+\)$", str(error))
        raise DefinitionError(
            f"is not valid TOML: {error}",
            path=path,
            line=int(place[1]) if place else None,
            hint="write it as kohya's trainer does",
        ) from error
    general, datasets = _table(said.get("general", {}), path, "general"), _tables(said.get("datasets"), path, "datasets")
    empty = True
    for number, dataset in enumerate(datasets):
        for index, subset in enumerate(_tables(dataset.get("subsets"), path, f"datasets[{number}].subsets")):
            empty = False
            yield _part(general | dataset | subset, path, f"datasets[{number}].subsets[{index}]")
    if empty:
        raise DefinitionError(
            "names no [[datasets.subsets]]", path=path, key="datasets", hint="name at least one, with its image_dir"
        )


def _part(said: dict[str, Any], path: Path, key: str) -> _Part:
    name, repeats = said.get("image_dir"), said.get("num_repeats", 1)
    extension = said.get("caption_extension", ".txt")
    if not isinstance(name, str) or not name:
        raise DefinitionError("is required but missing", path=path, key=f"{key}.image_dir", hint=_HERE)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise DefinitionError(
            f"is a whole number from 1, not {repeats}", path=path, key=f"{key}.num_repeats", hint="leave it out: it is not used"
        )
    if not isinstance(extension, str) or not extension.startswith(".") or "/" in extension or len(extension) < 2:
        raise DefinitionError("is an extension such as '.txt'", path=path, key=f"{key}.caption_extension")
    folder = path.parent / name
    if not folder.is_dir():
        raise DefinitionError(f"there is no folder {folder}", path=path, key=f"{key}.image_dir", hint=_HERE)
    return _Part(folder, repeats, extension)


def _table(value: Any, path: Path, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DefinitionError("is not a table", path=path, key=key)
    return value


def _tables(value: Any, path: Path, key: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise DefinitionError("is not a list of tables", path=path, key=key)
    return [_table(one, path, key) for one in value]
