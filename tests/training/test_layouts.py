"""LoRA files of other trainers: read, written back, and read by diffusers' own converter; the deltas are what counts."""

from __future__ import annotations

import json
import re

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from diffusers.loaders.lora_pipeline import FluxLoraLoaderMixin, StableDiffusionLoraLoaderMixin
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from zirelia.errors import ConfigurationError
from zirelia.safetensors_header import read_header
from zirelia.training.layouts import Layout, encode_lora, in_layout, read_lora_file, write_lora_file
from zirelia.training.layouts_flux import Pair, native_names, split

LINEAR = re.compile(
    r".*(attn\.(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)|net\.0\.proj|net\.2|linear|proj_mlp"
    r"|proj_out|embedder|linear_[12])"
)
SIZES = {
    "tiny": {"num_layers": 2, "num_single_layers": 4, "attention_head_dim": 8, "num_attention_heads": 2, "in_channels": 4},
    "wide": {"num_layers": 1, "num_single_layers": 1, "attention_head_dim": 128, "num_attention_heads": 24, "in_channels": 64},
}


@pytest.fixture(scope="module", params=SIZES)
def flux(request):
    """Every linear layer of a Flux transformer: its name → (out, in). "wide" is as wide as FLUX.1-dev."""
    width = SIZES[request.param]["attention_head_dim"] * SIZES[request.param]["num_attention_heads"]
    with torch.device("meta"):
        model = FluxTransformer2DModel(
            **SIZES[request.param], joint_attention_dim=width, pooled_projection_dim=16, guidance_embeds=True,
            axes_dims_rope=(2, 2, 4),
        )  # fmt: skip
    return _linears(model)


def _linears(model):
    return {
        name: (module.out_features, module.in_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }


def _pairs(shapes, rank, seed=0):
    torch.manual_seed(seed)
    return {name: (torch.randn(rank, inner), torch.randn(out, rank)) for name, (out, inner) in shapes.items()}


def _native(pairs, component="transformer"):
    return {
        f"{component}.{name}.{side}.weight": tensor.to(torch.bfloat16)
        for name, (down, up) in pairs.items()
        for side, tensor in (("lora_A", down), ("lora_B", up))
    }


def _deltas(tensors):
    """What each layer's change makes of eight random vectors: equal for equal changes, without the whole matrices."""
    answers = {}
    for name, tensor in tensors.items():
        if name.endswith(".lora_A.weight"):
            down, up = tensor.float().flatten(1), tensors[name.replace("lora_A", "lora_B")].float().flatten(1)
            probe = torch.randn(down.shape[1], 8, generator=torch.Generator().manual_seed(9))
            answers[name.removesuffix(".lora_A.weight")] = up @ (down @ probe)
    return answers


def _same(found, wanted, *, close=1e-5):
    assert found.keys() == wanted.keys()
    for name, delta in wanted.items():
        assert torch.allclose(found[name], delta, rtol=close, atol=close * float(delta.abs().max())), name


def _saved(path, tensors, **metadata):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata or None)
    return path


def test_every_layer_of_a_flux_has_a_name_in_every_layout(flux):
    tensors = _native(_pairs(flux, 1))
    fused = in_layout(tensors, Layout.KOHYA)
    targets = {
        target
        for name in fused
        if name.endswith(".lora_up.weight")
        for target in native_names(name.removeprefix("lora_unet_").removesuffix(".lora_up.weight"))
    }
    assert targets == set(flux)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("rank", [1, 4])
def test_there_and_back_gives_the_same_deltas(flux, layout, rank, tmp_path):
    tensors = _native(_pairs(flux, rank))
    write_lora_file(tmp_path / "x.safetensors", tensors, layout, {"modelspec.title": "x"})
    read = read_lora_file(tmp_path / "x.safetensors")
    _same(_deltas(read.tensors), _deltas(tensors))
    assert read.rank == rank
    assert read.metadata["modelspec.title"] == "x"
    assert read.changed == (layout in {Layout.KOHYA, Layout.COMFYUI})


