"""A JSON schema → one valid answer, the same every time.

    schema_filler({"type": "object", "properties": {"mood": {"enum": ["calm", "wild"]}}})   # {"mood": "calm"}

Choice: a given value by property name, then const, the first of enum, of examples, the default, else the smallest value that
fits; true for a boolean. Optional properties are filled too. Knows the keywords that pydantic writes, references included.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_DEEPEST = 12
_FORMATS = {
    "date": "2026-01-02",
    "time": "09:30:00Z",
    "date-time": "2026-01-02T09:30:00Z",
    "duration": "PT1H",
    "email": "mira@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}


def schema_filler(
    schema: Mapping[str, Any], values: Mapping[str, Any] | None = None, *, text: str | None = None
) -> dict[str, Any]:
    """A valid answer for an object schema.

    Args:
        values: taken as they are for the properties of these names, at any depth.
        text: what free strings say, cut to their length; None says the property's name.

    Raises ValueError for a schema that this cannot fill or that is not of an object.
    """
    found = _Filler(schema, values or {}, text).fill(schema, "answer", 0, 0)
    if not isinstance(found, dict):
        raise ValueError("the schema does not describe an object")
    return found


class _Filler:
    def __init__(self, root: Mapping[str, Any], values: Mapping[str, Any], text: str | None) -> None:
        self._root, self._values, self._text = root, values, text

    def fill(self, node: Any, name: str, depth: int, turn: int) -> Any:
        """`turn` counts the elements of an array, so that they differ where the schema lets them."""
        if node is True or node == {}:
            return self._text or name
        if depth > _DEEPEST:
            raise ValueError(f"the schema of '{name}' nests deeper than {_DEEPEST}")
        if "$ref" in node:
            return self.fill(self._resolve(node["$ref"]), name, depth + 1, turn)
        if (fixed := _fixed(node, turn)) is not None:
            return fixed[0]
        if "allOf" in node:
            merged: dict[str, Any] = {key: value for key, value in node.items() if key != "allOf"}
            for part in node["allOf"]:
                merged |= self._resolve(part["$ref"]) if "$ref" in part else part
            return self.fill(merged, name, depth + 1, turn)
        for key in ("anyOf", "oneOf"):
            if key in node:
                return self._first_that_fills(node[key], name, depth, turn)
        return self._of_kind(node, name, depth, turn)

    def _first_that_fills(self, choices: list[Any], name: str, depth: int, turn: int) -> Any:
        problem = ValueError(f"no choice of '{name}' can be filled")
        for choice in choices:
            try:
                return self.fill(choice, name, depth + 1, turn)
            except ValueError as error:  # a recursive branch: the next one ends it
                problem = error
        raise problem

    def _of_kind(self, node: Mapping[str, Any], name: str, depth: int, turn: int) -> Any:
        kind = node.get("type")
        if isinstance(kind, list):
            kind = kind[0]
        if kind == "object" or "properties" in node:
            return self._object(node, depth)
        if kind == "array":
            return self._array(node, name, depth)
        if kind == "string":
            return _string(node, self._text or name.replace("_", " "), turn)
        if kind in {"integer", "number"}:
            return _number(node, whole=kind == "integer", turn=turn)
        simple = {"boolean": True, "null": None}
        if kind in simple:
            return simple[kind]
        raise ValueError(f"the schema of '{name}' has the unknown type {kind!r}")

    def _object(self, node: Mapping[str, Any], depth: int) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, child in node.get("properties", {}).items():
            if name in self._values:
                filled[name] = self._values[name]
                continue
            try:
                filled[name] = self.fill(child, name, depth + 1, 0)
            except ValueError:
                if name in node.get("required", ()):
                    raise
        return filled

    def _array(self, node: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        first = [self.fill(child, name, depth + 1, turn) for turn, child in enumerate(node.get("prefixItems", ()))]
        least, most = node.get("minItems", 0), node.get("maxItems", math.inf)
        wanted = max(least, min(1, most)) if "items" in node else least
        return first + [self.fill(node["items"], name, depth + 1, turn) for turn in range(len(first), int(wanted))]

    def _resolve(self, reference: str) -> Any:
        node: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        return node


def _fixed(node: Mapping[str, Any], turn: int) -> tuple[Any] | None:
    if "const" in node:
        return (node["const"],)
    for key in ("enum", "examples"):
        if node.get(key):
            return (node[key][turn % len(node[key])],)
    return (node["default"],) if node.get("default") is not None else None


def _string(node: Mapping[str, Any], said: str, turn: int) -> str:
    if node.get("format") in _FORMATS:
        return _FORMATS[node["format"]]
    least, most = node.get("minLength", 0), node.get("maxLength")
    if pattern := node.get("pattern"):
        said = _matching(pattern, said)
        if len(said) < least or (most is not None and len(said) > most):
            raise ValueError(f"no text found for the pattern {pattern!r} with {least} to {most} characters")
        return said
    said = f"{said} {turn + 1}" if turn else said
    while len(said) < least:
        said += f" {said}"
    return said if most is None else said[:most].rstrip().ljust(least, ".")


def _matching(pattern: str, said: str) -> str:
    """The text itself, a form of it or the shortest usual word that the pattern accepts."""
    slug = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")
    usual = (said, slug, slug.replace("-", "_"), slug.replace("-", ""), slug.upper(), f"#{slug.replace('-', '')}", "a", "A",
             "a" * 8, "0", "1", "00", "0000", "0" * 64, "09:30", "2026-01-02", "#aabbcc", "1.0", "en", "a-b", "x1")  # fmt: skip
    for candidate in usual:
        if re.search(pattern, candidate):
            return candidate
    raise ValueError(f"no text found for the pattern {pattern!r}")


def _number(node: Mapping[str, Any], *, whole: bool, turn: int) -> int | float:
    step = node.get("multipleOf", 1 if whole else 0.5)
    least = node.get("minimum", node.get("exclusiveMinimum"))
    most = node.get("maximum", node.get("exclusiveMaximum"))
    if least is None:
        least = 0 if most is None or most >= 0 else most - step
    found = math.ceil(least / step) * step if whole or "multipleOf" in node else least
    if "exclusiveMinimum" in node and found <= node["exclusiveMinimum"]:
        found += step
    found += turn * step
    too_much = most is not None and (found > most or ("exclusiveMaximum" in node and found >= most))
    if too_much and turn:
        return _number(node, whole=whole, turn=0)
    if too_much:
        found = least if "exclusiveMinimum" not in node else (least + most) / 2
    return int(found) if whole else float(found)
