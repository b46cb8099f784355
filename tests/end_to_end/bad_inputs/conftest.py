"""A desk with what somebody brings, and what must hold for every bad input, whatever it is.

    judged(lambda desk: [*desk.build, "--from", desk.put("photo.jpg", b"")], 9, ["photo.jpg is empty", "export it again"])

The command runs in this process with the embedded backends, on a persona pack of its own. Every answer is a few lines without a
traceback and without anything that drives a terminal; nothing half-written stays, and what was brought is as it was.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zirelia.pocket import characters
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot

MOST_LINES = 8
LONGEST_LINE = 500
_PLACE = re.compile(r"\.yaml:\d+: ")
_SHOT = {
    "garment": "t-shirt",
    "cloth": "red",
    "expression": "smiling",
    "scene": "studio",
    "light": "daylight",
    "framing": "close-up",
}
_CELLS = """\
name: three
most_of_one: 1
cells:
  - {id: a, framing: close-up, expression: smiling, light: daylight, scene: park, outfit: red hoodie}
  - {id: b, framing: half body, expression: serious, light: night, scene: cafe, outfit: blue t-shirt}
  - {id: c, framing: close-up, expression: laughing, light: golden hour, scene: beach, outfit: white sweater}
"""
SHOTS = (
    {"scene": "park", "cloth": "blue", "garment": "hoodie"},
    {"scene": "cafe", "cloth": "green", "expression": "serious", "framing": "half body"},
    {"scene": "beach", "cloth": "white", "garment": "sweater", "light": "golden hour"},
    {"scene": "library", "cloth": "black", "garment": "blazer", "expression": "laughing"},
    {"scene": "gym", "cloth": "yellow", "garment": "tank top", "light": "night", "framing": "half body"},
)


@dataclass
class Desk:
    """What somebody has: a pack of the pocket character luna, and files of theirs under `given`."""

    home: Path
    zirelia: Callable[..., Any]
    finished: Callable[[Desk, str], None]
    monkeypatch: pytest.MonkeyPatch
    held: ExitStack

    @property
    def given(self) -> Path:
        return self.home / "given"

    @property
    def pack(self) -> Path:
        return self.home / "persona" / "luna"

    @property
    def dataset(self) -> Path:
        return self.pack / "dataset"

    @property
    def run(self) -> Path:
        return self.home / "home" / "training" / "luna" / "luna.run"

    @property
    def build(self) -> list[object]:
        """The shortest build; what it is made from is to be added."""
        shots = self.put("three.yaml", _CELLS)
        return ["dataset", "build", "luna", "--shots", shots, "--factor", 1, "--rounds", 1, "--unseen", 0]

    @property
    def train(self) -> list[object]:
        """The shortest training of a finished dataset."""
        self.finished(self, "dataset")
        return ["train", "luna", "--steps", 1, "--resolution", 32]

    def trained(self) -> None:
        """The dataset is there and its training is over."""
        self.finished(self, "training")

    def put(self, name: str, said: bytes | str) -> Path:
        path = self.given / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(said.encode() if isinstance(said, str) else said)
        return path

    def drawn(self, who: str = "luna", size: int = 256, people: int = 1, seed: int = 5, **shot: Any) -> Image.Image:
        return render(HELD_OUT[who], WorldShot(**_SHOT | shot, seed=seed), size, people=people)

    def encoded(self, image: Image.Image | None = None, form: str = "PNG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        (image or self.drawn()).save(buffer, form, **options)
        return buffer.getvalue()

    def photo(self, name: str = "photo.png", image: Image.Image | None = None, form: str = "PNG", **options: Any) -> Path:
        return self.put(name, self.encoded(image, form, **options))

    def pictures(self, count: int = 5, folder: str = "pics") -> Path:
        """A folder with that many different pictures of luna, at most five."""
        for number, shot in enumerate(SHOTS[:count]):
            self.photo(f"{folder}/{number}.png", self.drawn(seed=number, **shot))
        return self.given / folder

    def say(self, old: str, new: str, persona: str = "luna") -> None:
        """Changes persona.yaml."""
        path = self.home / "persona" / persona / "persona.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def setting(self, **names: object) -> None:
        (self.home / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))

    def lora(self, tensors: Mapping[str, Any] | None = None, name: str = "friend.safetensors", **metadata: str) -> Path:
        """A LoRA of one layer, which no base here has."""
        from safetensors.numpy import save

        pair = {"transformer.a.lora_A.weight": np.ones((2, 4), "f4"), "transformer.a.lora_B.weight": np.ones((4, 2), "f4")}
        said = {key.replace("__", "."): value for key, value in metadata.items()}
        return self.put(name, save(dict(tensors or pair), metadata=said or None))

    def good_lora(self) -> bytes:
        """The LoRA that ships with mira."""
        from zirelia import resources

        return (resources.folder("persona") / "mira" / "lora" / "mira.safetensors").read_bytes()


def _state(folder: Path) -> dict[str, str]:
    """What lies in a folder: name → hash, or where a link leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsdecode(os.fsencode(path.relative_to(folder)))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            with open(path, "rb") as file:  # noqa: PTH123 - a test may have taken Path.open away
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


