"""LoRA files that are not what they say: refused by their header, before any loader sees them."""

from __future__ import annotations

import json
import pickle  # noqa: TID251 - to make the file that must be refused
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from zirelia.errors import ConfigurationError
from zirelia.images.weights import check_lora
from zirelia.safetensors_header import read_header

LAYER = "transformer.blocks.0.to_q"
BASE = {LAYER: (6, 8), "transformer.blocks.0.to_k": (6, 8)}


def _pair(module=LAYER, rank=2, out=6, inner=8, names=("lora_A", "lora_B")):
    return {
        f"{module}.{names[0]}.weight": np.ones((rank, inner), np.float16),
        f"{module}.{names[1]}.weight": np.ones((out, rank), np.float16),
    }


def _file(folder, tensors, **metadata):
    path = folder / "x.safetensors"
    save_file(tensors, path, metadata={name: str(value) for name, value in metadata.items()})
    return path


def test_a_good_file_tells_its_rank(tmp_path):
    header = read_header(_file(tmp_path, _pair(), trigger="zqmira"))
    facts = check_lora(header, BASE)
    assert (facts.rank, facts.modules, facts.native) == (2, 1, True)
    assert header.metadata["trigger"] == "zqmira"


def test_kohya_names_are_left_to_the_converter(tmp_path):
    path = _file(tmp_path, _pair("lora_unet_double_blocks_0", names=("lora_down", "lora_up")))
    assert not check_lora(read_header(path), BASE).native


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (_pair(out=7), "7 x 8, the base has 6 x 8"),
        (_pair("transformer.other"), "the base has no layer transformer.other"),
        ({f"{LAYER}.lora_A.weight": np.ones((2, 8))}, "one half"),
        (_pair() | {f"{LAYER}.lora_B.weight": np.ones((6, 3))}, "do not fit"),
        ({"model.weight": np.ones((2, 2))}, "holds no LoRA"),
        (_pair() | {f"{LAYER}.odd": np.ones(3)}, "belong to no LoRA pair"),
        (_pair() | {f"{LAYER}.dora_scale": np.ones(3)}, "of the kind DoRA"),
        (_pair() | {f"{LAYER}.lora_magnitude_vector.weight": np.ones(3)}, "of the kind DoRA"),
        ({f"{LAYER}.lokr_w1": np.ones(3), f"{LAYER}.alpha": np.ones(1)}, "of the kind LoKr"),
        ({f"{LAYER}.hada_w1_a": np.ones((3, 3))}, "of the kind LoHa"),
        (_pair() | {f"{LAYER}.diff_b": np.ones(3)}, "of the kind full difference"),
        (_pair() | {f"{LAYER}.lora_mid.weight": np.ones((2, 2, 3, 3))}, "of the kind Tucker LoCon"),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(tmp_path, tensors, said):
    with pytest.raises(ConfigurationError, match=said):
        check_lora(read_header(_file(tmp_path, tensors)), BASE)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, r"another base model \(stable-diffusion-xl-v1-base\)"),
        ({"ss_base_model_version": "flux1", "modelspec.architecture": ""}, r"another base model \(flux1\)"),
        ({"ss_base_model_version": "None"}, "another base model: 1 of 1"),
    ],
)
def test_a_lora_of_another_base_names_it(tmp_path, metadata, said):
    path = tmp_path / "x.safetensors"
    save_file(_pair("transformer.other"), path, metadata=metadata)
    with pytest.raises(ConfigurationError, match=said):
        check_lora(read_header(path), BASE)


GOOD = save(_pair())


def _with_header(header):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no safetensors file"),
        (GOOD[:-1], "cut off"),
        (GOOD + b"x", "cut off"),
        (GOOD[:20], "cut off"),
        (pickle.dumps({"a": list(range(50))}), "pickle"),
        (b"PK\x03\x04" + b"\0" * 100, "pickle or an archive"),
        (struct.pack("<Q", 2**60) + b"{}", "no safetensors file"),
        (struct.pack("<Q", 4) + b"nope", "damaged"),
        (_with_header({"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 400]}}), "header says"),
        (_with_header({"a": {"dtype": "EXEC", "shape": [], "data_offsets": [0, 0]}}), "unknown type"),
        (_with_header({"a": 3}), "damaged"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, data, said):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=said):
        read_header(path)


@pytest.mark.parametrize("name", ["x.bin", "x.pt", "x.ckpt", "x"])
def test_other_kinds_of_file_are_refused_by_name(tmp_path, name):
    with pytest.raises(ConfigurationError, match="safetensors files only"):
        read_header(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.safetensors"):
        read_header(tmp_path / "gone.safetensors")


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_no_bytes_get_past_but_as_a_clear_error(tmp_path_factory, noise, at):
    path = tmp_path_factory.mktemp("noise") / "x.safetensors"
    path.write_bytes(GOOD[:at] + noise + GOOD[at + len(noise) :])
    try:
        check_lora(read_header(path), BASE)
    except ConfigurationError:
        return
