"""An OpenAI images endpoint on loopback, for the genuine client: generations and edits; with faults on demand.

    with OpenAIImagesServer(png) as server:
        maker = OpenAIImageMaker(SecretStr(server.key), "gpt-image-2", base_url=server.base_url)
        server.fail(status=429, headers={"Retry-After": "0"})     # the next request only
        server.style = "url"                                      # answer an address, as older models do
        assert server.paid == 1

It draws nothing: every answer is `picture`. Knows what gpt-image models refuse (`response_format`), as the real one does.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request

Style = Literal["b64", "url", "nothing", "bad-base64", "outside"]


class OpenAIImagesServer(LoopbackPeer):
    """One key, any model. `bodies` are the JSON bodies of generations, oldest first; `edits` the raw forms."""

    def __init__(self, picture: bytes, *, media_type: str = "image/png") -> None:
        super().__init__()
        self.picture, self.media_type = picture, media_type
        self.key = "sk-" + secrets.token_hex(12)
        self.style: Style = "b64"
        self.paid = 0
        self.bodies: list[dict[str, Any]] = []
        self.edits: list[bytes] = []
        self._faults: deque[Reply] = deque()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def fail(
        self,
        *,
        status: int = 500,
        code: str = "server_error",
        message: str = "scripted",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        silent: bool = False,
        times: int = 1,
    ) -> None:
        """Scripts the next `times` answers."""
        said = json.dumps({"error": {"message": message, "type": "error", "code": code, "param": None}}).encode()
        reply = Reply(status, said if body is None else body, headers=headers or {}, silent=silent)
        self._faults.extend([reply] * times)

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/files/"):
            return Reply(200, self.picture, self.media_type)
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, "invalid_api_key", "Incorrect API key provided")
        if request.path not in {"/v1/images/generations", "/v1/images/edits"} or request.method != "POST":
            return _error(404, "not_found", f"no such path {request.path}")
        if self._faults:
            return self._faults.popleft()
        if request.path.endswith("generations"):
            body = request.json()
            if str(body.get("model", "")).startswith("gpt-image") and "response_format" in body:
                return _error(400, "unknown_parameter", "Unknown parameter: 'response_format'.")
            self.bodies.append(body)
        else:
            self.edits.append(request.body)
        self.paid += 1
        return Reply.json({"created": 1_790_000_000, "data": self._pictures()})

    def _pictures(self) -> list[dict[str, str]]:
        pictures: dict[Style, list[dict[str, str]]] = {
            "b64": [{"b64_json": base64.b64encode(self.picture).decode()}],
            "url": [{"url": f"{self.url}/files/one.png"}],
            "nothing": [],
            "bad-base64": [{"b64_json": "this is not base64!"}],
            "outside": [{"url": "http://169.254.169.254/latest/meta-data/"}],
        }
        return pictures[self.style]


def _error(status: int, code: str, message: str) -> Reply:
    return Reply.json({"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}}, status)