@pytest.mark.parametrize("layout", [Layout.KOHYA, Layout.COMFYUI])
def test_the_converter_of_diffusers_reads_what_is_written(flux, layout, tmp_path):
    # its single blocks are 3072 wide, whatever the model is
    kept = {name: shape for name, shape in flux.items() if "single" not in name or shape[1] % 3072 == 0}
    tensors = _native(_pairs(kept, 2))
    write_lora_file(tmp_path / "x.safetensors", tensors, layout, {})
    read = FluxLoraLoaderMixin.lora_state_dict(load_file(tmp_path / "x.safetensors"))
    # it forgets the prefix of the embedders and of the last layers
    _same(
        _deltas({name if name.startswith("transformer.") else f"transformer.{name}": t for name, t in read.items()}),
        _deltas(tensors),
    )


def test_a_file_of_kohya_reads_as_diffusers_reads_it(tmp_path):
    """As sd-scripts writes it: fused layers of one full matrix, alpha of its own, fp16, a text encoder."""
    torch.manual_seed(1)
    width, tensors = 3072, {}
    for name, out, inner in (
        ("double_blocks_0_img_attn_qkv", 3 * width, width),
        ("double_blocks_0_txt_attn_proj", width, width),
        ("double_blocks_0_img_mod_lin", 6 * width, width),
        ("single_blocks_0_linear1", 7 * width, width),
        ("single_blocks_0_linear2", width, 5 * width),
    ):
        tensors[f"lora_unet_{name}.lora_down.weight"] = torch.randn(4, inner).half()
        tensors[f"lora_unet_{name}.lora_up.weight"] = torch.randn(out, 4).half()
        tensors[f"lora_unet_{name}.alpha"] = torch.tensor(1.0)
    theirs = _deltas(FluxLoraLoaderMixin.lora_state_dict({name: tensor.float() for name, tensor in tensors.items()}))
    text = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    tensors |= {f"{text}.lora_down.weight": torch.ones(4, 8).half(), f"{text}.lora_up.weight": torch.ones(8, 4).half()}
    tensors[f"{text}.alpha"] = torch.tensor(1.0)
    read = read_lora_file(_saved(tmp_path / "x.safetensors", tensors))
    _same(_deltas(read.tensors), theirs, close=1e-2)
    assert read.notes[0] == "the text encoder's part (1 layers) was left out: only the picture model is changed"
    assert any("F16" in note for note in read.notes)
    assert {kind for kind, _ in read_header(_saved(tmp_path / "y.safetensors", dict(read.tensors))).tensors.values()} == {
        "BF16"
    }


