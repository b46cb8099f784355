"""`zirelia dataset` with the pocket backend, which draws for nothing; what asks for money is tried with a hosted one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zirelia.definitions.personas import load_persona
from zirelia.definitions.scaffold import new_persona, trigger_for
from zirelia.pictures import encode_png
from zirelia.pocket.drawing import render
from zirelia.pocket.world import HELD_OUT, WorldShot
from zirelia.testing.images import FakeImageMaker

SHOTS = """\
name: four
most_of_one: 1
cells:
  - {id: face-one, framing: close-up, yaw: front, expression: smiling, light: daylight, scene: park, outfit: red t-shirt}
  - {id: face-two, framing: close-up, yaw: front, expression: serious, light: night, scene: cafe, outfit: blue hoodie}
  - {id: bust, framing: half body, yaw: front, expression: laughing, light: golden hour, scene: beach, outfit: black blazer}
  - {id: body, framing: full body, yaw: front, expression: smiling, light: daylight, scene: studio, outfit: white t-shirt}
"""


@pytest.fixture
def noor(home: Path, write_env: Callable[..., None]) -> Path:
    """A pack without a face, and the settings of nobody."""
    write_env()
    pack = home / "persona" / "noor"
    new_persona("noor", pack)
    return pack


@pytest.fixture
def photo(home: Path) -> Path:
    shot = WorldShot(
        garment="sweater", cloth="green", expression="smiling", scene="park", light="daylight", framing="close-up", seed=5
    )
    path = home / "photo.png"
    path.write_bytes(encode_png(render(HELD_OUT["mira"], shot, 256)))
    return path


@pytest.fixture
def shots(home: Path) -> Path:
    path = home / "four.yaml"
    path.write_text(SHOTS)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def build(zirelia, noor, photo, shots) -> Callable[..., Any]:
    """Two pictures for each of the four cells, from the one photo."""

    def call(*more: object) -> Any:
        return zirelia("dataset", "build", "noor", "--from", photo, "--shots", shots, "--factor", 2, "--unseen", 0, *more)

    return call


def test_from_one_photo_to_a_dataset_and_on(zirelia, build, noor, monkeypatch):
    built = build("--json")
    assert built.code == 0, built
    said = built.json
    assert set(said) == {"persona", "kept", "rejected", "missing", "references", "spent_usd", "sheet", "notes"}
    assert (said["persona"], said["kept"], said["missing"], said["spent_usd"]) == ("noor", 4, [], 0.0)
    assert sum(said["rejected"].values()) == 4
    assert Path(said["sheet"]).read_bytes().startswith(b"\x89PNG")
    # what the training does not see measures its LoRA
    assert len(said["references"]) == said["rejected"]["spare"] > 0
    assert load_persona("noor").persona.references == tuple(said["references"])
    assert all((noor / name).is_file() for name in said["references"])

    drawn = []
    monkeypatch.setattr("zirelia.pocket.editor.PocketEditor.edit", lambda *_, **__: drawn.append(1))
    before = files(noor)
    again = zirelia("dataset", "build", "noor", "--json")
    assert again.code == 0, again
    assert drawn == []
    assert (again.json["kept"], again.json["references"]) == (4, [])
    assert files(noor) == before

    checked = zirelia("dataset", "check", "noor", "--json")
    assert checked.code == 0, checked
    assert set(checked.json) == set(said)
    assert (checked.json["kept"], checked.json["missing"], drawn) == (4, [], [])

    captions = zirelia("dataset", "caption", "noor", "--json").json
    trigger = trigger_for("noor")
    assert len(captions) == 4
    assert all(set(one) == {"path", "caption", "leaks"} for one in captions)
    assert all(one["caption"].startswith(f"{trigger} ") and one["leaks"] == [] for one in captions)
    constants = zirelia("dataset", "caption", "noor", "--style", "constants", "--json").json
    assert [one["path"] for one in constants] == [one["path"] for one in captions]
    assert all(len(longer["caption"]) > len(one["caption"]) for longer, one in zip(constants, captions, strict=True))

    drawn_to = noor.parent / "mine.png"
    assert zirelia("dataset", "sheet", "noor", "--out", drawn_to).out.strip() == str(drawn_to)
    assert drawn_to.read_bytes().startswith(b"\x89PNG")


def test_a_person_reads_what_it_costs_what_was_kept_and_what_comes_next(build):
    said = build()
    assert said.code == 0, said
    assert "✓ 4 pictures kept; not kept: " in said.out
    assert "more are kept aside as references, to measure by" in said.out
    assert "with pocket pocket world; costs nothing" in said.err
    assert "pictures under Apache-2.0" in said.err
    assert "next: zirelia train noor" in said.err


def test_another_photo_is_another_person(zirelia, build, photo):
    assert build("--json").code == 0
    other = photo.with_name("other.png")
    shot = WorldShot(
        garment="sweater", cloth="green", expression="smiling", scene="park", light="daylight", framing="close-up", seed=6
    )
    other.write_bytes(encode_png(render(HELD_OUT["theo"], shot, 256)))
    said = zirelia("dataset", "build", "noor", "--from", other)
    assert said.code == 4
    assert "began from photos (photo.png), not from photos (other.png)" in said.err


class TestFromWords:
    @pytest.fixture(autouse=True)
    def _image_model(self, monkeypatch):
        maker = FakeImageMaker(size=(64, 64))
        monkeypatch.setattr("zirelia.studio.adapters.images", lambda *_: maker)

    def test_without_a_terminal_the_next_command_is_told(self, zirelia, noor):
        said = zirelia("dataset", "build", "noor", "--from-words")
        assert said.code == 0, said
        assert said.out.strip() == str(noor / "dataset" / "anchors.png")
        assert "next: zirelia dataset build noor --from-words --pick NUMBER" in said.err
        assert not (noor / "dataset" / "dataset.json").exists()

    def test_for_machines_as_well(self, zirelia, noor):
        said = zirelia("dataset", "build", "noor", "--from-words", "--json").json
        assert set(said) == {"sheet", "anchors", "next"}
        assert len(said["anchors"]) == 16
        assert all((noor / "dataset" / path).is_file() for path in said["anchors"])
        again = zirelia("dataset", "build", "noor", "--from-words", "--json")
        assert again.json == said

    def test_a_number_that_was_not_made(self, zirelia, noor):
        zirelia("dataset", "build", "noor", "--from-words", "--json")
        said = zirelia("dataset", "build", "noor", "--from-words", "--pick", 17)
        assert said.code == 3
        assert "there is no anchor 17" in said.err


class TestMoney:
    @pytest.fixture(autouse=True)
    def _hosted(self, noor, write_env):
        # the discard port: nobody answers, so a call that is made although nobody agreed would fail otherwise
        write_env(REPLICATE_API_TOKEN="r8_x", REPLICATE_BASE_URL="http://127.0.0.1:9", ZIRELIA_PRICES_EDIT_USD="0.04")

    def test_is_not_spent_when_nobody_can_be_asked(self, zirelia, photo, shots, noor):
        said = zirelia("dataset", "build", "noor", "--backend", "replicate", "--from", photo, "--shots", shots)
        assert said.code == 2
        assert "Nobody is there to answer: add --yes" in said.err
        assert "$0.32" in said.err
        assert not (noor / "dataset" / "dataset.json").exists()

    def test_is_said_with_the_terms_before_it_is_agreed_to(self, zirelia, photo, shots):
        said = zirelia("dataset", "build", "noor", "--backend", "replicate", "--from", photo, "--shots", shots)
        assert "4 cells, 8 pictures with replicate black-forest-labs/flux-kontext-pro; costs $0.32" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build", "noor", "--from-words", "--from", "{photo}"), 2, "exclude each other"),
        (("build", "noor"), 3, "no dataset was begun"),
        (("build", "nobody", "--from", "{photo}"), 3, "nobody"),
        (("build", "noor", "--backend", "openai", "--from", "{photo}"), 2, "OPENAI_API_KEY"),
        (("build", "noor", "--shots", "31", "--from", "{photo}"), 3, "31"),
        (("check", "noor"), 3, "no dataset was begun"),
        (("caption", "noor"), 3, "there is no dataset in"),
        (("sheet", "noor"), 3, "no finished dataset"),
    ],
)
def test_what_cannot_be_done_says_why(zirelia, noor, photo, arguments, code, words):
    said = zirelia("dataset", *(part.format(photo=photo) for part in arguments))
    assert said.code == code, said
    assert words in said.err


def test_a_pick_belongs_to_words(zirelia, noor, photo):
    said = zirelia("dataset", "build", "noor", "--from", photo, "--pick", 3)
    assert said.code == 2
    assert "--pick" in said.err
