"""What the emulated social platforms share: one account with its token, a clock of its own, faults on demand, pictures checked.

    class Platform(SocialPeer):
        def route(self, request): return "publish", lambda: self._publish(request)

    platform.fail("publish", after=True, silent=True)           # the next one takes effect, and its answer is lost
    platform.fail("publish", status=500, times=2)               # the next two do not
    platform.ahead = timedelta(minutes=10)                      # its clock

Knows no platform's protocol.
"""

from __future__ import annotations

import io
import secrets
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qsl

from PIL import Image, UnidentifiedImageError

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request

Route = tuple[str, Callable[[], Reply]]
"""The place of a request, by which faults are scripted, and what answers it."""


@dataclass(frozen=True)
class _Fault:
    reply: Reply
    after: bool


class SocialPeer(LoopbackPeer):
    """One account.

    Args:
        now: the true time; `ahead` is added to it.
    """

    def __init__(self, *, now: Callable[[], datetime] | None = None) -> None:
        super().__init__()
        self.token = "EAAB" + secrets.token_hex(12)
        self.ahead = timedelta()
        self._now = now or (lambda: datetime.now(UTC))
        self.clock = self.time
        self._faults: dict[str, deque[_Fault]] = {}
        self._numbers = 17_900_000_000_000_000

    def time(self) -> datetime:
        """By its own clock."""
        return self._now() + self.ahead

    def number(self) -> str:
        """A new id."""
        self._numbers += 1
        return str(self._numbers)

    @property
    @abstractmethod
    def published(self) -> tuple[dict[str, Any], ...]:
        """Everything that is out, oldest first."""

    @abstractmethod
    def route(self, request: Request) -> Route: ...

    @abstractmethod
    def refused(self, token: str) -> Reply:
        """What a token is told that is not taken."""

    def fail(
        self,
        place: str,
        *,
        status: int = 500,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        after: bool = False,
        silent: bool = False,
        wait: float = 0.0,
        times: int = 1,
    ) -> None:
        """Scripts wrong answers for the next `times` requests at `place`.

        Args:
            body: JSON. after: the request takes effect all the same. silent: the line is cut without an answer.
            wait: seconds of silence before that.
        """
        if silent or wait:
            reply = Reply(silent=True, wait=wait)
        else:
            reply = Reply.json({"detail": f"scripted {status}"} if body is None else body, status, headers)
        fault = _Fault(reply, after)
        self._faults.setdefault(place, deque()).extend([fault] * times)

    def forgive(self) -> None:
        """Takes back every fault that was scripted and has not come yet."""
        self._faults.clear()

    def answer(self, request: Request) -> Reply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if "access_token" in request.query or token != self.token:
            return self.refused(token)
        return self.served(*self.route(request))

    def served(self, place: str, reply: Callable[[], Reply]) -> Reply:
        """The answer, or the fault that is scripted for that place."""
        waiting = self._faults.get(place)
        if not waiting:
            return reply()
        fault = waiting.popleft()
        if fault.after:
            reply()
        return fault.reply


def form_of(request: Request) -> tuple[dict[str, str], dict[str, bytes]]:
    """The fields and the files of a form, in either encoding."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(request.body.decode(), keep_blank_values=True)), {}
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body, policy=policy.HTTP)
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        if part.get_filename():
            files[name] = content
        else:
            fields[name] = content.decode()
    return fields, files


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG that can be decoded as a whole; None for anything else."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.size if image.format == "JPEG" else None
    except (UnidentifiedImageError, OSError, ValueError):
        return None
