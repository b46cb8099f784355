"""What the emulated vision providers share: a script of turns, and the questions that came in, whatever protocol they came in.

    with AnthropicServer() as server:                          # fills any schema with valid values
        server.script(fails(529, "Overloaded"), says("no JSON"))
        chat = open_chat("anthropic:claude-test", api_key="k", vision=True, provider_url=server.url)
        server.asked[-1].images[0]                             # the bytes of the picture

Knows no protocol: `AnthropicServer` and `GeminiServer` translate.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from zirelia.testing.http_peer import LoopbackPeer, Reply, Request
from zirelia.testing.schema_filler import schema_filler

_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_ERROR = 400


@dataclass(frozen=True)
class PeerQuestion:
    """One question as it came in. schema: the form that was demanded, if any. tool: its name, where it is a tool's."""

    system: str
    text: str
    images: tuple[bytes, ...]
    schema: dict[str, Any] | None
    tool: str | None
    max_tokens: int
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Turn:
    """What the server does with one question.

    text: what it says; a function is given the question; None fills the schema with `values`. finish: why it stops.
    status, message, retry_after: an HTTP error instead, from 400. wait: seconds before it answers. silent: the line is cut.
    """

    text: str | Callable[[PeerQuestion], str] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    finish: Literal["end", "length", "refusal"] = "end"
    status: int = 200
    message: str = ""
    retry_after: float | None = None
    wait: float = 0.0
    silent: bool = False

    def said(self, question: PeerQuestion) -> str:
        if callable(self.text):
            return self.text(question)
        if self.text is not None:
            return self.text
        return json.dumps(schema_filler(question.schema, self.values)) if question.schema else "Hello."


def says(text: str | Callable[[PeerQuestion], str]) -> Turn:
    return Turn(text=text)


def fills(**values: Any) -> Turn:
    return Turn(values=values)


def cut_short(text: str = '{"answer": "n') -> Turn:
    """Stopped at the token limit."""
    return Turn(text=text, finish="length")


def declines() -> Turn:
    """The provider's own safety rules took the answer away."""
    return Turn(text="", finish="refusal")


def fails(status: int, message: str = "The server had an error", retry_after: float | None = None) -> Turn:
    return Turn(status=status, message=message, retry_after=retry_after)


def slow(seconds: float) -> Turn:
    """Answers late; closing the server ends the wait."""
    return Turn(wait=seconds)


def hangs_up() -> Turn:
    return Turn(silent=True)


class BadRequest(ValueError):
    """The question breaks the protocol; the server answers 400 with these words."""


class ProviderPeer(LoopbackPeer):
    """A provider's server for one `with` block. `asked` are all questions that it understood.

    Args:
        default: what it does when the script is used up. key: demanded of everybody; None takes any.
    """

    def __init__(self, default: Turn | None = None, *, key: str | None = None) -> None:
        super().__init__()
        self.asked: list[PeerQuestion] = []
        self._default, self._key = default or Turn(), key
        self._script: deque[Turn] = deque()
        self._closing = threading.Event()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        super().__exit__(kind, error, trace)

    def script(self, *turns: Turn) -> None:
        """Appends what the next questions get, one each."""
        with self.lock:
            self._script.extend(turns)

    def answer(self, request: Request) -> Reply:
        try:
            question = self.read(request)
        except BadRequest as error:
            return self.failure(400, str(error), None)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            return self.failure(400, f"malformed request: {type(error).__name__}", None)
        if self._key is not None and question.key != self._key:
            return self.failure(401, f"the key {question.key} is not valid", None)
        self.asked.append(question)
        turn = self._script.popleft() if self._script else self._default
        if turn.wait:
            self._closing.wait(turn.wait)
        if turn.silent:
            return Reply(silent=True)
        if turn.status >= _ERROR:
            return self.failure(turn.status, turn.message, turn.retry_after)
        return self.told(question, turn)

    @abstractmethod
    def read(self, request: Request) -> PeerQuestion:
        """Raises BadRequest for what the real server would refuse."""

    @abstractmethod
    def told(self, question: PeerQuestion, turn: Turn) -> Reply:
        """The answer in the provider's own form."""

    @abstractmethod
    def failure(self, status: int, message: str, retry_after: float | None) -> Reply:
        """The error in the provider's own form."""


def picture_in(media_type: str, encoded: str) -> bytes:
    """The bytes of a picture that was sent as base64. Raises BadRequest when they are not what they claim to be."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("a picture is not base64") from error
    if media_type not in _MAGIC or not data.startswith(_MAGIC[media_type]):
        raise BadRequest(f"a picture is not {media_type}")
    return data


def tokens_in(question: PeerQuestion) -> int:
    """A count of the text alone, about four letters a token."""
    return (len(question.system) + len(question.text)) // 4 + 1
