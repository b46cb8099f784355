"""generateContent of the Gemini API on loopback, for tests with the real client.

    with GeminiServer(key="k") as server:
        server.script(fails(429, "Quota exceeded", retry_after=0.0), blocks())
        open_chat("google_genai:gemini-test", api_key="k", vision=True, provider_url=server.url)

Serves POST /v1beta/models/NAME:generateContent as documented: systemInstruction, inlineData, a response schema or a forced
function, finish reasons, promptFeedback for a blocked question, and errors with google.rpc details. No streaming.
"""

from __future__ import annotations

import json
import re
from typing import Any

from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.provider_peer import BadRequest, PeerQuestion, ProviderPeer, Turn, picture_in, tokens_in

_PATH = re.compile(r"/v1(?:beta)?/models/[\w.-]+:generateContent")
_KINDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_STOPS = {"end": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}
_BLOCKED = "(the question is blocked)"


def blocks() -> Turn:
    """The question itself is blocked: no candidate at all."""
    return Turn(text=_BLOCKED)


class GeminiServer(ProviderPeer):
    """See ProviderPeer."""

    def read(self, request: Request) -> PeerQuestion:
        if not _PATH.fullmatch(request.path):
            raise BadRequest(f"no such method: {request.path}")
        body = request.json()
        contents = body["contents"]
        if not contents or any(turn.get("role", "user") not in {"user", "model"} for turn in contents):
            raise BadRequest("Please use a valid role: user, model.")
        config = body.get("generationConfig") or {}
        schema = config.get("responseJsonSchema") or config.get("responseSchema")
        if schema and config.get("responseMimeType") != "application/json":
            raise BadRequest("a response schema needs the mime type application/json")
        schema, tool = (schema, None) if schema else _function(body)
        parts = [part for turn in contents for part in turn["parts"]]
        return PeerQuestion(
            system="\n".join(part["text"] for part in (body.get("systemInstruction") or {"parts": []})["parts"]),
            text="\n\n".join(part["text"] for part in parts if "text" in part),
            images=tuple(_image(part) for part in parts if "inlineData" in part or "inline_data" in part),
            schema=schema,
            tool=tool,
            max_tokens=int(config.get("maxOutputTokens", 0)),
            key=request.headers.get("x-goog-api-key"),
        )

    def told(self, question: PeerQuestion, turn: Turn) -> Reply:
        text = turn.said(question)
        counted = {"promptTokenCount": tokens_in(question)}
        if text == _BLOCKED:
            return Reply.json({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": counted})
        part: dict[str, Any] = {"text": text}
        if question.tool and turn.finish == "end":
            part = {"functionCall": {"name": question.tool, "args": json.loads(text)}}
        candidate: dict[str, Any] = {"finishReason": _STOPS[turn.finish], "index": 0}
        if turn.finish != "refusal":
            candidate["content"] = {"role": "model", "parts": [part]}
        wrote = len(text) // 4 + 1
        counted |= {"candidatesTokenCount": wrote, "totalTokenCount": counted["promptTokenCount"] + wrote}
        return Reply.json({"candidates": [candidate], "usageMetadata": counted, "modelVersion": "gemini-test"})

    def failure(self, status: int, message: str, retry_after: float | None) -> Reply:
        error: dict[str, Any] = {"code": status, "message": message, "status": _KINDS.get(status, "INTERNAL")}
        if retry_after is not None:
            # Google says it in the body, not in a header
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_after:g}s"}]
        return Reply.json({"error": error}, status)


def _image(part: dict[str, Any]) -> bytes:
    found = part.get("inlineData") or part["inline_data"]
    # JSON of protocol buffers takes both alphabets of base64
    data = found["data"].translate(str.maketrans("-_", "+/"))
    return picture_in(str(found.get("mimeType") or found["mime_type"]), data)


def _function(body: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The parameters of the function that is forced, with its name."""
    calling = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode")
    for tool in body.get("tools") or ():
        for declared in tool.get("functionDeclarations", ()):
            if calling == "ANY":
                return declared.get("parametersJsonSchema") or _plain(declared.get("parameters")), declared["name"]
    return None, None


def _plain(schema: Any) -> Any:
    """OpenAPI as Google writes it ("STRING", "minLength": "2") → JSON schema."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value) for key, value in schema.items()}
    if isinstance(plain.get("type"), str):
        plain["type"] = plain["type"].lower()
    limits = {key for key in plain if key.startswith(("min", "max")) and isinstance(plain[key], str)}
    return plain | {key: int(plain[key]) for key in limits}
