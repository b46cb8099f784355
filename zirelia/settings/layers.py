"""The three places that settings come from, read into layers that remember file and line.

    layer, problems = env_file(Path(".env"))
    layer.given["chat.backend"]        # Given(value="openai", where=".env:3", name="ZIRELIA_CHAT_BACKEND")

An empty value means "not set". Nothing is expanded: a `$` in a key stays a `$`. Checks names, not values.
"""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from zirelia.definitions.complaints import near_miss
from zirelia.settings.tree import CONFIG_NAME, Leaf, leaves

_TABLE = re.compile(r"^\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")
_OURS = "ZIRELIA_"
_CLOSE = 0.88
_OTHER_USES = frozenset({CONFIG_NAME})


@dataclass(frozen=True)
class Given:
    """One value as it was written, where ("`.env:3`", "environment"), and under which name."""

    value: Any
    where: str
    name: str


@dataclass
class Layer:
    """What one place says: dotted setting → Given. `others` are names of .env that belong to somebody else."""

    given: dict[str, Given] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    config: Given | None = None

    def nested(self) -> dict[str, Any]:
        """The values as a tree."""
        tree: dict[str, Any] = {}
        for dotted, given in self.given.items():
            group, _, key = dotted.rpartition(".")
            (tree.setdefault(group, {}) if group else tree)[key] = given.value
        return tree


Read = tuple[Layer, list[str]]


def environment(environ: Mapping[str, str]) -> Read:
    """The process environment: foreign names are none of our business, unknown ZIRELIA_ ones are problems."""
    layer, problems = Layer(), []
    for name, value in environ.items():
        problems += _take(layer, name, value, "environment")
    layer.others.clear()
    return layer, problems


def env_file(path: Path) -> Read:
    """A .env file, read by python-dotenv's parser; no file is an empty layer."""
    text, problems = _read(path) if path.exists() else ("", [])
    layer = Layer()
    seen: dict[str, tuple[str | None, int]] = {}
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line + _leading_newlines(binding.original.string)
        where = f"{path.name}:{line}"
        if binding.error:
            problems.append(f"{where}: cannot be read; write NAME=value")
            continue
        if binding.key is None:
            continue
        if binding.key in seen and seen[binding.key][0] != binding.value:
            problems.append(f"{where}: {binding.key} has another value on line {seen[binding.key][1]}")
        seen[binding.key] = (binding.value, line)
        problems += _take(layer, binding.key, binding.value or "", where)
    return layer, problems


def toml_file(path: Path) -> Read:
    """A config/*.toml file. Secrets do not belong there and are problems."""
    text, problems = _read(path)
    layer = Layer()
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return layer, [*problems, f"{path.name}: is not valid TOML: {error}"]
    lines = dict(_lines(text))
    known = {leaf.dotted: leaf for leaf in leaves()}
    for dotted, value in _flat(tables, {leaf.group for leaf in known.values()}):
        where = f"{path.name}:{lines.get(dotted, 1)}"
        leaf = known.get(dotted)
        if leaf is None:
            problems.append(f"{where}: {dotted}: unknown setting{near_miss(dotted, known)}")
        elif leaf.secret:
            problems.append(f"{where}: {dotted}: a secret does not belong in a config file; put {leaf.env} into .env")
        elif value != "":
            layer.given[dotted] = Given(value, where, dotted)
    return layer, problems


def _take(layer: Layer, name: str, value: str, where: str) -> list[str]:
    known = _by_env()
    if name in known:
        if value.strip():
            layer.given[known[name].dotted] = Given(value.strip(), where, name)
        return []
    if name == CONFIG_NAME:
        layer.config = Given(value.strip(), where, name) if value.strip() else None
        return []
    if name.upper().startswith(_OURS):
        return [f"{where}: {name}: unknown setting{near_miss(name, [*known, *_OTHER_USES])}"]
    if where != "environment" and (hint := _misspelt(name, known)):
        return [f"{where}: {name}: unknown name; did you mean '{hint}'?"]
    if value.strip():
        layer.others[name] = value
    return []


def _misspelt(name: str, known: Mapping[str, Leaf]) -> str | None:
    """A well-known name that this one is nearly; foreign names of .env are let through otherwise."""
    import difflib

    close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_CLOSE)
    return close[0] if close else None


@lru_cache(maxsize=1)
def _by_env() -> dict[str, Leaf]:
    return {leaf.env: leaf for leaf in leaves()}


def _read(path: Path) -> tuple[str, list[str]]:
    try:
        return path.read_text(encoding="utf-8-sig"), []
    except OSError as error:
        return "", [f"{path.name}: cannot be read: {error.strerror or error}"]
    except UnicodeDecodeError:
        return "", [f"{path.name}: is not UTF-8 text"]


def _leading_newlines(text: str) -> int:
    return len(text) - len(text.lstrip("\n")) if text.strip() else 0


def _flat(tables: Mapping[str, Any], groups: set[str]) -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict) and (name in groups or value):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        elif not isinstance(value, dict):
            yield name, value


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Dotted key → its line, for files in the plain style of config/default.toml."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := _TABLE.match(line):
            table = heading.group(1) + "."
        elif key := _KEY.match(line):
            yield table + key.group(1), number
