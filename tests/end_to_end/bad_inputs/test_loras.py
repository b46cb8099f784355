"""LoRA files that somebody brings, the library, and the commands that wear LoRAs."""

from __future__ import annotations

import json

import numpy as np
import pytest

PAIR = "transformer.a.lora_{}.weight"


def bring(make, *more):
    return lambda desk: ["lora", "import", make(desk), *more]


def renamed(desk, suffix):
    pair = {
        f"a.{suffix}": np.ones((2, 4), "f4"),
        "a.lora_A.weight": np.ones((2, 4), "f4"),
        "a.lora_B.weight": np.ones((4, 2), "f4"),
    }
    return desk.lora(pair)


def not_finite(desk):
    return desk.lora({PAIR.format("A"): np.full((2, 4), np.nan, "f4"), PAIR.format("B"): np.ones((4, 2), "f4")})


def wide(desk):
    """The right names for the pocket base, and other sizes."""
    name = "transformer.transformer_blocks.0.attn.to_q.lora_{}.weight"
    return desk.lora({name.format("A"): np.ones((2, 3072), "f4"), name.format("B"): np.ones((3072, 2), "f4")}, **FLUX)


FLUX = {"modelspec__architecture": "flux-1-dev/lora", "modelspec__trigger_phrase": "ohnowo"}


def huge_header(desk):
    return desk.put("f.safetensors", (2**40).to_bytes(8, "little") + b"{" * 99)


def lying_header(desk):
    header = json.dumps({"a.lora_A.weight": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 9999]}}).encode()
    return desk.put("f.safetensors", len(header).to_bytes(8, "little") + header + bytes(32))


IMPORTS = [
    pytest.param(lambda d: d.put("f.safetensors", d.good_lora()[:-500]), ["f.safetensors", "cut off", "again"], id="cut off"),
    pytest.param(lambda d: d.put("f.safetensors", b""), ["no safetensors file", "again"], id="empty"),
    pytest.param(lambda d: d.put("f.safetensors", "a text, that is all"), ["no safetensors file", "again"], id="text"),
    pytest.param(
        lambda d: d.put("f.safetensors", b"\x80\x04\x95" + bytes(99)), ["is a pickle", "not loaded", "safetensors"], id="pickle"
    ),
    pytest.param(lambda d: d.put("f.safetensors", b"PK\x03\x04" + bytes(99)), ["an archive", "safetensors"], id="zip"),
    pytest.param(lambda d: d.put("f.pt", b"PK\x03\x04"), [".safetensors files only", "convert it"], id="another suffix"),
    pytest.param(huge_header, ["f.safetensors", "no safetensors file", "again"], id="a huge header"),
    pytest.param(lying_header, ["does not lie where its header says", "again"], id="a header that lies"),
    pytest.param(lambda d: renamed(d, "dora_scale"), ["of the kind DoRA", "plain LoRA"], id="DoRA"),
    pytest.param(lambda d: renamed(d, "lokr_w1"), ["of the kind LoKr", "plain LoRA"], id="LoKr"),
    pytest.param(lambda d: renamed(d, "hada_w1_a"), ["of the kind LoHa", "plain LoRA"], id="LoHa"),
    pytest.param(
        lambda d: d.lora({"model.diffusion_model.in.weight": np.ones((4, 4), "f4")}), ["in.weight", "LoRA"], id="a checkpoint"
    ),
    pytest.param(not_finite, ["holds numbers that are not finite", "use another one"], id="NaN"),
    pytest.param(
        lambda d: d.lora({PAIR.format("A"): np.ones((2, 4), "f4"), PAIR.format("B"): np.zeros((4, 2), "f4")}),
        ["all its weights are zero", "its training did not run"],
        id="zeros",
    ),
    pytest.param(
        lambda d: d.lora({PAIR.format("A"): np.ones((2, 4), "f4")}), ["only one half of its pair", "again"], id="half a pair"
    ),
    pytest.param(
        lambda d: d.lora({PAIR.format("A"): np.ones((2, 4), "f4"), PAIR.format("B"): np.ones((4, 3), "f4")}),
        ["do not fit: [2, 4], [4, 3]", "again"],
        id="halves of two ranks",
    ),
]


@pytest.mark.parametrize(("make", "says"), IMPORTS)
def test_a_lora_that_is_refused(judged, desk, make, says):
    judged(bring(make), 2, says)
    assert not list((desk.home / "home").rglob("*.safetensors"))


def test_a_lora_of_another_base(judged, desk):
    judged(
        bring(wide, "--base", "pocket-flux"), 2,
        ["was trained on another base model (flux-1-dev)", "1 of 1 layers do not fit", "choose the base model"],
    )  # fmt: skip
    said = judged(bring(wide), 0, ["does not fit the base in use", "no licence is named"])
    assert "for flux-1-dev" in said.out


def test_a_lora_of_no_known_base_with_words_that_drive_terminals(judged):
    said = {"modelspec__title": "\x1b[31mA\x07 b", "modelspec__license": "\x1b[2Jmine", "modelspec__trigger_phrase": "a\x07 b"}
    told = judged(
        bring(lambda d: d.lora(**said)), 0,
        ["for unknown", "does not fit the base in use, pocket-flux", "is not one word: give the word with --trigger"],
    )  # fmt: skip
    assert "31ma-b" in told.out


def brought(desk):
    assert desk.zirelia("lora", "import", desk.put("good.safetensors", desk.good_lora()), "--name", "friend").code == 0


def kept(*command):
    def given(desk):
        brought(desk)
        return [word(desk) if callable(word) else word for word in command]

    return given


