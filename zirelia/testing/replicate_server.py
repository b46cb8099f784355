"""Replicate's HTTP API on loopback, for the genuine client: predictions, versions, cancel, files; with faults on demand.

    with ReplicateServer() as server:
        maker = ReplicateImageMaker(SecretStr(server.token), server.version, base_url=server.url)
        server.fail("create", status=429, headers={"Retry-After": "0"})    # the next creation only
        server.ending = "failed"                                           # how predictions end
        assert server.paid == 1                                            # predictions created = money

Follows https://replicate.com/docs/reference/http. It draws nothing: every output is `picture`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any, Literal

from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.replicate_account import ReplicateAccount, Route, missing, model_shape, problem, version_shape
from zirelia.testing.replicate_schemas import FLUX_SCHEMA

Place = Literal["create", "get", "list", "schema", "cancel", "upload", "uploads", "file"]
Ending = Literal["succeeded", "failed", "canceled", "never"]
Shape = Literal["list", "string", "mapping", "data", "nothing", "text", "outside"]


@dataclass
class _Prediction:
    body: dict[str, Any]
    looks: int = 0


class ReplicateServer(ReplicateAccount[Place]):
    """One account with one model.

    Args:
        picture: the bytes that every prediction gives.
        media_type: their type as the file server says it.
        looks: how often a prediction is looked at before it ends.
        official: whether the model is run by name; otherwise running it by name is a 404.
        schema: its inputs, see `replicate_schemas`; what they require is required.
        model: its name.
    """

    public = frozenset({"file"})

    def __init__(
        self,
        picture: bytes,
        *,
        media_type: str = "image/png",
        looks: int = 1,
        official: bool = False,
        schema: Mapping[str, Any] = FLUX_SCHEMA,
        model: str = "ada/mira",
    ) -> None:
        super().__init__()
        self.picture, self.media_type, self.looks, self.official = picture, media_type, looks, official
        self.schema = dict(schema)
        self.model = model
        self.version_id = secrets.token_hex(32)
        self.ending: Ending = "succeeded"
        self.shape: Shape = "list"
        self.error = "CUDA out of memory"
        self.uploads: list[bytes] = []
        self.file_life = timedelta(days=1)
        self._stored: list[dict[str, Any]] = []
        self._predictions: dict[str, _Prediction] = {}

    @property
    def version(self) -> str:
        return f"{self.model}:{self.version_id}"

    @property
    def paid(self) -> int:
        """How many predictions were created."""
        return len(self._predictions)

    @property
    def predictions(self) -> tuple[dict[str, Any], ...]:
        """What was created, oldest first, as the API would show it."""
        return tuple(entry.body for entry in self._predictions.values())

    def route(self, request: Request) -> Route:
        method, path = request.method, request.path
        if path.startswith("/files/"):
            return "file", lambda: Reply(200, self.picture, self.media_type)
        if (method, path) == ("POST", "/v1/predictions"):
            return "create", lambda: self._create(request, by_name=False)
        if (method, path) == ("GET", "/v1/predictions"):
            return "list", self._list
        if (method, path) == ("POST", f"/v1/models/{self.model}/predictions"):
            return "create", lambda: self._create(request, by_name=True)
        if (method, path) == ("POST", "/v1/files"):
            return "upload", lambda: self._upload(request)
        if (method, path) == ("GET", "/v1/files"):
            return "uploads", lambda: Reply.json({"next": None, "previous": None, "results": self._stored[::-1]})
        if method == "GET" and path in {
            f"/v1/models/{self.model}",
            f"/v1/models/{self.model}/versions/{self.version_id}",
        }:
            return "schema", lambda: self._model(path)
        if match := re.fullmatch(r"/v1/predictions/(\w+)(/cancel)?", path):
            known = self._predictions.get(match[1])
            if known is not None:
                return ("cancel", lambda: self._cancel(known)) if match[2] else ("get", lambda: self._look(known))
        return "get", missing

    def _create(self, request: Request, *, by_name: bool) -> Reply:
        if by_name and not self.official:
            return missing()
        body = request.json()
        if not by_name and body.get("version") != self.version_id:
            return problem(422, "Invalid version or not permitted")
        lacking = [name for name in self._required() if not body.get("input", {}).get(name)]
        if lacking:
            return problem(422, f"- input: {lacking[0]} is required")
        made = self.plant(body["input"])
        return Reply.json(made, 201)

    def plant(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """A prediction that exists without any request seen, such as one whose answer was lost. Counts as paid."""
        identity = secrets.token_hex(13)
        address = f"{self.url}/v1/predictions/{identity}"
        body: dict[str, Any] = {
            "id": identity,
            "model": self.model,
            "version": self.version_id,
            "input": dict(inputs),
            "logs": "",
            "output": None,
            "error": None,
            "status": "starting",
            "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "urls": {"get": address, "cancel": f"{address}/cancel"},
        }
        self._predictions[identity] = _Prediction(body)
        return body

    def _look(self, known: _Prediction) -> Reply:
        known.looks += 1
        if known.body["status"] in {"starting", "processing"}:
            known.body["status"] = "processing"
            known.body["logs"] = f" {50:3d}%|█████     | 14/28 [00:01<00:01,  9.9it/s]"
            if known.looks >= self.looks and self.ending != "never":
                self._end(known)
        return Reply.json(known.body)

    def _end(self, known: _Prediction) -> None:
        known.body["status"] = self.ending
        if self.ending == "succeeded":
            known.body["output"] = self._output(known.body["id"])
        if self.ending == "failed":
            known.body["error"] = self.error

    def _output(self, identity: str) -> Any:
        url = f"{self.url}/files/{identity}.png"
        inline = f"data:{self.media_type};base64,{base64.b64encode(self.picture).decode()}"
        shapes: dict[Shape, Any] = {
            "list": [url],
            "string": url,
            "mapping": {"image": url},
            "data": inline,
            "nothing": None,
            "text": "Error: the model crashed",
            "outside": "http://169.254.169.254/latest/meta-data/",
        }
        return shapes[self.shape]

    def _cancel(self, known: _Prediction) -> Reply:
        if known.body["status"] in {"starting", "processing"}:
            known.body["status"] = "canceled"
        return Reply.json(known.body)

    def _list(self) -> Reply:
        newest_first = [entry.body for entry in reversed(self._predictions.values())]
        return Reply.json({"next": None, "previous": None, "results": newest_first[:100]})

    def _required(self) -> list[str]:
        return list(self.schema["components"]["schemas"]["Input"]["required"])

    def _upload(self, request: Request) -> Reply:
        part = next(iter(_form(request)), None)
        if part is None:
            return problem(422, "content is required")
        content = part.get_payload(decode=True)
        self.uploads.append(content)
        identity, now = secrets.token_hex(8), datetime.now(UTC)
        stored = {
            "id": identity,
            "name": part.get_filename() or "",
            "content_type": part.get_content_type(),
            "size": len(content),
            "etag": identity,
            "checksums": {"sha256": hashlib.sha256(content).hexdigest()},
            "metadata": {},
            "created_at": now.isoformat(),
            "expires_at": (now + self.file_life).isoformat(),
            "urls": {"get": f"{self.url}/v1/files/{identity}"},
        }
        self._stored.append(stored)
        return Reply.json(stored, 201)

    def _model(self, path: str) -> Reply:
        version = version_shape(self.version_id, self.schema)
        if "/versions/" in path:
            return Reply.json(version)
        return Reply.json(model_shape(self.model, "private", version, runs=self.paid))


def _form(request: Request) -> list[Any]:
    """The parts of a form that have a file's name."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body, policy=policy.HTTP)
    return [part for part in message.iter_parts() if part.get_filename()] if message.is_multipart() else []
