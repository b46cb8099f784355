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
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any, Literal

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request

Style = Literal["b64", "url", "nothing", "bad-base64", "outside"]


_MOST_PICTURES = 16
_PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})


@dataclass
class Form:
    """One edit as it arrived: fields, and pictures as (file name, media type, bytes)."""

    fields: dict[str, str] = field(default_factory=dict)
    pictures: list[tuple[str, str, bytes]] = field(default_factory=list)


class OpenAIImagesServer(LoopbackPeer):
    """One key, any model. `bodies` are the JSON bodies of generations, oldest first; `forms` the edits; `edits` those raw."""

    def __init__(self, picture: bytes, *, media_type: str = "image/png") -> None:
        super().__init__()
        self.picture, self.media_type = picture, media_type
        self.key = "sk-" + secrets.token_hex(12)
        self.style: Style = "b64"
        self.paid = 0
        self.bodies: list[dict[str, Any]] = []
        self.edits: list[bytes] = []
        self.forms: list[Form] = []
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
            form = _form(request)
            if refused := _refused(form):
                return refused
            self.edits.append(request.body)
            self.forms.append(form)
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


def _form(request: Request) -> Form:
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body, policy=policy.HTTP)
    form = Form()
    for part in message.iter_parts() if message.is_multipart() else ():
        name = str(part.get_param("name", header="content-disposition"))
        content: Any = part.get_payload(decode=True)
        if name in {"image", "image[]"}:
            form.pictures.append((part.get_filename() or "", part.get_content_type(), content))
        else:
            form.fields[name] = content.decode()
    return form


def _refused(form: Form) -> Reply | None:
    """What the real endpoint refuses of an edit's form."""
    model = form.fields.get("model", "")
    fidelity = form.fields.get("input_fidelity")
    if not 1 <= len(form.pictures) <= _MOST_PICTURES:
        return _error(400, "invalid_value", f"Invalid 'image': expected 1 to 16 images, got {len(form.pictures)}.")
    if any(kind not in _PICTURE_TYPES for _, kind, _ in form.pictures):
        return _error(400, "unsupported_file_mimetype", "Invalid file 'image': unsupported mimetype.")
    if model.startswith("gpt-image") and "response_format" in form.fields:
        return _error(400, "unknown_parameter", "Unknown parameter: 'response_format'.")
    if fidelity and (not model.startswith("gpt-image-1") or (model.startswith("gpt-image-1-mini") and fidelity != "low")):
        return _error(400, "invalid_input_fidelity_model", "The model does not support the 'input_fidelity' parameter.")
    return None


def _error(status: int, code: str, message: str) -> Reply:
    return Reply.json({"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}}, status)
