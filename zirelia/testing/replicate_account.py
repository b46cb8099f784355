"""What Replicate's emulators have in common: one account with its token, faults on demand, the shape of models and problems.

    class Trainings(ReplicateAccount):
        def route(self, request): return "create", lambda: self.create(request)

    server.fail("create", status=429, headers={"Retry-After": "0"})    # the next creation only

Follows https://replicate.com/docs/reference/http. Knows neither predictions nor trainings.
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request

Place = TypeVar("Place", bound=str)
Route = tuple[str, Callable[[], Reply]]
"""The place of a request, by which faults are scripted, and what answers it."""


@dataclass(frozen=True)
class Fault:
    """One wrong answer. `after`: the request still takes effect, only its answer is lost or wrong."""

    reply: Reply
    after: bool = False


class ReplicateAccount(LoopbackPeer, Generic[Place]):
    """Answers by `route`; `public` are the places that need no token."""

    public: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.token = "r8_" + secrets.token_hex(8)
        self._faults: dict[str, deque[Fault]] = {}

    def route(self, request: Request) -> Route:
        raise NotImplementedError

    def fail(
        self,
        place: Place,
        *,
        status: int = 500,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        after: bool = False,
        silent: bool = False,
        times: int = 1,
        announced: int | None = None,
        media_type: str = "application/problem+json",
    ) -> None:
        """Scripts wrong answers for the next `times` requests at `place`; see `Fault` and `Reply`."""
        said = json.dumps({"title": "Fault", "detail": f"scripted {status}", "status": status}).encode()
        reply = Reply(status, said if body is None else body, media_type, headers or {}, announced, silent)
        self._faults.setdefault(place, deque()).extend([Fault(reply, after)] * times)

    def answer(self, request: Request) -> Reply:
        place, reply = self.route(request)
        if place not in self.public and request.headers.get("authorization") != f"Bearer {self.token}":
            return problem(401, "You did not pass a valid authentication token")
        waiting = self._faults.get(place)
        if not waiting:
            return reply()
        fault = waiting.popleft()
        if fault.after:
            reply()
        return fault.reply


def version_shape(identity: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": identity,
        "created_at": "2026-01-01T00:00:00Z",
        "cog_version": "0.16.0",
        "openapi_schema": dict(schema),
    }


def model_shape(model: str, visibility: str, version: dict[str, Any] | None, *, runs: int) -> dict[str, Any]:
    owner, name = model.split("/")
    return {
        "url": f"https://replicate.com/{model}",
        "owner": owner,
        "name": name,
        "description": None,
        "visibility": visibility,
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": runs,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": version,
    }


def missing() -> Reply:
    return problem(404, "The requested resource could not be found.")


def problem(status: int, detail: str) -> Reply:
    return Reply(
        status, json.dumps({"title": "Fault", "detail": detail, "status": status}).encode(), "application/problem+json"
    )
