"""Several LoRAs at once on the real pipeline: a character in a style, a cast of two, and the bare base again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import Beside, Provenance
from zirelia.errors import ConfigurationError
from zirelia.images import loras
from zirelia.images.base import Base, BaseKey, warm_base
from zirelia.images.flux import DiffusersImageMaker
from zirelia.images.loras import wear
from zirelia.images.profiles import PROFILES
from zirelia.images.shapes import layer_shapes, shapes_in


@pytest.fixture
def synthetic(pocket, tmp_path):
    """Random weights for a few layers of the pocket model, in their shapes."""
    shapes = layer_shapes(warm_base(pocket._key, local_only=True, token=None).text_to_image)

    def make(seed, rank=4, size=0.15):
        draw = np.random.default_rng(seed)
        tensors = {}
        for module in [name for name in shapes if name.endswith(("attn.to_q", "attn.to_v", "proj_out"))]:
            out, inner = shapes[module]
            tensors[f"{module}.lora_A.weight"] = (draw.standard_normal((rank, inner)) * size).astype(np.float32)
            tensors[f"{module}.lora_B.weight"] = (draw.standard_normal((out, rank)) * size).astype(np.float32)
        path = tmp_path / f"synthetic-{seed}.safetensors"
        save_file(tensors, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return Lora(path=str(path), sha256=sha256, trigger=f"style{seed}", base_model="pocket", rank=rank)

    return make


def _draw(maker, prompt, told, call, **options):
    return maker.make(prompt, call=call, progress=told, **{"lora": None} | options)


def test_a_character_in_a_style_and_back(pocket, mira, synthetic, wish, call, told):
    side = pocket.size()[0]
    prompt, ink = wish(width=side, height=side, lora_scale=0.9), synthetic(1)
    bare = _draw(pocket, prompt, told, call).data
    alone = _draw(pocket, prompt, told, call, lora=mira).data
    style = _draw(pocket, prompt, told, call, beside=[WornLora(lora=ink, scale=0.6)]).data
    both = _draw(pocket, prompt, told, call, lora=mira, beside=[WornLora(lora=ink, scale=0.6)])
    fainter = _draw(pocket, prompt, told, call, lora=mira, beside=[WornLora(lora=ink, scale=0.2)]).data
    assert len({bare, alone, style, both.data, fainter}) == 5
    assert both.provenance.beside == (Beside(sha256=ink.sha256, scale=0.6),)
    assert _draw(pocket, prompt, told, call, lora=mira, beside=[WornLora(lora=ink, scale=0.0)]).data == alone
    assert _draw(pocket, prompt, told, call, lora=mira).data == alone
    assert _draw(pocket, prompt, told, call).data == bare


def test_a_cast_of_two_draws_the_same_in_either_order(pocket, mira, synthetic, wish, call, told):
    side = pocket.size()[0]
    prompt, leo, ink = wish(width=side, height=side), synthetic(2), synthetic(3)
    one = _draw(pocket, prompt, told, call, lora=mira, beside=[WornLora(lora=leo), WornLora(lora=ink, scale=0.5)])
    other = _draw(pocket, prompt, told, call, lora=leo, beside=[WornLora(lora=ink, scale=0.5), WornLora(lora=mira)])
    assert one.data == other.data


def test_the_cast_stays_loaded_and_the_idle_ones_leave(pocket, mira, synthetic):
    base = warm_base(pocket._key, local_only=True, token=None)
    cast = [WornLora(lora=mira), *(WornLora(lora=synthetic(seed)) for seed in range(10, 14))]
    idle = WornLora(lora=synthetic(20))
    with base.lock:
        wear(base, [idle])
        wear(base, cast)
        assert set(base.adapters) == {each.lora.sha256 for each in cast}
        loaded = dict(base.adapters)
        wear(base, cast[:2])
        wear(base, cast)
        assert base.adapters == loaded
        wear(base, [idle])
        assert len(base.adapters) == loras._KEPT
        assert idle.lora.sha256 in base.adapters
        wear(base, [])


def test_each_of_several_is_checked(pocket, mira, synthetic, wish, call, told):
    side = pocket.size()[0]
    prompt = wish(width=side, height=side)
    changed = synthetic(4).model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ConfigurationError, match="has changed"):
        _draw(pocket, prompt, told, call, lora=mira, beside=[WornLora(lora=changed)])
    with pytest.raises(ConfigurationError, match=r"worn twice, at 0\.[59] and 0\.[59]"):
        _draw(
            pocket,
            prompt.model_copy(update={"lora_scale": 0.9}),
            told,
            call,
            lora=mira,
            beside=[WornLora(lora=mira, scale=0.5)],
        )
    assert _draw(pocket, prompt, told, call, lora=mira).data


def test_a_compiled_base_takes_one(mira, synthetic):
    class Pipeline:
        def load_lora_weights(self):
            raise AssertionError("nothing is loaded")

    profile = replace(PROFILES["pocket"], compile=True)
    base = Base(BaseKey("x", None, profile), Pipeline(), "cpu", "")
    with pytest.raises(ConfigurationError, match="2 LoRAs at once do not go onto a compiled base"):
        wear(base, [WornLora(lora=mira), WornLora(lora=synthetic(5))])


def test_another_maker_repeats_it_from_the_provenance(pocket, mira, synthetic, wish, call, told):
    side = pocket.size()[0]
    ink = synthetic(6)
    made = _draw(pocket, wish(width=side, height=side), told, call, lora=mira, beside=[WornLora(lora=ink, scale=0.4)])
    worn = [WornLora(lora=ink, scale=each.scale) for each in made.provenance.beside]
    again = DiffusersImageMaker(pocket._key.model, replace(PROFILES["pocket"], steps=4), name="pocket")
    assert _draw(again, made.provenance.prompt, told, call, lora=mira, beside=worn).data == made.data


def test_a_provenance_stored_before_styles_still_loads(pocket, wish, call, told):
    side = pocket.size()[0]
    stored = _draw(pocket, wish(width=side, height=side), told, call).provenance.model_dump(mode="json")
    assert stored.pop("beside") == []
    assert Provenance.model_validate(stored).beside == ()


def test_the_layers_of_a_folder_are_known_without_its_weights(pocket, tmp_path):
    loaded = layer_shapes(warm_base(pocket._key, local_only=True, token=None).text_to_image)
    read = shapes_in(Path(pocket._key.model))
    assert read == {name: shape for name, shape in loaded.items() if name.startswith("transformer.")}
    with pytest.raises(ConfigurationError, match="no diffusers pipeline whose layers"):
        shapes_in(tmp_path)
