"""`zirelia grid` and `zirelia compare` with a fake image model and a fake judge of likeness."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import zirelia as package
from zirelia.cli import COMMANDS
from zirelia.cli.compare import compare
from zirelia.cli.grid import grid
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.testing.images import FakeImageMaker

PACK = Path(package.__file__).parents[1] / "persona" / "mira"


class Scorer:
    name = "scorer"
    criteria = frozenset({Criterion.IDENTITY})

    def examine(self, exhibit):
        score = exhibit.image.getpixel((0, 0))[0] / 255
        told = {"instrument": self.name, "explanation": "looked at", "score": score, "threshold": 0.5}
        return [Finding(criterion=Criterion.IDENTITY, outcome=Outcome.PASSED, **told)]


def lora_file(path: Path, **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {
        "transformer.a.lora_A.weight": np.ones((2, 4), np.float32),
        "transformer.a.lora_B.weight": np.ones((4, 2), np.float32),
    }
    save_file(weights, path, metadata=metadata or None)
    return path


@pytest.fixture
def maker():
    return FakeImageMaker(vocabulary=shot_vocabulary(), size=(64, 64))


@pytest.fixture
def studio(home, monkeypatch, maker, chat, write_env):
    """Two packs with small LoRAs, and the two commands in their place."""
    monkeypatch.setitem(COMMANDS, "grid", ("grid:grid", grid.help))
    monkeypatch.setitem(COMMANDS, "compare", ("compare:compare", compare.help))
    monkeypatch.setattr("zirelia.studio.adapters.images", lambda *_, **__: maker)
    monkeypatch.setattr("zirelia.studio.Studio.identity", lambda *_: Scorer())
    write_env(OPENAI_BASE_URL=chat.base_url, ZIRELIA_EMBEDDINGS_BACKEND="none", ZIRELIA_IMAGE_BACKEND="pocket")
    for name in ("mira", "leo"):
        folder = home / "persona" / name
        (folder / "references").mkdir(parents=True)
        text = (PACK / "persona.yaml").read_text()
        text = text.replace("name: mira", f"name: {name}", 1).replace("Mira\n", f"{name.title()}\n", 1)
        (folder / "persona.yaml").write_text(text.replace("mirelo", f"{name}lo").replace("mira.safetensors", "own.safetensors"))
        for picture in (PACK / "references").iterdir():
            shutil.copy(picture, folder / "references")
        lora_file(folder / "lora" / "own.safetensors")
    (home / "prompts.txt").write_text("# two\na woman in a cafe\non the beach\n")
    return home


def test_a_grid_as_a_picture(zirelia, studio, maker):
    said = zirelia("grid", "--personas", "mira,leo", "--prompts", "prompts.txt", "--scales", "0.6,1", "--json")
    assert said.code == 0, said
    assert (said.json["pictures"], said.json["scales"]) == (8, [0.6, 1.0])
    assert [prompt["line"] for prompt in said.json["prompts"]] == [2, 3]
    assert [prompt.text for prompt in maker.made][::4] == ["miralo woman in a cafe", "leolo woman in a cafe"]
    with Image.open(studio / "grid.png") as sheet:
        assert sheet.format == "PNG"


def test_a_grid_as_a_page(zirelia, studio):
    said = zirelia("grid", "--personas", "mira, leo ,mira", "--prompts", "prompts.txt", "--out", "a/grid.html")
    assert said.code == 0, said
    assert "12 pictures in" in said.out
    page = (studio / "a" / "grid.html").read_text()
    assert page.count("<img ") == 12
    assert "Mira and Leo" in page
    assert "default-src &#39;none&#39;" in page


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("--personas , --prompts prompts.txt", 2, "names no persona"),
        ("--personas ada --prompts prompts.txt", 3, "there is no persona 'ada'"),
        ("--personas mira --prompts none.txt", 2, "does not exist"),
        ("--personas mira --prompts prompts.txt --scales 1,x", 2, "'1,x' is no list of numbers"),
        ("--personas mira --prompts prompts.txt --scales 3", 2, "scales of 0 to 2"),
        ("--personas mira --prompts prompts.txt --scales nan", 2, "scales of 0 to 2"),
        ("--personas mira --prompts prompts.txt --scales ,", 2, "scales of 0 to 2"),
        ("--personas mira --prompts prompts.txt --out grid.gif", 2, "ends neither in .png nor in .html"),
        ("--personas mira --prompts wrong.txt", 2, "wrong.txt:2: '{who}' means nothing here"),
    ],
)
def test_mistakes(zirelia, studio, maker, arguments, code, words):
    (studio / "wrong.txt").write_text("a cafe\n{who} in a cafe\n")
    said = zirelia("grid", *arguments.split())
    assert (said.code, words in said.err) == (code, True), said
    assert maker.made == []
    assert not (studio / "grid.png").exists()


def test_a_comparison(zirelia, studio, maker, monkeypatch):
    elsewhere = FakeImageMaker(vocabulary=shot_vocabulary(), size=(64, 64))
    monkeypatch.setattr("zirelia.studio.Studio.reference_maker", lambda *_: elsewhere, raising=False)
    other = lora_file(studio / "theo.safetensors", **{"modelspec.trigger_phrase": "theoxa"})
    said = zirelia(
        "compare", "mira", "--with-lora", other, "--references", "--scenes", 2, "--out", "c.png", "--out", "c.html", "--json"
    )
    assert said.code == 0, said
    assert list(said.json["identity"]) == ["LoRA", "references", "theo", "bare base", "real pairs"]
    assert len(said.json["identity"]["theo"]["values"]) == 2
    assert said.json["threshold"] == 0.5
    assert (len(maker.made), len(elsewhere.made)) == (6, 2)
    assert (studio / "c.html").read_text().count("<img ") == 8
    with Image.open(studio / "c.png") as sheet:
        assert sheet.format == "PNG"


def test_a_comparison_in_words(zirelia, studio):
    said = zirelia("compare", "leo", "--scenes", 1)
    assert said.code == 0, said
    for words in ("LoRA        identity median", "bare base   identity median", "real pairs  identity median", "compare.png"):
        assert words in said.out


def test_a_lora_without_its_trigger_word(zirelia, studio):
    said = zirelia("compare", "mira", "--with-lora", lora_file(studio / "theo.safetensors"))
    assert said.code == 2
    assert "does not say its trigger word" in said.err


def test_the_sheet_of_a_persona(zirelia, studio):
    said = zirelia("persona", "sheet", "mira", "--scenes", 2, "--json")
    assert said.code == 0, said
    assert list(said.json["identity"]) == ["LoRA", "bare base", "real pairs"]
    assert (studio / "sheet.png").is_file()