def damaged(desk):
    brought(desk)
    (path,) = (desk.home / "home" / "loras").glob("*/lora.safetensors")
    path.write_bytes(path.read_bytes()[:-4] + b"1234")
    return ["lora", "export", "friend", "--out", desk.home / "new.safetensors"]


def card_damaged(desk):
    brought(desk)
    (path,) = (desk.home / "home" / "loras").glob("*/card.json")
    path.write_text("{")
    return ["lora", "list"]


def worn_by_mira(change):
    """A copy of mira's pack, changed."""

    def given(desk):
        import shutil

        from zirelia import resources

        pack = desk.home / "persona" / "mira"
        shutil.copytree(resources.folder("persona") / "mira", pack, ignore=shutil.ignore_patterns("dataset"))
        return change(desk, pack)

    return given


def prompts(desk, text="a cafe\n"):
    return desk.put("prompts.txt", text)


def grid(text, *more):
    return lambda d: ["grid", "--personas", "mira", "--prompts", prompts(d, text), *more]


def without_reference(desk, pack):
    (pack / "references" / "03.png").write_bytes(b"no picture")
    return ["compare", "mira"]


def without_weights(desk, pack):
    (pack / "lora" / "mira.safetensors").unlink()
    return ["compare", "mira"]


def cut_weights(desk, pack):
    path = pack / "lora" / "mira.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    return ["compare", "mira"]


USED = [
    pytest.param(
        kept("lora", "card", "freind"), 3, ["there is no LoRA 'freind'", "did you mean 'friend'"], id="card: a near miss"
    ),
    pytest.param(lambda d: ["lora", "card", "abcd"], 3, ["there is no LoRA 'abcd'", "none"], id="card: an empty library"),
    pytest.param(
        kept("lora", "export", "friend", "--out", lambda d: d.put("there.safetensors", "mine")),
        2,
        ["there.safetensors is there already", "--force replaces it"],
        id="export onto a file",
    ),
    pytest.param(
        kept("lora", "export", "friend", "--out", "x.pt"), 2, ["--out is a .safetensors file, not x.pt"], id="export: suffix"
    ),
    pytest.param(
        kept("lora", "export", "friend", "--out", lambda d: d.put("a", "file").joinpath("x.safetensors")),
        10,
        ["x.safetensors cannot be written", "rights"],
        id="export into a file",
    ),
    pytest.param(damaged, 10, ["is not the file that its card names", "bring it in again"], id="export of changed weights"),
    pytest.param(
        card_damaged, 10, ["damaged: ", "card.json is damaged", "bring the LoRA in again"], id="a card that is cut off"
    ),
    pytest.param(lambda d: ["lora", "choose", "luna"], 3, ["there are no checkpoints in", "train first"], id="no checkpoints"),
    pytest.param(
        lambda d: ["lora", "choose", "luna", "--checkpoints", d.given], 3, ["there are no checkpoints in"], id="an empty run"
    ),
    pytest.param(
        bring(lambda d: d.put("good.safetensors", d.good_lora()), "--trigger", "two words"),
        2,
        ["'two words' cannot be a trigger", "one word of 3 to 32"],
        id="a trigger of two words",
    ),
    pytest.param(
        grid("a cafe\n{who} in a cafe\n"), 2, ["prompts.txt:2", "'{who}' means nothing here", "{trigger}"], id="braces"
    ),
    pytest.param(grid("# none\n\n"), 2, ["prompts.txt", "holds no prompt", "one free prompt a line"], id="no prompt"),
    pytest.param(grid("x" * 501), 2, ["prompts.txt:1", "has 501 characters", "500"], id="a long prompt"),
    pytest.param(
        lambda d: ["grid", "--personas", "mira", "--prompts", d.put("p.txt", b"a\n\xff\n")],
        2,
        ["p.txt:2", "is not UTF-8", "save the file"],
        id="prompts in Latin-1",
    ),
    pytest.param(
        lambda d: ["grid", "--personas", " , ", "--prompts", prompts(d)], 2, ["names no persona", "mira"], id="nobody"
    ),
    pytest.param(
        lambda d: ["grid", "--personas", "luna", "--prompts", prompts(d)],
        2,
        ["no LoRA weights", "train one first"],
        id="no LoRA",
    ),
    pytest.param(grid("a cafe\n", "--scales", "0.5,3"), 2, ["scales of 0 to 2"], id="a scale of 3"),
    pytest.param(grid("a cafe\n", "--out", "grid.gif"), 2, ["'grid.gif' ends neither in .png nor in .html"], id="a GIF"),
    pytest.param(
        lambda d: ["compare", "mira", "--with-lora", d.lora()],
        2,
        ["does not say its trigger word", "lora import"],
        id="compare: no trigger",
    ),
    pytest.param(
        lambda d: ["compare", "mira", "--with-lora", d.put("f.safetensors", b"")],
        2,
        ["no safetensors file"],
        id="compare: an empty file",
    ),
    pytest.param(worn_by_mira(without_reference), 2, ["03.png cannot be read", "persona check mira"], id="a reference"),
    pytest.param(
        worn_by_mira(without_weights), 2, ["mira.safetensors of 'mira' is missing", "restore the file"], id="no weights"
    ),
    pytest.param(worn_by_mira(cut_weights), 2, ["mira.safetensors", "cut off", "again"], id="cut weights"),
]


@pytest.mark.parametrize(("given", "code", "says"), USED)
def test_a_lora_in_use_that_is_refused(judged, desk, given, code, says):
    judged(given, code, says)
    assert not list(desk.home.glob("grid.*"))
    assert not list(desk.home.glob("compare.*"))
