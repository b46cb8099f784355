"""A pydantic model → the JSON schema that is sent, in the plain form and in the form that OpenAI's strict mode takes.

    response_format("Plan", strict_schema(Plan.model_json_schema()), strict=True)

Whatever strict mode cannot say is left out here and still checked when the answer is read.
"""

from __future__ import annotations

import copy
import re
from typing import Any

_UNKNOWN_TO_STRICT = frozenset(
    {"default", "title", "examples", "minLength", "maxLength", "uniqueItems", "contains", "minProperties", "maxProperties"}
)
_STRICT_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


def response_format(name: str, schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """The `response_format` of a chat completion."""
    word = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "Answer"
    return {"type": "json_schema", "json_schema": {"name": word, "schema": schema, "strict": strict}}


def strict_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema with every property required and no other allowed; None when strict mode cannot express it (maps, tuples)."""
    found = copy.deepcopy(schema)
    return found if _tighten(found) else None


def _tighten(node: Any) -> bool:
    if isinstance(node, list):
        return all(_tighten(child) for child in node)
    if not isinstance(node, dict):
        return True
    if isinstance(node.get("additionalProperties"), dict) or "prefixItems" in node or "patternProperties" in node:
        return False
    for key in _UNKNOWN_TO_STRICT & node.keys():
        # A property may itself be called "title": those are dictionaries, the keyword never is.
        if key in {"default", "examples"} or not isinstance(node[key], dict):
            del node[key]
    if "format" in node and isinstance(node["format"], str) and node["format"] not in _STRICT_FORMATS:
        del node["format"]
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
        node.pop("discriminator", None)
    named = node.get("properties")
    if isinstance(named, dict) and node.get("type") == "object":
        node["required"], node["additionalProperties"] = list(named), False
        return all(_tighten(child) for child in named.values()) and _tighten(
            {key: child for key, child in node.items() if key == "$defs"}
        )
    return all(_tighten(child) for child in node.values())