@pytest.fixture(scope="session")
def _cupboard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What takes seconds to make, kept for the next desk."""
    return tmp_path_factory.mktemp("cupboard")


@pytest.fixture
def desk(home: Path, zirelia: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, _cupboard: Path) -> Iterator[Desk]:
    monkeypatch.setenv("COLUMNS", "100")
    others: Callable[[Path], list[Path]] = characters.other_pictures

    def drawn_once(_: Path) -> list[Path]:
        folder = _cupboard / "others"
        return sorted(folder.glob("*.png")) or others(folder)

    # a second of drawing for each command; they are the same every time
    monkeypatch.setattr(characters, "other_pictures", drawn_once)
    with ExitStack() as held:
        made = Desk(home, zirelia, lambda at, what: _finish(at, what, _cupboard), monkeypatch, held)
        made.given.mkdir()
        assert zirelia("persona", "new", "luna").code == 0
        yield made


def _finish(desk: Desk, what: str, cupboard: Path) -> None:
    """Lays a finished dataset, or also its training, before the desk's owner; makes it where it was not made yet."""
    places = {"dataset": [desk.home / "persona"], "training": [desk.home / "persona", desk.home / "home"]}[what]
    if not (cupboard / what).is_dir():
        if what == "dataset":
            assert desk.zirelia(*desk.build, "--from", desk.photo()).code == 0
        else:
            assert desk.zirelia(*desk.train).code == 0
        for place in places:
            shutil.copytree(place, cupboard / what / place.name)
        return
    for place in places:
        shutil.copytree(cupboard / what / place.name, place, dirs_exist_ok=True)


@pytest.fixture
def judged(desk: Desk) -> Callable[..., Any]:
    """Runs the command that `given` makes, and holds what must hold of every answer; `says` are words of it."""

    def judge(given: Callable[[Desk], Sequence[object]], code: int, says: Sequence[str]) -> Any:
        command = given(desk)
        before = _state(desk.given)
        said = desk.zirelia(*command)
        told = said.out + said.err
        assert said.code == code, told
        assert "Traceback" not in told
        assert "defect:" not in told
        assert all(letter.isprintable() or letter == "\n" for letter in told), ascii(told)
        for words in says:
            assert words in " ".join(told.split()), told
        if code:
            lines = told[max(0, told.rfind("rror: ") - 1) :].strip().splitlines()
            assert len(lines) <= MOST_LINES, told
            assert max(map(len, lines)) <= LONGEST_LINE, told
            # a line and key of a file say what to write there; usage errors of click name the help above them
            assert len(lines) > 1 or "--help" in told or _PLACE.search(told), f"nothing says how to fix it: {told}"
        assert _state(desk.given) == before
        assert not [path for path in desk.home.rglob("*") if ".part" in path.name]
        return said

    return judge