NAMINGS = {
    "peft": ("base_model.model.transformer_blocks.0.attn.to_q", "lora_A.default", "lora_B.default"),
    "bare": ("transformer_blocks.0.attn.to_q", "lora_A", "lora_B"),
    "ai-toolkit": ("diffusion_model.transformer_blocks.0.attn.to_q", "lora_A", "lora_B"),
    "old diffusers": ("transformer.transformer_blocks.0.attn.to_q", "lora.down", "lora.up"),
    "OneTrainer": ("lora_transformer_transformer_blocks_0_attn_to_q", "lora_down", "lora_up"),
    "authors, dots": ("diffusion_model.double_blocks.0.img_attn.proj", "lora_A", "lora_B"),
    "authors, bare": ("double_blocks.0.txt_attn.proj", "lora_A", "lora_B"),
    "kohya": ("lora_unet_double_blocks_0_img_mlp_0", "lora_down", "lora_up"),
    "XLabs": ("double_blocks.0.processor.proj_lora1", "down", "up"),
    "XLabs single": ("single_blocks.0.processor.proj_lora", "down", "up"),
    "UNet": ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "lora_A", "lora_B"),
    "UNet, processor": ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out", "lora.down", "lora.up"),
    "kohya SD": ("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0", "lora_down", "lora_up"),
    "kohya SDXL": ("lora_unet_middle_block_1_transformer_blocks_0_attn1_to_out_0", "lora_down", "lora_up"),
}
WANTED = {
    "authors, dots": "transformer.transformer_blocks.0.attn.to_out.0",
    "authors, bare": "transformer.transformer_blocks.0.attn.to_add_out",
    "kohya": "transformer.transformer_blocks.0.ff.net.0.proj",
    "XLabs": "transformer.transformer_blocks.0.attn.to_out.0",
    "XLabs single": "transformer.single_transformer_blocks.0.proj_out",
    "UNet": "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    "UNet, processor": "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "kohya SD": "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "kohya SDXL": "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_layer_is_found_under_the_name_that_each_trainer_gives_it(naming, tmp_path):
    module, down, up = NAMINGS[naming]
    if naming.startswith("XLabs single"):
        module = "single_blocks.0.processor.proj_lora"
    tensors = {f"{module}.{down}.weight": torch.randn(2, 8), f"{module}.{up}.weight": torch.randn(8, 2)}
    if naming == "UNet, processor":
        tensors = {name.replace("to_out.lora", "to_out_lora"): tensor for name, tensor in tensors.items()}
    read = read_lora_file(_saved(tmp_path / "x.safetensors", tensors))
    wanted = WANTED.get(naming, "transformer.transformer_blocks.0.attn.to_q")
    assert set(read.tensors) == {f"{wanted}.lora_A.weight", f"{wanted}.lora_B.weight"}


def test_xlabs_reads_as_diffusers_reads_it(tmp_path):
    torch.manual_seed(2)
    tensors = {}
    for name, out in (
        ("double_blocks.0.processor.qkv_lora1", 24),
        ("double_blocks.0.processor.qkv_lora2", 24),
        ("double_blocks.0.processor.proj_lora2", 8),
        ("single_blocks.0.processor.qkv_lora", 24),
        ("single_blocks.0.processor.proj_lora", 8),
    ):
        tensors |= {f"{name}.down.weight": torch.randn(2, 8).bfloat16(), f"{name}.up.weight": torch.randn(out, 2).bfloat16()}
    theirs = FluxLoraLoaderMixin.lora_state_dict(dict(tensors))
    _same(_deltas(read_lora_file(_saved(tmp_path / "x.safetensors", tensors)).tensors), _deltas(theirs))


@pytest.fixture(scope="module")
def unet():
    with torch.device("meta"):
        return UNet2DConditionModel(
            block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=4, cross_attention_dim=8, attention_head_dim=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )  # fmt: skip


def test_a_unet_goes_to_kohya_and_back_also_through_diffusers(unet, tmp_path):
    torch.manual_seed(3)
    tensors = {}
    for name, module in unet.named_modules():
        if isinstance(module, torch.nn.Conv2d) and "resnets" in name:
            down = torch.randn(2, module.in_channels, *module.kernel_size)
            tensors |= {
                f"unet.{name}.lora_A.weight": down,
                f"unet.{name}.lora_B.weight": torch.randn(module.out_channels, 2, 1, 1),
            }
        elif isinstance(module, torch.nn.Linear) and "attn" in name:
            tensors |= {
                f"unet.{name}.lora_A.weight": torch.randn(2, module.in_features),
                f"unet.{name}.lora_B.weight": torch.randn(module.out_features, 2),
            }
    tensors = {name: tensor.bfloat16() for name, tensor in tensors.items()}
    for layout in (Layout.KOHYA, Layout.COMFYUI, Layout.AI_TOOLKIT):
        write_lora_file(tmp_path / "x.safetensors", tensors, layout, {})
        _same(_deltas(read_lora_file(tmp_path / "x.safetensors").tensors), _deltas(tensors))
    theirs, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(load_file(tmp_path / "x.safetensors"))
    assert len(theirs) == len(tensors)
    assert set(alphas.values()) == {2.0}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=4, max_size=4), st.booleans(), st.integers(0, 2**16))
def test_any_ranks_of_a_single_block_go_there_and_back(ranks, comfy, seed):
    """Rank 0 stands for a layer that the LoRA leaves alone."""
    torch.manual_seed(seed)
    names = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    tensors = {}
    for name, rank, out in zip(names, ranks, (8, 8, 8, 32), strict=True):
        if rank:
            module = f"transformer.single_transformer_blocks.3.{name}"
            tensors[f"{module}.lora_A.weight"] = torch.randn(rank, 8)
            tensors[f"{module}.lora_B.weight"] = torch.randn(out, rank)
    fused = in_layout(tensors, Layout.COMFYUI if comfy else Layout.KOHYA)
    if not tensors:
        assert fused == {}
        return
    stem = "diffusion_model.single_blocks.3.linear1" if comfy else "lora_unet_single_blocks_3_linear1"
    assert float(fused[f"{stem}.alpha"]) == sum(ranks)
    back = split(
        "single_blocks.3.linear1",
        Pair(fused[f"{stem}.lora_down.weight"], fused[f"{stem}.lora_up.weight"]),
        native_names("single_blocks.3.linear1"),
    )
    found = {}
    for name, pair in back.items():
        found |= {f"transformer.{name}.lora_A.weight": pair.down, f"transformer.{name}.lora_B.weight": pair.up}
    _same(_deltas(found), _deltas(tensors), close=1e-4)
    assert {pair.rank for pair in back.values()} == {rank for rank in ranks if rank}


