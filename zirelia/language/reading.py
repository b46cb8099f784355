"""A model's message → the value that was asked for, or a complaint that the model can act on.

    value = read(text, Plan)        # Unreadable("caption: Field required") when it does not fit

Tolerates code fences, thinking out loud and words around the object, because models without a grammar add them. Accepts
nothing that the schema refuses.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

Schema = TypeVar("Schema", bound=BaseModel)

_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.S)
_FENCE = re.compile(r"```[\w-]*\s*\n(.*?)```", re.S)
_CANDIDATES = 32
_COMPLAINTS = 8


class Unreadable(ValueError):
    """The answer does not fit; the text is written for the model that gave it."""


def text_of(message: BaseMessage) -> str:
    """The answer's text: the arguments of the first tool call when the provider answers through tools, else the text."""
    calls = getattr(message, "tool_calls", None)
    return json.dumps(calls[0]["args"], ensure_ascii=False) if calls else str(message.text)


def read(text: str, schema: type[Schema]) -> Schema:
    """Raises Unreadable."""
    try:
        return schema.model_validate_json(object_in(text))
    except ValidationError as error:
        raise Unreadable("; ".join(_complaint(dict(found)) for found in error.errors()[:_COMPLAINTS])) from error


def object_in(text: str) -> str:
    """The first JSON object of the answer, as it is written. Raises Unreadable when there is none."""
    text = _THINKING.sub("", text)
    for place in (text, *_FENCE.findall(text)):
        if (found := _first_object(place)) is not None:
            return found
    raise Unreadable("it holds no complete JSON object" if text.strip() else "it is empty")


def _first_object(text: str) -> str | None:
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(_CANDIDATES):
        if start < 0:
            return None
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
        else:
            return text[start:end]
    return None


def _complaint(found: dict[str, Any]) -> str:
    where = ".".join(str(step) for step in found["loc"]) or "the object"
    return f"{where}: {str(found['msg'])[:200]}"
