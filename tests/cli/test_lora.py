"""`zirelia lora` on a library in a home of its own; the judging itself is tried in tests/workflow."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file

from zirelia.cli import COMMANDS
from zirelia.definitions.personas import load_persona
from zirelia.domain.choice import Choice, Fit, Floors, Measured
from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.judgement import Judgement, Spread
from zirelia.domain.lora import Checkpoint, Lora
from zirelia.domain.persona import Consent
from zirelia.errors import DefinitionError
from zirelia.resources import folder
from zirelia.studio import Studio
from zirelia.studio.loras import Judged

MIRA = folder("persona") / "mira" / "lora" / "mira.safetensors"


@pytest.fixture(autouse=True)
def _ready(monkeypatch, write_env):
    monkeypatch.setitem(COMMANDS, "lora", ("lora:lora", "Choose, list, show, import and export LoRAs."))
    write_env()


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _kohya(path, width=192, **metadata):
    stem = "lora_unet_double_blocks_0_img_attn_proj"
    text = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    tensors = {
        f"{stem}.lora_down.weight": np.ones((4, width), np.float16),
        f"{stem}.lora_up.weight": np.ones((width, 4), np.float16),
        f"{stem}.alpha": np.array(2, np.float16),
        f"{text}.lora_down.weight": np.ones((4, 8), np.float16),
        f"{text}.lora_up.weight": np.ones((8, 4), np.float16),
        f"{text}.alpha": np.array(2, np.float16),
    }
    save_file(tensors, path, metadata=metadata or None)
    return path


def test_an_empty_library_says_what_to_do(zirelia):
    said = zirelia("lora", "list")
    assert said.code == 0
    assert "zirelia lora import" in said.out
    assert zirelia("lora", "list", "--json").json == {"loras": [], "damaged": []}
    assert zirelia("lora", "card", "mira").code == 3


def test_our_own_file_is_kept_as_it_is(zirelia):
    said = zirelia("lora", "import", MIRA, "--name", "mira", "--json").json
    assert (said["sha256"], said["rank"]) == (_sha256(MIRA), 16)
    assert _sha256(MIRA) == said["brought"]["sha256"]
    listed = zirelia("lora", "list")
    assert listed.code == 0
    assert "mira" in listed.out
    assert zirelia("lora", "list", "--json").json["loras"][0]["in_use_by"] == ["mira"]


def test_a_foreign_file_is_converted_and_goes_out_again(zirelia, tmp_path):
    metadata = {"modelspec.title": "Ink & Wash", "ss_base_model_version": "flux1", "ss_tag_frequency": "{}"}
    file = _kohya(tmp_path / "friend.safetensors", **metadata)
    said = zirelia("lora", "import", file, "--trigger", "inkwash", "--licence", "CC-BY-4.0", "--json")
    assert said.code == 0, said.err
    card = said.json
    assert (card["name"], card["trigger"], card["base_model"], card["licences"]) == (
        "ink-wash",
        "inkwash",
        "flux1",
        ["CC-BY-4.0"],
    )
    assert card["notes"][0].startswith("the text encoder's part (1 layers) was left out")
    shown = zirelia("lora", "card", "ink-wash").out
    assert "friend.safetensors" in shown
    assert "CC-BY-4.0" in shown
    assert zirelia("lora", "card", card["sha256"][:6], "--md").out.startswith("# ink-wash\n")
    out = tmp_path / "out" / "ink.safetensors"
    assert zirelia("lora", "export", "ink-wash", "--layout", "comfyui", "--out", out).code == 0
    with safe_open(out, framework="numpy") as opened:
        assert "diffusion_model.double_blocks.0.img_attn.proj.lora_down.weight" in opened.keys()  # noqa: SIM118
        kept = opened.metadata()
    assert (kept["modelspec.trigger_phrase"], kept["modelspec.license"], kept["ss_tag_frequency"]) == (
        "inkwash",
        "CC-BY-4.0",
        "{}",
    )
    assert json.loads(kept["zirelia.card"])["brought"]["sha256"] == _sha256(file)
    assert zirelia("lora", "export", "ink-wash", "--out", out).code == 2
    assert zirelia("lora", "export", "ink-wash", "--out", out, "--force").code == 0
    assert zirelia("lora", "export", "ink-wash", "--out", tmp_path / "x.ckpt").code == 2


def test_what_could_not_be_known_is_said(zirelia, tmp_path):
    notes = "\n".join(zirelia("lora", "import", _kohya(tmp_path / "x.safetensors", width=64), "--json").json["notes"])
    for said in ("does not fit the base in use, pocket-flux", "no licence is named", "no trigger word is named"):
        assert said in notes


def test_a_second_trigger_that_begins_alike_is_named(zirelia, tmp_path):
    zirelia("lora", "import", MIRA, "--name", "mira", "--trigger", "mirelo")
    said = zirelia("lora", "import", _kohya(tmp_path / "x.safetensors"), "--trigger", "mirella", "--json").json
    assert any("shares its beginning 'mirel'" in note for note in said["notes"])


@pytest.mark.parametrize(
    ("make", "options", "code", "said"),
    [
        (lambda path: path.write_bytes(b"\x80\x04pickle"), (), 2, "pickle"),
        (lambda path: path.write_bytes(MIRA.read_bytes()[:-10]), (), 2, "cut off"),
        (
            lambda path: _kohya(path, width=64),
            ("--base", "pocket-flux"),
            2,
            "x.safetensors was trained on another base model: 1 of 1",
        ),
        (
            lambda path: _kohya(path, width=64, ss_base_model_version="flux1"),
            ("--base", "pocket-flux"),
            2,
            "x.safetensors was trained on another base model (flux1): 1 of 1",
        ),
        (lambda path: _kohya(path), ("--trigger", "two words"), 2, "cannot be a trigger"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_not_kept(zirelia, tmp_path, make, options, code, said):
    file = tmp_path / "x.safetensors"
    make(file)
    answer = zirelia("lora", "import", file, *options)
    assert answer.code == code
    assert said in answer.err
    assert zirelia("lora", "list", "--json").json["loras"] == []


def test_a_damaged_library_is_named_with_an_exit_code(zirelia, home):
    kept = zirelia("lora", "import", MIRA, "--json").json
    (home / "home" / "loras" / f"{kept['name']}-{kept['sha256'][:12]}" / "lora.safetensors").write_bytes(b"rot")
    assert zirelia("lora", "list").code == 0
    said = zirelia("lora", "list", "--verify")
    assert said.code == 10
    assert "has changed" in said.err
    assert zirelia("lora", "export", kept["name"], "--out", home / "x.safetensors").code == 10


@pytest.mark.parametrize("layout", ["diffusers", "comfyui", "kohya", "ai-toolkit"])
def test_a_lora_that_went_out_comes_back_with_the_same_tensors(zirelia, tmp_path, layout):
    zirelia("lora", "import", MIRA, "--name", "mira")
    zirelia("lora", "export", "mira", "--layout", layout, "--out", tmp_path / "x.safetensors")
    back = zirelia("lora", "import", tmp_path / "x.safetensors", "--name", "again", "--base", "pocket-flux", "--json")
    assert back.code == 0, back.err
    before, after = load_file(MIRA), load_file(back.json["file"])
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    assert back.json["trigger"] == zirelia("lora", "card", "mira", "--json").json["trigger"]


@pytest.fixture
def judged(monkeypatch, home):
    """The studio's judging, already done: step 100 and 200, of which the first was chosen."""
    measured = [
        Measured(step=step, scale=0.8, identities=(0.8, 0.82, 0.84), agreement=0.9, leaked=0.0, diversity=0.2)
        for step in (100, 200)
    ]
    choice = Choice(
        step=100, scale=0.8, because="earliest", fit=Fit.GOOD, fit_because="as it should", passed=True, measured=tuple(measured)
    )
    file = home / "step-100.safetensors"
    shutil.copy(MIRA, file)
    lora = Lora(path=str(file), sha256=_sha256(file), trigger="zqnew", base_model="pocket-flux", rank=16)
    judgement = Judgement(
        persona="mira", trigger="zqnew", base_model="pocket-flux", image_model="diffusers/pocket", recogniser="looks/pocket",
        threshold=0.6, floors=Floors(), prompts=(), pictures=(), loras={100: lora.sha256}, real=Spread(values=(0.9,)),
        base=Spread(values=(0.1,)), choice=choice, sweep=(), seconds=1.0,
    )  # fmt: skip
    reference = Reference(
        path="a.png", sha256="1" * 64, origin="made", licence="CC0", caption="zqnew woman", generator="pocket"
    )
    dataset = Dataset(persona="mira", trigger="zqnew", consent=Consent(fictional=True), references=(reference,))
    done = Judged(judgement, (Checkpoint(step=100, lora=lora),), dataset)
    monkeypatch.setattr(Studio, "judge_checkpoints", lambda self, persona, checkpoints: done)
    monkeypatch.setattr(
        Studio, "write_judgement_report", lambda self, judged, out, *, checkpoints: out.write_text(f"page of {checkpoints}")
    )
    shutil.copytree(folder("persona") / "mira", home / "persona" / "mira")
    monkeypatch.chdir(home)
    return done


