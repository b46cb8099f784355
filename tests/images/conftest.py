"""A paid call that remembers, a progress that remembers, wishes, and the peers on loopback; handed out as fixtures."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

import zirelia.pocket
from zirelia.domain.lora import Lora
from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.domain.shotlist import Cell
from zirelia.images.edit_diffusers import DiffusersImageEditor
from zirelia.images.edit_openai import OpenAIImageEditor
from zirelia.images.edit_replicate import ReplicateImageEditor
from zirelia.images.flux import DiffusersImageMaker
from zirelia.images.hosted import Patience
from zirelia.images.openai import OpenAIImageMaker
from zirelia.images.profiles import PROFILES, Profile
from zirelia.images.replicate import ReplicateImageMaker
from zirelia.ports import Edit
from zirelia.resources import folder
from zirelia.testing.openai_images_server import OpenAIImagesServer
from zirelia.testing.replicate_schemas import KONTEXT_SCHEMA
from zirelia.testing.replicate_server import ReplicateServer
from zirelia.testing.tiny_pipelines import SIDE, save_tiny

WEIGHTS = Path(zirelia.pocket.__file__).parent / "weights"


@dataclass
class Call:
    """`ports.PaidCall` in memory."""

    external_id: str | None = None
    stored: list[str] = field(default_factory=list)

    def created(self, external_id: str) -> None:
        self.stored.append(external_id)
        self.external_id = external_id


@dataclass
class Told:
    """`ports.Progress` that remembers; raises `stop` once `after` words were heard."""

    words: list[tuple[float, str]] = field(default_factory=list)
    stop: Exception | None = None
    after: int = 0

    def __call__(self, fraction: float, note: str) -> None:
        self.words.append((fraction, note))
        if self.stop is not None and len(self.words) > self.after:
            raise self.stop


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def patience(self) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.now)


def wish(seed: int = 7, width: int = 128, height: int = 128, **changes: object) -> ImagePrompt:
    return ImagePrompt.model_validate(
        {"text": "zqmira woman in a cafe, smiling, red sweater", "seed": seed, "width": width, "height": height} | changes
    )


def picture(media: str = "PNG", size: tuple[int, int] = (96, 64)) -> bytes:
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, format=media)
    return buffer.getvalue()


@pytest.fixture
def call() -> Call:
    return Call()


@pytest.fixture
def new_call() -> type[Call]:
    return Call


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def new_told() -> type[Told]:
    return Told


@pytest.fixture
def still() -> FakeTime:
    return FakeTime()


@pytest.fixture(name="wish")
def _wish() -> Callable[..., ImagePrompt]:
    return wish


@pytest.fixture(name="picture")
def _picture() -> Callable[..., bytes]:
    return picture


@pytest.fixture
def server() -> Iterator[ReplicateServer]:
    with ReplicateServer(picture()) as peer:
        yield peer


@pytest.fixture
def openai_server() -> Iterator[OpenAIImagesServer]:
    with OpenAIImagesServer(picture()) as peer:
        yield peer


@pytest.fixture
def replicate_maker(server: ReplicateServer, still: FakeTime) -> Callable[..., ReplicateImageMaker]:
    def make(version: str | None = None, **options: Any) -> ReplicateImageMaker:
        settings: dict[str, Any] = {"base_url": server.url, "price_per_image": 0.03, "retry_base": 0.0, "timeout": 60.0}
        return ReplicateImageMaker(
            SecretStr(server.token), version or server.version, patience=still.patience(), **settings | options
        )

    return make


@pytest.fixture
def openai_maker(openai_server: OpenAIImagesServer) -> Callable[..., OpenAIImageMaker]:
    def make(model: str = "gpt-image-2", **options: Any) -> OpenAIImageMaker:
        settings: dict[str, Any] = {
            "base_url": openai_server.base_url,
            "price_per_image": 0.04,
            "retry_base": 0.0,
            "timeout": 20.0,
        }
        return OpenAIImageMaker(SecretStr(openai_server.key), model, **settings | options)

    return make


@pytest.fixture
def pocket() -> DiffusersImageMaker:
    return DiffusersImageMaker(WEIGHTS / "base", replace(PROFILES["pocket"], steps=4), name="pocket")


@pytest.fixture
def mira() -> Lora:
    path = folder("persona") / "mira" / "lora" / "mira.safetensors"
    return Lora(
        path=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        trigger="zqmira",
        base_model="pocket",
        rank=16,
    )


SHOT = Shot(scene="cafe", outfit="red sweater", expression="smiling", framing=Framing.HALF_BODY, light="daylight")
TINY = Profile(device="cpu", dtype="fp32", steps=2, width=SIDE, height=SIDE, max_sequence_length=32)


def photo(shade: int = 90, size: tuple[int, int] = (96, 80), media: str = "PNG") -> bytes:
    """A picture that differs from another by its `shade` (0-255)."""
    image = Image.radial_gradient("L").resize(size).point(lambda value: (value + shade) % 256).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, format=media)
    return buffer.getvalue()


def edit_of(*references: bytes, size: tuple[int, int] = (SIDE, SIDE), **changes: object) -> Edit:
    prompt = wish(width=size[0], height=size[1], text="the same woman in a cafe, smiling", shot=SHOT, **changes)
    return Edit(prompt=prompt, cell=Cell(id="half-01", shot=SHOT), references=references)


@pytest.fixture(name="photo")
def _photo() -> Callable[..., bytes]:
    return photo


@pytest.fixture(name="edit_of")
def _edit_of() -> Callable[..., Edit]:
    return edit_of


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny pipeline of the named class on disk, built once."""
    made: dict[str, Path] = {}

    def folder_of(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_tiny(kind, tmp_path_factory.mktemp("tiny") / kind)
        return made[kind]

    return folder_of


@pytest.fixture
def kontext(tiny_folder: Callable[[str], Path]) -> DiffusersImageEditor:
    return DiffusersImageEditor(tiny_folder("FluxKontext"), TINY, name="tiny-kontext")


@pytest.fixture
def kontext_server() -> Iterator[ReplicateServer]:
    with ReplicateServer(picture(), schema=KONTEXT_SCHEMA, model="black-forest-labs/flux-kontext-pro", official=True) as peer:
        yield peer


@pytest.fixture
def replicate_editor(still: FakeTime) -> Callable[..., ReplicateImageEditor]:
    def make(peer: ReplicateServer, **options: Any) -> ReplicateImageEditor:
        settings: dict[str, Any] = {"base_url": peer.url, "price_per_image": 0.04, "retry_base": 0.0, "timeout": 60.0}
        return ReplicateImageEditor(SecretStr(peer.token), peer.model, patience=still.patience(), **settings | options)

    return make


@pytest.fixture
def openai_editor(openai_server: OpenAIImagesServer) -> Callable[..., OpenAIImageEditor]:
    def make(model: str = "gpt-image-2", **options: Any) -> OpenAIImageEditor:
        settings: dict[str, Any] = {
            "base_url": openai_server.base_url,
            "price_per_image": 0.08,
            "retry_base": 0.0,
            "timeout": 20.0,
        }
        return OpenAIImageEditor(SecretStr(openai_server.key), model, **settings | options)

    return make
