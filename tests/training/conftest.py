"""Pipelines of random weights (Flux, SDXL, SD 1.5), small enough to train in a second, and datasets of drawn noise."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zirelia.domain.box import Box
from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.persona import Consent
from zirelia.pocket import weights
from zirelia.training.plan import Targets, TrainingPlan

TRIGGER = "mirelo"
SETTINGS = (
    "smiling, wearing a red hoodie, in a park, daylight",
    "serious, wearing a blue blazer, in a gym, night",
    "laughing, wearing a white sweater, in a cafe, golden hour",
    "serious, wearing a green t-shirt, on the beach, daylight",
    "smiling, wearing a black tank top, in a studio, night",
)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FluxPipeline folder: the pocket's tokenizers, everything else tiny and random."""
    return build_pipeline(tmp_path_factory.mktemp("bases") / "micro", guided=False)


@pytest.fixture(scope="session")
def guided_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a guidance embedding, as FLUX.1-dev has."""
    return build_pipeline(tmp_path_factory.mktemp("bases") / "micro-dev", guided=True)


def build_pipeline(folder: Path, *, guided: bool) -> Path:
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    shipped = weights.weights_dir() / "base"
    clip = AutoTokenizer.from_pretrained(shipped / "tokenizer", local_files_only=True)
    t5 = AutoTokenizer.from_pretrained(shipped / "tokenizer_2", local_files_only=True)
    torch.manual_seed(0)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(clip), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=64, bos_token_id=clip.bos_token_id, eos_token_id=clip.eos_token_id,
            pad_token_id=clip.pad_token_id,
        )
    )  # fmt: skip
    text_encoder_2 = T5EncoderModel(
        T5Config(vocab_size=len(t5), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
                 is_encoder_decoder=False, use_cache=False)
    )  # fmt: skip
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, pooled_projection_dim=16, guidance_embeds=guided, axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1, latent_channels=4, norm_num_groups=2, mid_block_add_attention=False,
        shift_factor=0.1, scaling_factor=0.9, sample_size=32,
    )  # fmt: skip
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=clip,
        text_encoder_2=text_encoder_2,
        tokenizer_2=t5,
        transformer=transformer,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sdxl_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StableDiffusionXLPipeline folder that predicts the noise."""
    return build_unet_pipeline(tmp_path_factory.mktemp("bases") / "micro-xl", large=True)


@pytest.fixture(scope="session")
def sd15_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StableDiffusionPipeline folder that predicts the velocity, as some fine-tunes of it do."""
    return build_unet_pipeline(tmp_path_factory.mktemp("bases") / "micro-sd", large=False)


def build_unet_pipeline(folder: Path, *, large: bool) -> Path:
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        EulerDiscreteScheduler,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    clip = AutoTokenizer.from_pretrained(weights.weights_dir() / "base/tokenizer", local_files_only=True)
    torch.manual_seed(1)
    said = CLIPTextConfig(
        vocab_size=len(clip), hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, projection_dim=16, bos_token_id=clip.bos_token_id, eos_token_id=clip.eos_token_id,
        pad_token_id=clip.pad_token_id,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=16, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32 if large else 16,
        **({"addition_embed_type": "text_time", "addition_time_embed_dim": 4, "use_linear_projection": True,
            "projection_class_embeddings_input_dim": 40} if large else {}),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(4, 4), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1, latent_channels=4, norm_num_groups=2, mid_block_add_attention=False, sample_size=32,
    )  # fmt: skip
    parts = {"vae": vae, "unet": unet, "text_encoder": CLIPTextModel(said), "tokenizer": clip}
    if large:
        pipeline = StableDiffusionXLPipeline(
            **parts, text_encoder_2=CLIPTextModelWithProjection(said), tokenizer_2=clip, scheduler=EulerDiscreteScheduler()
        )
    else:
        pipeline = StableDiffusionPipeline(
            **parts, scheduler=DDIMScheduler(prediction_type="v_prediction", steps_offset=1, clip_sample=False),
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of 32 x 32 (one wider, one turned by its EXIF)."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(3)
    for number in range(len(SETTINGS)):
        width = 40 if number == 1 else 32
        image = Image.fromarray(rng.integers(0, 256, (32, width, 3), dtype=np.uint8))
        exif = Image.Exif()
        if number == 2:
            exif[0x0112] = 6
        image.save(folder / f"{number}.png", exif=exif)
    return folder


SHAPES = ((64, 64), (48, 80), (64, 72), (52, 90), (80, 48))


@pytest.fixture(scope="session")
def shaped_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of three shapes."""
    folder = tmp_path_factory.mktemp("shaped")
    rng = np.random.default_rng(4)
    for number, (width, height) in enumerate(SHAPES):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def shaped_dataset(dataset: Dataset, shaped_pictures: Path) -> Dataset:
    """The same captions on pictures of three shapes, with a face in all but one."""
    return dataset.model_copy(
        update={
            "references": tuple(
                reference.model_copy(
                    update={
                        "sha256": hashlib.sha256((shaped_pictures / reference.path).read_bytes()).hexdigest(),
                        "face": None if number == 0 else Box(left=0.4, top=0.2, right=0.6, bottom=0.4),
                    }
                )
                for number, reference in enumerate(dataset.references)
            )
        }
    )


@pytest.fixture
def dataset(pictures: Path) -> Dataset:
    references = tuple(
        Reference(
            path=f"{number}.png",
            sha256=hashlib.sha256((pictures / f"{number}.png").read_bytes()).hexdigest(),
            origin="noise",
            licence="CC0-1.0",
            caption=f"{TRIGGER} woman, close-up portrait, {setting}",
        )
        for number, setting in enumerate(SETTINGS)
    )
    return Dataset(persona="mira", trigger=TRIGGER, consent=Consent(fictional=True), references=references)


@pytest.fixture
def plan() -> TrainingPlan:
    return TrainingPlan(
        name="micro",
        resolution=32,
        max_sequence_length=16,
        rank=2,
        targets=Targets.EVERYTHING,
        learning_rate=1e-2,
        schedule="linear",
        warmup_steps=2,
        steps=10,
        batch=2,
        preservation_batch=2,
        preservation_weight=2.0,
        caption_variants=2,
        part_dropout=0.3,
        snapshot_every=4,
    )


@pytest.fixture
def copied_base(base: Path, tmp_path: Path) -> Path:
    """A base of the test's own, to damage."""
    return Path(shutil.copytree(base, tmp_path / "base"))
