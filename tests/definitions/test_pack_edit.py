"""The LoRA of a pack is changed and nothing else: comments, order and line ends stay."""

from __future__ import annotations

import difflib
import shutil

import pytest

from zirelia.definitions.pack_edit import set_lora, with_lora
from zirelia.definitions.personas import load_persona
from zirelia.definitions.scaffold import new_persona
from zirelia.domain.lora import LoraChoice
from zirelia.errors import DefinitionError
from zirelia.resources import folder

CHOICE = LoraChoice(trigger="zqnew", weights="lora/new.safetensors", scale=0.85)


def _changes(before, after):
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.fixture
def mira(tmp_path):
    shutil.copy(folder("persona") / "mira" / "persona.yaml", tmp_path / "persona.yaml")
    return tmp_path / "persona.yaml"


def test_the_shipped_pack_changes_in_three_values(mira):
    before, old = mira.read_text(), load_persona(mira).persona
    set_lora(mira, CHOICE)
    changes = _changes(before, mira.read_text())
    assert all(line[1:].strip().startswith(("trigger:", "weights:", "scale:")) for line in changes)
    assert load_persona(mira).persona == old.model_copy(update={"lora": CHOICE})
    set_lora(mira, old.lora)
    assert load_persona(mira).persona == old


def test_a_new_pack_has_its_sketch_come_to_life(tmp_path):
    path = new_persona("noor", tmp_path / "noor")
    before, old = path.read_text(), load_persona(path).persona
    assert "# lora:" in before
    set_lora(path, CHOICE)
    text = path.read_text()
    assert "# lora:" not in text
    assert "lora:\n  trigger: zqnew\n  weights: lora/new.safetensors\n  scale: 0.85\n" in text
    assert load_persona(path).persona == old.model_copy(update={"lora": CHOICE})
    assert len(_changes(before, text)) == 8


BLOCK = "lora:\n  trigger: zqnew\n  weights: lora/new.safetensors\n  scale: 0.85\n"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (
            "lora: { trigger: abc, scale: 1.0 } # hers\nage: 2\n",
            "lora: { trigger: zqnew, scale: 0.85, weights: lora/new.safetensors } # hers\nage: 2\n",
        ),
        ("lora: { trigger: abc } # hers\n", "lora: { trigger: zqnew, weights: lora/new.safetensors, scale: 0.85 } # hers\n"),
        (
            "lora:\n  scale: 1 # strong\n  trigger: abc # the word\nage: 2\n",
            "lora:\n  scale: 0.85 # strong\n  trigger: zqnew\n  weights: lora/new.safetensors # the word\nage: 2\n",
        ),
        ("lora:\nage: 2\n", BLOCK + "age: 2\n"),
        ("lora: null\nage: 2\n", BLOCK + "age: 2\n"),
        ("age: 2\n# whose\nconsent: x\n", "age: 2\n" + BLOCK + "\n# whose\nconsent: x\n"),
        ("age: 2", "age: 2\n" + BLOCK + "\n"),
        ("age: 2\r\nconsent: x\r\n", "age: 2\r\n" + BLOCK.replace("\n", "\r\n") + "\r\nconsent: x\r\n"),
    ],
)
def test_each_way_to_write_it(written, wanted, tmp_path):
    assert with_lora(written, CHOICE, tmp_path / "persona.yaml") == wanted


def test_values_that_yaml_would_misread_are_quoted(mira):
    choice = LoraChoice(trigger="true", weights="my lora: it's here.safetensors", scale=1)
    set_lora(mira, choice)
    assert load_persona(mira).persona.lora == choice
    set_lora(mira, LoraChoice(trigger="abc"))
    assert load_persona(mira).persona.lora == LoraChoice(trigger="abc")


def test_a_byte_order_mark_and_the_mode_stay(mira):
    mira.write_bytes(b"\xef\xbb\xbf" + mira.read_bytes().replace(b"\n", b"\r\n"))
    mira.chmod(0o600)
    set_lora(mira, CHOICE)
    assert mira.read_bytes().startswith(b"\xef\xbb\xbf")
    assert mira.read_bytes().count(b"\n") == mira.read_bytes().count(b"\r\n")
    assert mira.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["[]", "name: mira\n", "lora: [", "{lora: null}"])
def test_a_pack_that_does_not_load_is_left_alone(text, tmp_path):
    path = tmp_path / "persona.yaml"
    path.write_text(text)
    with pytest.raises(DefinitionError):
        set_lora(path, CHOICE)
    assert path.read_text() == text


def test_styles_are_read_and_checked(mira, tmp_path):
    mira.write_text(mira.read_text() + "styles:\n  - weights: lora/ink.safetensors\n")
    loaded = load_persona(mira)
    assert [style.scale for style in loaded.persona.styles] == [0.6]
    assert loaded.style_paths()[0] in loaded.missing_files()
    mira.write_text(mira.read_text() + "  - weights: ../ink.safetensors\n  - weights: ink.ckpt\n")
    with pytest.raises(DefinitionError, match=r"styles\[1\]\.weights.*leaves the pack's folder(.|\n)*\.safetensors files only"):
        load_persona(mira)
