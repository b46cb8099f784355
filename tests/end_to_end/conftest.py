"""The command line against real peers on loopback: a chat server that writes and sees, Replicate drawing mira, an .env.

And one turn through `produce` with whatever instruments a test puts on the panel.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zirelia.channels.folder import FolderChannel
from zirelia.cli import run
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.cadence import Slot
from zirelia.domain.persona import Kind
from zirelia.domain.post import Post
from zirelia.domain.shot import ImagePrompt, ShotVocabulary
from zirelia.domain.verdict import Criterion, Finding, Rubric
from zirelia.language import LangChainChat, open_chat
from zirelia.pictures import load_picture
from zirelia.pocket.drawing import render
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.pocket.world import CLOTHS, EXPRESSIONS, FRAMINGS, GARMENTS, HELD_OUT, LIGHTS, SCENES, WorldShot
from zirelia.ports import Exhibit, Instrument, MadeImage
from zirelia.provenance.sealer import JpegSealer
from zirelia.settings import Settings
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher, instruments
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.chat_server import ChatServer, Question, Reply, completion, fills_schema
from zirelia.testing.http_peer import Request
from zirelia.testing.images import FakeImageMaker
from zirelia.testing.replicate_server import ReplicateServer
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.produce import produce

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
            quote="",
        )(question)


class Drawer(ReplicateServer):
    """Replicate whose every picture shows mira as the prompt says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(b"", **options)

    def _create(self, request: Request, *, by_name: bool) -> Any:
        self.picture = drawn(request.json()["input"]["prompt"])
        return super()._create(request, by_name=by_name)


@functools.cache
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


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENTS = functools.cache(lambda: {name: load_agent(name) for name in agent_names()})
PHOTOGRAPHS = Path(__file__).parents[1] / "critic" / "photographs"


class Showing(FakeImageMaker):
    """Makes whatever `show` gives for the prompt: encoded bytes, a picture for each call."""

    def __init__(
        self, show: Callable[[str], bytes], *, vocabulary: ShotVocabulary | None = None, size: tuple[int, int] = (SIDE, SIDE)
    ) -> None:
        super().__init__(vocabulary=vocabulary, size=size)
        self._show = show

    def make(self, prompt: ImagePrompt, **options: Any) -> MadeImage:
        data = self._show(prompt.text)
        media_type = "image/jpeg" if data.startswith(b"\xff\xd8") else "image/png"
        return replace(super().make(prompt, **options), data=data, media_type=media_type)


class Remembering:
    """A real instrument that looks at the same picture once only."""

    def __init__(self, real: Instrument, kept: dict[tuple[str, bytes], Sequence[Finding]]) -> None:
        self.name, self.criteria, self._real, self._kept = real.name, real.criteria, real, kept

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        key = (self.name, exhibit.image.tobytes())
        if key not in self._kept:
            self._kept[key] = self._real.examine(exhibit)
        return self._kept[key]


@pytest.fixture(scope="session")
def real() -> Callable[[Kind], dict[str, Instrument]]:
    """The offline instruments of one kind of persona, as the studio builds them; built once."""
    built: dict[Kind, dict[str, Instrument]] = {}

    def of(kind: Kind) -> dict[str, Instrument]:
        if kind not in built:
            kept: dict[tuple[str, bytes], Sequence[Finding]] = {}
            offline = instruments.offline(Settings(), kind)
            built[kind] = {one.name: Remembering(one, kept) for one in offline}
        return built[kind]

    return of


@pytest.fixture(scope="session")
def mira() -> Subject:
    loaded = load_persona("mira")
    # of the brief, the encoder cannot read every expression
    must = frozenset(Criterion) - {Criterion.BRIEF, Criterion.ANATOMY}
    persona = loaded.persona.model_copy(update={"rubric": Rubric(must_check=must)})
    return Subject(persona=persona, lora=None, references=tuple(map(load_picture, loaded.reference_paths())))


