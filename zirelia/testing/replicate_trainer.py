"""Replicate's trainings on loopback, for the genuine client: models, versions, files, trainings; with faults on demand.

    with ReplicateTrainingServer(weights) as server:
        trainer = ReplicateTrainer(SecretStr(server.token), server.trainer, "ada/mira", plan, base_url=server.url)
        server.fail("create", silent=True, after=True)       # the training is made, the answer is lost
        server.ending = "failed"                             # how trainings end
        assert server.paid == 1                              # trainings created = money

Follows https://replicate.com/docs/reference/http. It trains nothing: every training leaves `weights`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.replicate_account import ReplicateAccount, Route, missing, model_shape, problem, version_shape

Place = Literal["create", "get", "list", "version", "model", "make", "cancel", "upload", "file", "weights"]
Ending = Literal["succeeded", "failed", "canceled", "never"]

FLUX_TRAINING_SCHEMA: dict[str, Any] = {
    "openapi": "3.0.2",
    "info": {"title": "Cog", "version": "0.1.0"},
    "paths": {},
    "components": {
        "schemas": {
            "Input": {"type": "object", "title": "Input", "properties": {"prompt": {"type": "string"}}},
            "TrainingInput": {
                "type": "object",
                "title": "TrainingInput",
                "properties": {
                    "input_images": {"type": "string", "format": "uri", "x-order": 0},
                    "trigger_word": {"type": "string", "default": "TOK"},
                    "autocaption": {"type": "boolean", "default": True},
                    "steps": {"type": "integer", "minimum": 3, "maximum": 6000, "default": 1000},
                    "learning_rate": {"type": "number", "default": 0.0004},
                    "batch_size": {"type": "integer", "default": 1},
                    "resolution": {"type": "string", "default": "512,768,1024"},
                    "lora_rank": {"type": "integer", "minimum": 1, "maximum": 128, "default": 16},
                    "caption_dropout_rate": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.05},
                    "optimizer": {"type": "string", "default": "adamw8bit"},
                    "hf_repo_id": {"type": "string"},
                    "hf_token": {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True},
                    "wandb_api_key": {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True},
                },
            },
        }
    },
}
"""The training inputs of ostris/flux-dev-lora-trainer."""

_PAGE = 3


class ReplicateTrainingServer(ReplicateAccount[Place]):
    """One account with one trainer in the public catalogue and no model of its own yet.

    Args:
        weights: the bytes that a finished training leaves.
        media_type: their type as the file server says it.
        looks: how often a training is looked at before it ends.
    """

    public = frozenset({"weights"})

    def __init__(
        self,
        weights: bytes,
        *,
        media_type: str = "application/x-tar",
        looks: int = 2,
        schema: Mapping[str, Any] = FLUX_TRAINING_SCHEMA,
    ) -> None:
        super().__init__()
        self.weights, self.media_type, self.looks, self.schema = weights, media_type, looks, dict(schema)
        self.trainer_model, self.version_id = "ostris/flux-dev-lora-trainer", secrets.token_hex(32)
        self.ending: Ending = "succeeded"
        self.error = "CUDA out of memory"
        self.seconds = 502.713876
        self.output: Any = None
        self.models: dict[str, str] = {}
        self.uploads: dict[str, bytes] = {}
        self._trainings: dict[str, dict[str, Any]] = {}
        self._looked: dict[str, int] = {}

    @property
    def trainer(self) -> str:
        return f"{self.trainer_model}:{self.version_id}"

    @property
    def paid(self) -> int:
        """How many trainings were created."""
        return len(self._trainings)

    @property
    def trainings(self) -> tuple[dict[str, Any], ...]:
        """What was created, oldest first, as the API would show it."""
        return tuple(self._trainings.values())

    def route(self, request: Request) -> Route:
        method, path = request.method, request.path
        trainer = f"/v1/models/{self.trainer_model}"
        fixed: dict[tuple[str, str], Route] = {
            ("GET", "/weights.tar"): ("weights", lambda: Reply(200, self.weights, self.media_type)),
            ("POST", f"{trainer}/versions/{self.version_id}/trainings"): ("create", lambda: self._create(request)),
            ("GET", f"{trainer}/versions/{self.version_id}"): ("version", lambda: Reply.json(self._version())),
            ("GET", trainer): ("version", lambda: Reply.json(self._model(self.trainer_model, "public", self._version()))),
            ("POST", "/v1/models"): ("make", lambda: self._make(request)),
            ("POST", "/v1/files"): ("upload", lambda: self._upload(request)),
            ("GET", "/v1/trainings"): ("list", lambda: self._list(0)),
        }
        return fixed.get((method, path)) or self._by_id(method, path)

    def _by_id(self, method: str, path: str) -> Route:
        if match := re.fullmatch(r"/v1/trainings/(\w+)(/cancel)?", path):
            known = self._trainings.get(match[1])
            if known is not None:
                return ("cancel", lambda: self._cancel(known)) if match[2] else ("get", lambda: self._look(known))
        if match := re.fullmatch(r"/v1/trainings-page/(\d+)", path):
            place = int(match[1])
            return "list", lambda: self._list(place)
        if match := re.fullmatch(r"/v1/files/(\w+)", path):
            identity = match[1]
            return "file", lambda: self._file(identity)
        if method == "GET" and (match := re.fullmatch(r"/v1/models/([\w.-]+/[\w.-]+)", path)):
            name = match[1]
            if name in self.models:
                return "model", lambda: Reply.json(self._model(name, self.models[name], None))
            return "model", missing
        return "get", missing

    def _create(self, request: Request) -> Reply:
        body = request.json()
        if body.get("destination") not in self.models:
            return problem(404, "The destination does not exist")
        if not body.get("input", {}).get("input_images"):
            return problem(422, "- input: input_images is required")
        return Reply.json(self.plant(body["input"], body["destination"]), 201)

    def plant(self, inputs: Mapping[str, Any], destination: str, *, age: timedelta = timedelta()) -> dict[str, Any]:
        """A training that exists without any request seen, such as one whose answer was lost. Counts as paid."""
        identity = secrets.token_hex(13)
        address = f"{self.url}/v1/trainings/{identity}"
        body: dict[str, Any] = {
            "id": identity,
            "model": self.trainer_model,
            "version": self.version_id,
            "destination": destination,
            "input": dict(inputs),
            "logs": "",
            "output": None,
            "error": None,
            "status": "starting",
            "source": "api",
            "created_at": _stamp(datetime.now(UTC) - age),
            "started_at": None,
            "completed_at": None,
            "urls": {"get": address, "cancel": f"{address}/cancel"},
        }
        self._trainings[identity] = body
        return body

    def _look(self, known: dict[str, Any]) -> Reply:
        looked = self._looked[known["id"]] = self._looked.get(known["id"], 0) + 1
        if known["status"] in {"starting", "processing"}:
            steps = known["input"].get("steps", 1000)
            done = min(steps, steps * looked // max(1, self.looks))
            known["status"] = "processing"
            known["logs"] += (
                "Downloading weights: 100%|██████████| 24/24 [00:20<00:00]\n"
                f"flux_train_replicate:  {100 * done // max(1, steps)}%|████      | {done}/{steps} "
                "[05:11<06:20,  1.45it/s, lr: 4.0e-04 loss: 3.215e-01]\r"
            )
            if looked >= self.looks and self.ending != "never":
                self._end(known)
        return Reply.json(known)

    def _end(self, known: dict[str, Any]) -> None:
        ended = datetime.now(UTC)
        known |= {
            "status": self.ending,
            "started_at": _stamp(ended - timedelta(seconds=self.seconds)),
            "completed_at": _stamp(ended),
            "metrics": {"predict_time": self.seconds, "total_time": self.seconds + 60},
        }
        if self.ending == "succeeded":
            version = f"{known['destination']}:{secrets.token_hex(32)}"
            known["output"] = self.output or {"version": version, "weights": f"{self.url}/weights.tar"}
        if self.ending == "failed":
            known["error"] = self.error
            known["logs"] += "\nTraceback (most recent call last):\ntorch.OutOfMemoryError: no memory left\n"

    def _cancel(self, known: dict[str, Any]) -> Reply:
        if known["status"] in {"starting", "processing"}:
            known["status"] = "canceled"
        return Reply.json(known)

    def _list(self, place: int) -> Reply:
        newest_first = list(reversed(self._trainings.values()))
        after = place + _PAGE
        more = f"{self.url}/v1/trainings-page/{after}" if after < len(newest_first) else None
        return Reply.json({"next": more, "previous": None, "results": newest_first[place:after]})

    def _make(self, request: Request) -> Reply:
        body = request.json()
        name = f"{body['owner']}/{body['name']}"
        if name in self.models:
            return problem(409, "A model with that name and owner already exists")
        self.models[name] = body["visibility"]
        return Reply.json(self._model(name, body["visibility"], None), 201)

    def _upload(self, request: Request) -> Reply:
        identity = secrets.token_hex(8)
        self.uploads[identity] = request.body
        return Reply.json(self._stored(identity), 201)

    def _file(self, identity: str) -> Reply:
        return Reply.json(self._stored(identity)) if identity in self.uploads else missing()

    def _stored(self, identity: str) -> dict[str, Any]:
        return {
            "id": identity,
            "name": "dataset.zip",
            "content_type": "application/zip",
            "size": len(self.uploads[identity]),
            "etag": identity,
            "checksums": {},
            "metadata": {},
            "created_at": _stamp(datetime.now(UTC)),
            "expires_at": None,
            "urls": {"get": f"{self.url}/v1/files/{identity}"},
        }

    def _version(self) -> dict[str, Any]:
        return version_shape(self.version_id, self.schema)

    def _model(self, model: str, visibility: str, version: dict[str, Any] | None) -> dict[str, Any]:
        return model_shape(model, visibility, version, runs=self.paid)


def _stamp(moment: datetime) -> str:
    """Nanoseconds, as the API writes them."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
