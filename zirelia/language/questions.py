"""A ChatRequest → the messages that are sent; and the message that asks again.

    messages = first_question(request, schema)          # schema None: the server enforces it by itself
    messages += asked_again(raw, complaint, schema)

Knows the OpenAI form of pictures (data URLs), which every LangChain provider converts to its own.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from zirelia.errors import MediaError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from zirelia.ports import ChatRequest

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
_LONGEST_QUOTE = 4000


def first_question(request: ChatRequest, schema: dict[str, Any] | None) -> list[BaseMessage]:
    """System and user message; with a `schema`, the system message ends with it. Raises MediaError for an unknown picture."""
    from langchain_core.messages import HumanMessage, SystemMessage

    system = request.system if schema is None else f"{request.system}\n\n{_in_words(schema)}"
    if not request.images:
        return [SystemMessage(system), HumanMessage(request.user)]
    parts: list[str | dict[Any, Any]] = [{"type": "text", "text": request.user}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in request.images]
    return [SystemMessage(system), HumanMessage(content=parts)]


def asked_again(raw: str, complaint: str, schema: dict[str, Any]) -> list[BaseMessage]:
    """The wrong answer, shortened, what was wrong with it, and the form once more."""
    from langchain_core.messages import AIMessage, HumanMessage

    # Several providers refuse an empty assistant message.
    quote = raw.strip()[:_LONGEST_QUOTE] or "(empty)"
    return [AIMessage(quote), HumanMessage(f"That answer cannot be used: {complaint}\n\n{_in_words(schema)}")]


def data_url(image: bytes) -> str:
    """The picture as a data URL. Raises MediaError when it is neither PNG nor JPEG."""
    for magic, media_type in _MAGIC:
        if image.startswith(magic):
            return f"data:{media_type};base64,{base64.b64encode(image).decode('ascii')}"
    raise MediaError("a picture for the vision model is neither PNG nor JPEG", hint="encode it as PNG or JPEG first")


def _in_words(schema: dict[str, Any]) -> str:
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object and nothing else. It must fit this JSON schema:\n{text}"