def test_ranks_and_alphas_that_differ_become_one(tmp_path):
    torch.manual_seed(4)
    first, second = "transformer.transformer_blocks.0.attn.to_q", "transformer.transformer_blocks.0.attn.to_k"
    tensors = {
        f"{first}.lora_A.weight": torch.randn(2, 8).bfloat16(),
        f"{first}.lora_B.weight": torch.randn(8, 2).bfloat16(),
        f"{first}.alpha": torch.tensor(1.0),
        f"{second}.lora_A.weight": torch.randn(6, 8).bfloat16(),
        f"{second}.lora_B.weight": torch.randn(8, 6).bfloat16(),
    }
    read = read_lora_file(_saved(tmp_path / "x.safetensors", tensors))
    assert read.rank == 6
    assert {tuple(tensor.shape) for tensor in read.tensors.values()} == {(6, 8), (8, 6)}
    wanted = _deltas(tensors)
    _same(_deltas(read.tensors), {first: wanted[first] * 0.5, second: wanted[second]})
    assert "layers of rank 2 to 6 were all made rank 6" in read.notes


def test_the_alpha_that_diffusers_keeps_in_the_metadata_counts(tmp_path):
    name = "transformer.transformer_blocks.0.attn.to_q"
    tensors = {f"{name}.lora_A.weight": torch.ones(4, 8).bfloat16(), f"{name}.lora_B.weight": torch.ones(8, 4).bfloat16()}
    for said, scale in (
        ({"transformer.r": 4, "transformer.lora_alpha": 8}, 2.0),
        ({"transformer.lora_alpha": 8, "transformer.use_rslora": True}, 4.0),
        ({"transformer.lora_alpha": 8, "transformer.alpha_pattern": {"attn.to_q": 2}}, 0.5),
    ):
        read = read_lora_file(_saved(tmp_path / "x.safetensors", tensors, lora_adapter_metadata=json.dumps(said)))
        _same(_deltas(read.tensors), {name: _deltas(tensors)[name] * scale})


Q = "transformer.transformer_blocks.0.attn.to_q"
DOWN, UP = {f"{Q}.lora_A.weight": torch.ones(2, 8)}, {f"{Q}.lora_B.weight": torch.ones(8, 2)}


