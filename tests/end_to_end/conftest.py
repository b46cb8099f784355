"""The command line against real peers on loopback: a chat server that writes and sees, Replicate drawing mira, an .env."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zirelia.cli import run
from zirelia.pocket.drawing import render
from zirelia.pocket.world import CLOTHS, EXPRESSIONS, FRAMINGS, GARMENTS, HELD_OUT, LIGHTS, SCENES, WorldShot
from zirelia.testing.chat_server import ChatServer, Question, Reply, fills_schema
from zirelia.testing.http_peer import Request
from zirelia.testing.replicate_server import ReplicateServer

KEY = "sk-planted-4f9a1c77e0"
FOREIGN_KEY = "sk-ant-planted-77aa31"
SIDE = 256
# questions to which a picture that shows what it should is answered with yes; all others with no
_YES = re.compile(
    r"exactly one person|the person have \"|picture set|person wearing|light fit|expression fit|pose fit"
    r"|Is it a close-up|Is the person shown|Is the whole person|picture free of writing"
)


class Writer:
    """Plans, writes and directs in words that the pocket world knows, and sees what it should."""

    def __init__(self) -> None:
        self._posts = itertools.count(1)

    def __call__(self, question: Question) -> Reply:
        if question.images:
            asked = str(question.messages[-1]["content"])
            answer = "yes" if _YES.search(asked) else "no"
            return fills_schema(answer=answer, evidence="It can be seen.")(question)
        number = next(self._posts)
        return fills_schema(
            angle="The tram driver hums a song that nobody knows.",
            caption=f"Sketch {number}: the man on the tram hums, and the whole carriage pretends not to listen.",
            hashtags=["tram", "sketching"],
            outfit="red hoodie",
            expression="smiling",
            framing="half body",
        )(question)


class Drawer(ReplicateServer):
    """Replicate whose every picture shows mira as the prompt says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(b"", **options)

    def _create(self, request: Request, *, by_name: bool) -> Any:
        self.picture = drawn(request.json()["input"]["prompt"])
        return super()._create(request, by_name=by_name)


def drawn(prompt: str) -> bytes:
    def first(words: tuple[str, ...]) -> str:
        return next((word for word in words if word in prompt), words[0])

    shot = WorldShot(
        garment=first(GARMENTS), cloth=first(CLOTHS), expression=first(EXPRESSIONS), scene=first(SCENES),
        light=first(LIGHTS), framing=first(FRAMINGS), seed=5,
    )  # fmt: skip
    buffer = io.BytesIO()
    render(HELD_OUT["mira"], shot, SIDE).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Said:
    """What one command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer(Writer()) as server:
        yield server


@pytest.fixture
def replicate() -> Iterator[Drawer]:
    with Drawer() as server:
        yield server


@pytest.fixture
def write_env(home: Path) -> Callable[[Mapping[str, object]], None]:
    def write(names: Mapping[str, object]) -> None:
        (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))

    return write


@pytest.fixture
def env(chat: ChatServer, replicate: Drawer, write_env: Callable[[Mapping[str, object]], None]) -> dict[str, object]:
    """A deployment that is configured by .env alone; a test may change it and write it again."""
    names: dict[str, object] = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": chat.base_url,
        "ZIRELIA_CHAT_MODEL": "writer",
        "ZIRELIA_VISION_MODEL": "eyes",
        "REPLICATE_API_TOKEN": replicate.token,
        "REPLICATE_MODEL_VERSION": replicate.version,
        "REPLICATE_BASE_URL": replicate.url,
        "LORA_TRIGGER_WORD": "mirelo",
        "MIN_DAILY_POSTS": 1,
        "MAX_DAILY_POSTS": 3,
        "TIMEZONE": "Asia/Tokyo",
        "ANTHROPIC_API_KEY": FOREIGN_KEY,
        "ZIRELIA_EMBEDDINGS_BACKEND": "none",
        "ZIRELIA_IMAGE_WIDTH": SIDE,
        "ZIRELIA_IMAGE_HEIGHT": SIDE,
        "ZIRELIA_OFFLINE": 1,
    }
    write_env(names)
    return names


@pytest.fixture
def zirelia(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs one command in this process."""

    def call(*arguments: object) -> Said:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Said(code, *capfd.readouterr())

    return call
