r"""YAML that remembers where everything stands, and that surprises nobody.

    located = parse("name: mira\ncountry: NO\n", Path("persona.yaml"))
    located.value                       # {"name": "mira", "country": "NO"}: not False, as YAML 1.1 would have it
    located.line_of(("country",))       # 2

Only `true`, `false`, `null`, `~` and decimal numbers are more than text: 12:30 stays a time of day and 2027-01-01 a date for
the schema to read. Tags, anchors, duplicate keys and keys that are not words are errors. Knows no schema.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zirelia.errors import DefinitionError

LARGEST = 1_000_000
"""Characters; a persona pack has a few thousand."""

_PREFIX = "tag:yaml.org,2002:"
_MANY = 1_000
_STAIRS = re.compile(r"(?:[-?:][ \t]+){50}")
Place = tuple[str | int, ...]


class _PlainLoader(yaml.SafeLoader):
    """The core schema of YAML 1.2, decimal numbers only."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the shape that PyYAML asks for


class _QuickLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, ten times as fast, where PyYAML was built with it."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the shape that PyYAML asks for


for _loader in (_PlainLoader, _QuickLoader):
    _loader.add_implicit_resolver(_PREFIX + "bool", re.compile(r"^(?:true|false)$"), list("tf"))
    _loader.add_implicit_resolver(_PREFIX + "null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
    _loader.add_implicit_resolver(_PREFIX + "int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
    _loader.add_implicit_resolver(
        _PREFIX + "float",
        re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    )

_SCALARS = {_PREFIX + kind for kind in ("str", "bool", "null", "int", "float")}


@dataclass(frozen=True)
class Located:
    """A parsed file: plain dicts, lists and scalars, and the 1-based line of every place in it."""

    path: Path
    value: Any
    lines: dict[Place, int]

    def line_of(self, place: Sequence[str | int]) -> int:
        """The line of that place, or of the nearest one around it."""
        key = tuple(place)
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The file as text. Raises DefinitionError when it is missing, unreadable, too large or not UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DefinitionError(f"cannot be read: {error.strerror or error}", path=path) from error
    if len(raw) > largest:
        raise DefinitionError(f"is larger than {largest} bytes", path=path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DefinitionError("is not UTF-8 text", path=path, line=line, hint="save the file as UTF-8") from error


def parse(text: str, path: Path) -> Located:
    """The value of one YAML document. Raises DefinitionError with the line of what is wrong."""
    lines: dict[Place, int] = {}
    try:
        node = _composed(text)
        return Located(path, None if node is None else _Builder(path, lines).build(node, ()), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise DefinitionError(f"is not valid YAML: {problem}", path=path, line=mark.line + 1 if mark else None) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DefinitionError("holds a control character", path=path, line=line) from error
    except RecursionError as error:
        raise DefinitionError("is nested too deeply", path=path) from error


def _composed(text: str) -> yaml.Node | None:
    node: yaml.Node | None
    if not _may_be_deep(text):
        with suppress(yaml.YAMLError):
            node = yaml.compose(text, Loader=_QuickLoader)
            return node
    # also for the words and the place of what is wrong, which are better here
    node = yaml.compose(text, Loader=_PlainLoader)
    return node


def _may_be_deep(text: str) -> bool:
    """Whether it might nest so deeply that the quick loader, which counts no levels, ends the process."""
    return text.count("[") + text.count("{") > _MANY or _STAIRS.search(text) is not None


class _Builder:
    def __init__(self, path: Path, lines: dict[Place, int]) -> None:
        self.path = path
        self.lines = lines
        self.seen: set[int] = set()
        self.scalars = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if id(node) in self.seen:
            raise DefinitionError("anchors and aliases are not used here: write it out", path=self.path, line=line)
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == _PREFIX + "map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == _PREFIX + "seq":
            return [self.build(child, (*place, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node)
        raise DefinitionError(f"the tag {node.tag!r} is not used here", path=self.path, line=line)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, child in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise DefinitionError("a key is a word", path=self.path, line=line)
            if key in built:
                first = self.lines[(*place, key)]
                raise DefinitionError(f"is there twice, first on line {first}", path=self.path, line=line, key=key)
            self.lines[(*place, key)] = line
            built[key] = self.build(child, (*place, key))
        return built

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return self.scalars.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            line = node.start_mark.line + 1
            raise DefinitionError(f"cannot be read as a value: {node.value[:40]!r}", path=self.path, line=line) from error