@pytest.mark.parametrize(
    ("tensors", "metadata", "said"),
    [
        (DOWN | {f"{Q}.lora_B.weight": torch.full((8, 2), float("nan"))}, {}, "not finite"),
        (DOWN | {f"{Q}.lora_B.weight": torch.full((8, 2), float("inf"))}, {}, "not finite"),
        (DOWN | UP | {f"{Q}.alpha": torch.tensor(float("nan"))}, {}, "not finite"),
        (DOWN | {f"{Q}.lora_B.weight": torch.zeros(8, 2)}, {}, "changes nothing"),
        (DOWN, {}, "one half"),
        (DOWN | {f"{Q}.lora_B.weight": torch.ones(8, 3)}, {}, "do not fit"),
        ({f"{Q}.lora_A.weight": torch.ones(2), f"{Q}.lora_B.weight": torch.ones(2)}, {}, "do not fit"),
        (DOWN | UP | {f"{Q}.dora_scale": torch.ones(8)}, {}, "kind DoRA"),
        (DOWN | UP, {"lora_adapter_metadata": '{"transformer.use_dora": true, "transformer.lora_alpha": 2}'}, "kind DoRA"),
        (DOWN | UP, {"lora_adapter_metadata": "[1"}, "lora_adapter_metadata is damaged"),
        (DOWN | UP, {"lora_adapter_metadata": '{"transformer.lora_alpha": NaN}'}, "lora_adapter_metadata is damaged"),
        (
            DOWN | UP,
            {"lora_adapter_metadata": '{"transformer.lora_alpha": 1, "transformer.alpha_pattern": [2]}'},
            "lora_adapter_metadata is damaged",
        ),
        (DOWN | UP | {f"{Q}.alpha": torch.ones(0)}, {}, "no single number"),
        ({"lora_unet_x.lokr_w1": torch.ones(2, 2)}, {}, "kind LoKr"),
        ({"lora_unet_x.hada_w1_a": torch.ones(2, 2)}, {}, "kind LoHa"),
        (DOWN | UP | {f"{Q}.odd": torch.ones(2)}, {}, "belongs to no LoRA pair"),
        (DOWN | UP | {"transformer.other.alpha": torch.ones(1)}, {}, "belong to no layer"),
        (
            {"lora_te_x.lora_down.weight": torch.ones(2, 2), "lora_te_x.lora_up.weight": torch.ones(2, 2)},
            {},
            "no LoRA of a picture",
        ),
        (
            {"wan.blocks.0.lora_A.weight": torch.ones(2, 2), "wan.blocks.0.lora_B.weight": torch.ones(2, 2)},
            {},
            "no known layout",
        ),
        (
            {
                "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": torch.ones(2, 8),
                "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": torch.ones(25, 2),
            },
            {},
            "25 rows",
        ),
        (
            DOWN
            | UP
            | {"diffusion_model.transformer_blocks.0.attn.to_q.lora_A.weight": torch.ones(2, 8)}
            | {"diffusion_model.transformer_blocks.0.attn.to_q.lora_B.weight": torch.ones(8, 2)},
            {},
            "twice, under two names",
        ),
        (
            DOWN | UP | {"unet.x.to_q.lora_A.weight": torch.ones(2, 8), "unet.x.to_q.lora_B.weight": torch.ones(8, 2)},
            {},
            "no single base",
        ),
        (
            {"lora_unet_down_blocks_99.lora_down.weight": torch.ones(2, 8)}
            | {"lora_unet_down_blocks_99.lora_up.weight": torch.ones(8, 2)}
            | {"lora_unet_input_blocks_77_1_proj_in.lora_down.weight": torch.ones(2, 8)}
            | {"lora_unet_input_blocks_77_1_proj_in.lora_up.weight": torch.ones(8, 2)},
            {},
            "of no UNet|no UNet of",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tensors, metadata, said, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ConfigurationError, match=said):
        read_lora_file(path)


FRAGMENTS = st.from_regex(
    r"transformer\.|unet\.|lora_unet_|diffusion_model\.|base_model\.model\.|double_blocks|single_blocks|_0_|\.0\.|input_blocks_"
    r"|down_blocks_|middle_block_|up_blocks\.1|img_attn_qkv|linear1|attn|to_q|_|\.|4_1_|out_2|time_embed_0|label_emb_0_0"
    r"|skip_connection|conv|proj_in|processor\.|lora_te_|emb_layers_1",
    fullmatch=True,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FRAGMENTS, min_size=1, max_size=6).map("".join), min_size=1, max_size=4, unique=True))
def test_no_names_get_past_but_as_our_own_layout_or_a_clear_error(tmp_path_factory, modules):
    path = tmp_path_factory.mktemp("names") / "x.safetensors"
    tensors = {f"{module}.lora_down.weight": torch.ones(2, 8) for module in modules}
    save_file(tensors | {f"{module}.lora_up.weight": torch.ones(24, 2) for module in modules}, path)
    try:
        read = read_lora_file(path)
    except ConfigurationError:
        return
    assert all(name.startswith(("transformer.", "unet.")) and name.endswith(("A.weight", "B.weight")) for name in read.tensors)


def test_equal_tensors_and_metadata_give_equal_bytes(tmp_path):
    tensors = _native(_pairs({"transformer_blocks.0.attn.to_q": (8, 8)}, 2))
    metadata = {f"key{n}": str(n) for n in range(20)}
    assert len({encode_lora(tensors, dict(sorted(metadata.items(), reverse=back))) for back in (False, True)}) == 1


def test_a_layer_that_the_authors_do_not_have_is_not_exported_under_a_wrong_name():
    tensors = _native(_pairs({"transformer_blocks.0.odd": (8, 8)}, 2))
    with pytest.raises(
        ConfigurationError, match=r"no name in the layout of the FLUX.1 authors, such as transformer_blocks\.0\.odd"
    ):
        in_layout(tensors, Layout.KOHYA)