@pytest.fixture(scope="session")
def collins(mira: Subject) -> Subject:
    """A photographic persona whose reference is a photograph in the public domain."""
    changes = {"name": "ada", "kind": Kind.PHOTOGRAPHIC, "lora": None}
    must = frozenset(Criterion) - {Criterion.BRIEF, Criterion.ANATOMY, Criterion.LOOK}
    persona = mira.persona.model_copy(update=changes | {"rubric": Rubric(must_check=must)})
    return Subject(persona=persona, lora=None, references=(load_picture(PHOTOGRAPHS / "collins.jpg"),))


Turn = Callable[..., tuple[Post, Path]]


@pytest.fixture
def turn(tmp_path: Path, mira: Subject) -> Turn:
    """turn(panel, show=..., subject=..., **kit): one post through `produce`, one attempt unless told; the post, and the home
    that it was stored in.
    """
    homes = itertools.count(1)

    def run_turn(
        panel: Sequence[Instrument] | CriticPanel,
        *,
        show: Callable[[str], bytes] = drawn,
        size: tuple[int, int] = (SIDE, SIDE),
        subject: Subject = mira,
        **changes: Any,
    ) -> tuple[Post, Path]:
        home = tmp_path / f"home-{next(homes)}"
        media = MediaStore(home / "media")
        chat = ScriptedChat({"outfit": "red blazer", "framing": "half body"})
        vocabulary = shot_vocabulary() if subject.persona.kind is Kind.ILLUSTRATED else None
        with SqlStore(home / "zirelia.db", media) as store:
            parts: dict[str, Any] = {
                "store": store,
                "media": media,
                "chat": chat,
                "images": Showing(show, vocabulary=vocabulary, size=size),
                "panel": panel if isinstance(panel, CriticPanel) else CriticPanel(panel, time_limit=30.0),
                "channels": {"folder": FolderChannel(home / "outbox")},
                "sealer": JpegSealer(),
                "agents": AGENTS(),
                "now": lambda: NOW,
                "watcher": SilentWatcher(),
                "attempts": 1,
            }
            slot = Slot(persona=subject.persona.name, day=NOW.date(), window="evening", at=NOW)
            return produce(Kit(**parts | changes), subject, slot), home

    return run_turn


def questions_in(asked: Question) -> list[str]:
    """What a critic's call asks, in its order; nothing for another role's."""
    block = re.search(r"<(questions?)>\n(.*?)\n</\1>", asked.text, re.S)
    lines = block[2].split("\n") if block else []
    return [re.sub(r"^\d+\. ", "", line) for line in lines]


def sees(answer: Callable[[str], str] | None = None, evidence: str = "It is plain to see.") -> Callable[[Question], Reply]:
    """Eyes that answer each question as told; without being told, as befits a good picture."""
    tell = answer or (lambda text: "yes" if _YES.search(text) else "no")

    def reply(asked: Question) -> Reply:
        texts = questions_in(asked)
        if not texts:
            return fills_schema(alt_text="A woman stands on a beach in daylight.")(asked)
        if "<questions>" not in asked.text:
            return completion(asked, json.dumps({"answer": tell(texts[0]), "evidence": evidence}))
        said = [{"number": n, "answer": tell(text), "evidence": evidence} for n, text in enumerate(texts, start=1)]
        return completion(asked, json.dumps({"answers": said}))

    return reply


@pytest.fixture
def eyes() -> Iterator[Callable[..., tuple[ChatServer, LangChainChat]]]:
    """eyes(behaviour, **options): a vision model on loopback and the real client for it."""
    opened: list[tuple[ChatServer, LangChainChat]] = []

    def open_eyes(behaviour: Callable[[Question], Reply], **options: Any) -> tuple[ChatServer, LangChainChat]:
        server = ChatServer(behaviour)
        settings = {"vision": True, "timeout": 20.0, "backoff": 0.0, "attempts": 1, "max_asks": 1}
        chat = open_chat("eyes", base_url=server.base_url, **{**settings, **options})
        opened.append((server, chat))
        return server, chat

    yield open_eyes
    for server, chat in opened:
        server.close()
        chat.close()


@pytest.fixture(name="sees")
def _sees() -> Callable[..., Callable[[Question], Reply]]:
    return sees


@pytest.fixture(name="questions_in")
def _questions_in() -> Callable[[Question], list[str]]:
    return questions_in


@pytest.fixture(name="drawn")
def _drawn() -> Callable[[str], bytes]:
    return drawn