def test_the_chosen_one_is_kept_with_its_card_and_the_pack_left_alone(zirelia, judged, home):
    before = (home / "persona" / "mira" / "persona.yaml").read_text()
    said = zirelia("lora", "choose", "mira", "--checkpoints", home, "--report", home / "page.html")
    assert said.code == 0, said.err
    assert "step 100 at scale 0.8: earliest" in said.out
    assert (home / "page.html").read_text() == f"page of {home}"
    card = zirelia("lora", "card", "mira", "--json").json
    assert (card["licences"], card["generators"], card["scores"]["identity"]) == (["Apache-2.0", "CC0"], ["pocket"], 0.82)
    assert card["consent"]["fictional"]
    assert (home / "persona" / "mira" / "persona.yaml").read_text() == before


def test_the_chosen_one_goes_into_the_pack(zirelia, judged, home):
    said = zirelia("lora", "choose", "mira", "--use", "--json")
    assert said.code == 0, said.err
    assert said.json["in_use"] == {"trigger": "zqnew", "weights": "lora/mira.safetensors", "scale": 0.8}
    pack = load_persona("mira")
    assert pack.folder == home / "persona" / "mira"
    assert pack.persona.lora.model_dump() == said.json["in_use"]
    assert _sha256(pack.lora_path()) == said.json["lora"]["sha256"]
    assert sorted(path.name for path in (pack.folder / "lora").iterdir()) == ["mira.safetensors"]


