"""The Messages API of Anthropic on loopback, for tests with the real client.

    with AnthropicServer(key="k") as server:
        server.script(fails(429, "Slow down", retry_after=0.0), declines())
        open_chat("anthropic:claude-test", api_key="k", vision=True, provider_url=server.url)

Serves POST /v1/messages as documented: a version header, `system` beside the messages, pictures as base64 sources, a tool
that is forced or an output format, tool_use answers, stop reasons, and errors as {"type": "error", ...}. No streaming.
"""

from __future__ import annotations

import json
from typing import Any

from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.provider_peer import BadRequest, PeerQuestion, ProviderPeer, Turn, picture_in, tokens_in

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STOPS = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal"}


class AnthropicServer(ProviderPeer):
    """See ProviderPeer."""

    def read(self, request: Request) -> PeerQuestion:
        if request.path != "/v1/messages" or "anthropic-version" not in request.headers:
            raise BadRequest("POST /v1/messages with anthropic-version")
        body = request.json()
        if body.get("stream"):
            raise BadRequest("this server does not stream")
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1 or not body.get("model"):
            raise BadRequest("max_tokens: Field required")
        if not 0 <= body.get("temperature", 0) <= 1:
            raise BadRequest("temperature: range: 0..1")
        messages = body["messages"]
        if not messages or messages[0]["role"] != "user" or any(one["role"] == "system" for one in messages):
            raise BadRequest("messages: first message must use the user role, and none the system role")
        parts = [part for message in messages for part in _parts(message["content"])]
        schema, tool = _form(body)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return PeerQuestion(
            system="\n".join(part["text"] for part in _parts(body.get("system", ""))),
            text="\n\n".join(part["text"] for part in parts if part["type"] == "text"),
            images=tuple(_image(part["source"]) for part in parts if part["type"] == "image"),
            schema=schema,
            tool=tool,
            max_tokens=body["max_tokens"],
            key=request.headers.get("x-api-key") or bearer or None,
        )

    def told(self, question: PeerQuestion, turn: Turn) -> Reply:
        text = turn.said(question)
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        stop = _STOPS[turn.finish]
        filled = _object(text) if question.tool and turn.finish != "refusal" else None
        if filled is not None:
            content = [{"type": "tool_use", "id": "toolu_1", "name": question.tool, "input": filled}]
            stop = "tool_use" if turn.finish == "end" else stop
        return Reply.json({
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-test",
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": tokens_in(question), "output_tokens": len(text) // 4 + 1},
        })  # fmt: skip

    def failure(self, status: int, message: str, retry_after: float | None) -> Reply:
        said = {"type": "error", "error": {"type": _KINDS.get(status, "api_error"), "message": message}, "request_id": "req_1"}
        return Reply.json(said, status, {} if retry_after is None else {"retry-after": f"{retry_after:g}"})


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _image(source: dict[str, Any]) -> bytes:
    if source["type"] != "base64":
        raise BadRequest("a picture must be a base64 source")
    return picture_in(source["media_type"], source["data"])


def _form(body: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The schema of the tool that is forced, with its name, or of the output format."""
    choice = body.get("tool_choice") or {}
    for tool in body.get("tools") or ():
        if choice.get("type") == "any" or choice.get("name") == tool["name"]:
            return tool["input_schema"], tool["name"]
    if choice.get("type") == "tool":
        raise BadRequest(f"tool_choice: tool '{choice.get('name')}' not found in provided tools")
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return wanted.get("schema"), None


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
