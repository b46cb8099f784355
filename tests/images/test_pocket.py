"""The real diffusers pipeline on the weights that the package carries. Few tests: each picture takes half a second."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import pytest
from PIL import Image

from zirelia.errors import ConfigurationError, MissingExtra
from zirelia.images.flux import DiffusersImageMaker
from zirelia.images.profiles import PROFILES

SMALL = replace(PROFILES["pocket"], steps=4)


def _draw(maker, prompt, told, call, **options):
    return maker.make(prompt, call=call, progress=told, **{"lora": None} | options)


def test_a_lora_changes_the_picture_by_its_scale_and_leaves_no_trace(pocket, mira, wish, call, told):
    side = pocket.size()[0]
    prompt = wish(width=side, height=side)
    plain = _draw(pocket, prompt, told, call)
    worn = _draw(pocket, prompt, told, call, lora=mira)
    half = _draw(pocket, prompt.model_copy(update={"lora_scale": 0.5}), told, call, lora=mira)
    again = _draw(pocket, prompt, told, call)
    twice = _draw(pocket, prompt, told, call, lora=mira)
    nothing = _draw(pocket, prompt.model_copy(update={"lora_scale": 0.0}), told, call, lora=mira)
    assert again.data == plain.data == nothing.data
    assert twice.data == worn.data
    assert len({plain.data, worn.data, half.data}) == 3
    assert worn.provenance.lora_sha256 == mira.sha256
    assert plain.provenance.lora_sha256 is None


def test_provenance_is_enough_to_draw_it_again(pocket, wish, call, told):
    side = pocket.size()[0]
    made = _draw(pocket, wish(width=side, height=side), told, call)
    other = DiffusersImageMaker(pocket._key.model, SMALL, name="pocket")
    again = _draw(other, made.provenance.prompt, told, call)
    assert again.data == made.data
    assert (made.provenance.steps, made.provenance.guidance) == (4, 2.5)
    assert made.provenance.revision == again.provenance.revision
    assert len(made.provenance.revision) == 16
    assert _draw(other, wish(seed=8, width=side, height=side), told, call).data != made.data


def test_it_stops_after_the_step_in_which_it_is_cancelled(pocket, wish, call, told, new_told):
    side = pocket.size()[0]
    stopping = new_told(stop=InterruptedError("enough"), after=2)
    with pytest.raises(InterruptedError):
        _draw(pocket, wish(width=side, height=side), stopping, call)
    assert [note for _, note in stopping.words] == ["preparing pocket", "step 1 of 4", "step 2 of 4"]
    assert _draw(pocket, wish(width=side, height=side), told, call).data


def test_a_start_picture_shapes_what_is_drawn(pocket, wish, call, told, picture):
    side = pocket.size()[0]
    prompt = wish(width=side, height=side)
    start = picture("JPEG", (300, 200))
    drawn = _draw(pocket, prompt, told, call, start_from=start)
    assert drawn.data == _draw(pocket, prompt, told, call, start_from=start).data
    assert drawn.data != _draw(pocket, prompt, told, call).data
    assert Image.open(io.BytesIO(drawn.data)).size == (side, side)
    assert drawn.provenance.parents == (hashlib.sha256(start).hexdigest(),)


def test_a_lora_that_changed_or_was_made_for_another_base_is_refused(pocket, mira, wish, call, told, tmp_path):
    from safetensors.numpy import save_file

    side = pocket.size()[0]
    prompt = wish(width=side, height=side)
    with pytest.raises(ConfigurationError, match="has changed"):
        _draw(pocket, prompt, told, call, lora=mira.model_copy(update={"sha256": "0" * 64}))
    import numpy as np

    module = "transformer.transformer_blocks.0.attn.to_q"
    path = tmp_path / "big.safetensors"
    save_file(
        {
            f"{module}.lora_A.weight": np.ones((4, 3072), np.float32),
            f"{module}.lora_B.weight": np.ones((3072, 4), np.float32),
        },
        path,
    )
    wide = mira.model_copy(update={"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    with pytest.raises(ConfigurationError, match=r"another base model.*3072 x 3072"):
        _draw(pocket, prompt, told, call, lora=wide)
    assert _draw(pocket, prompt, told, call, lora=mira).data


@pytest.mark.parametrize(("width", "height", "hint"), [(130, 128, "128 x 128"), (128, 72, "128 x 64"), (65, 64, "64 x 64")])
def test_a_size_off_the_grid_is_refused_before_anything_loads(pocket, wish, call, told, width, height, hint):
    with pytest.raises(ConfigurationError, match=hint):
        _draw(pocket, wish(width=width, height=height), told, call)
    assert told.words == []


def test_a_folder_that_is_no_pipeline_is_a_clear_error(tmp_path, wish, call, told):
    with pytest.raises(ConfigurationError, match=r"no model_index\.json"):
        _draw(DiffusersImageMaker(tmp_path, SMALL), wish(), told, call)


def test_a_hub_name_offline_says_what_to_do(wish, call, told):
    maker = DiffusersImageMaker("nobody/nothing", SMALL, offline=True)
    with pytest.raises(ConfigurationError, match="offline"):
        _draw(maker, wish(), told, call)
    assert maker.size() == (1024, 1024)


def test_a_missing_library_names_the_extra(pocket, wish, call, told, monkeypatch):
    from zirelia.images import base

    monkeypatch.setattr(base, "_warm", None)
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"zirelia\[local\]"):
        _draw(pocket, wish(), told, call)