def test_weights_that_stood_in_the_pack_are_kept_beside(zirelia, judged, home):
    old = home / "persona" / "mira" / "lora" / "mira.safetensors"
    old.write_bytes(b"hers until now")
    aside = old.with_name(f"mira-{_sha256(old)[:12]}.safetensors")
    assert zirelia("lora", "choose", "mira", "--use", "--json").code == 0
    assert aside.read_bytes() == b"hers until now"
    assert _sha256(old) == _sha256(MIRA)


def test_a_pack_that_cannot_be_changed_keeps_its_weights(zirelia, judged, home, monkeypatch):
    def refuse(pack_file, choice):
        raise DefinitionError("'lora' cannot be set", path=pack_file)

    monkeypatch.setattr("zirelia.studio.loras.checked", refuse)
    old = home / "persona" / "mira" / "lora" / "mira.safetensors"
    old.write_bytes(b"hers until now")
    assert zirelia("lora", "choose", "mira", "--use").code == 2
    assert old.read_bytes() == b"hers until now"


def test_the_library_says_who_wears_what(zirelia, judged):
    zirelia("lora", "choose", "mira", "--use")
    assert zirelia("lora", "list", "--json").json["loras"][0]["in_use_by"] == ["mira"]


@pytest.fixture
def below_the_floors(monkeypatch, judged):
    choice = judged.judgement.choice.model_copy(update={"passed": False, "because": "leaks in half of the pictures"})
    done = replace(judged, judgement=judged.judgement.model_copy(update={"choice": choice}))
    monkeypatch.setattr(Studio, "judge_checkpoints", lambda self, persona, checkpoints: done)


@pytest.mark.parametrize("shape", [(), ("--json",)])
def test_one_below_the_floors_is_kept_but_not_worn(zirelia, below_the_floors, home, shape):
    before = (home / "persona" / "mira" / "persona.yaml").read_text()
    said = zirelia("lora", "choose", "mira", "--use", *shape)
    assert said.code == 11
    words = " ".join(str(word) for word in said.json.values()) if shape else said.err
    assert "no checkpoint of 'mira' keeps the floors" in words
    assert "leaks in half of the pictures" in words
    assert "--anyway" in words
    assert (home / "persona" / "mira" / "persona.yaml").read_text() == before
    kept = zirelia("lora", "list", "--json").json["loras"]
    assert [each["scores"]["passed"] for each in kept] == [False]


def test_one_below_the_floors_is_kept_without_a_word_of_use(zirelia, below_the_floors):
    assert zirelia("lora", "choose", "mira").code == 0


def test_one_below_the_floors_is_worn_when_a_person_insists(zirelia, below_the_floors):
    said = zirelia("lora", "choose", "mira", "--use", "--anyway", "--json")
    assert said.code == 0, said.err
    assert said.json["in_use"]["trigger"] == "zqnew"
    assert load_persona("mira").persona.lora.trigger == "zqnew"
