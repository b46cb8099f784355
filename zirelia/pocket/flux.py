"""The tiny Flux itself: transformer and two text encoders in one module, and the stock pipeline made of them.

    flux = new_flux(LAPTOP, clip, t5)                    # or load_flux(weights.pipeline_dir())
    save_pipeline(assemble(vae, flux, tokenizers), out)  # half precision, a plain diffusers folder

It holds the shapes; how they learn is in `base`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from zirelia.files import whole_folder
from zirelia.pocket.recipe import Recipe

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

STEPS = 16
GUIDANCE = 2.5
_ZEROED = (".norm1.linear", ".norm1_context.linear", ".norm.linear")


class PocketFlux(torch.nn.Module):
    """What is trained together, and averaged together."""

    def __init__(self, transformer: FluxTransformer2DModel, clip: CLIPTextModel, t5: T5EncoderModel) -> None:
        super().__init__()
        self.transformer, self.clip, self.t5 = transformer, clip, t5

    def forward(self, latents: Tensor, times: Tensor, clip_ids: Tensor, t5_ids: Tensor) -> Tensor:
        """The velocity from picture to noise, predicted for packed latents at times in 0..1."""
        tokens = latents.shape[1]
        velocity: Tensor = self.transformer(
            hidden_states=latents,
            encoder_hidden_states=self.t5(t5_ids)[0],
            pooled_projections=self.clip(clip_ids).pooler_output,
            timestep=times,
            img_ids=image_ids(round(tokens**0.5)).to(latents.device),
            txt_ids=torch.zeros(t5_ids.shape[1], 3, device=latents.device),
            return_dict=False,
        )[0]
        return velocity


def new_flux(recipe: Recipe, clip: CLIPTokenizer, t5: T5Tokenizer) -> PocketFlux:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        flux = PocketFlux(_transformer(recipe), _clip(recipe, clip), _t5(recipe, t5))
    for name, parameter in flux.transformer.named_parameters():
        if any(part in name for part in _ZEROED) or name.startswith(("norm_out.linear", "proj_out")):
            torch.nn.init.zeros_(parameter)
    return flux


def load_flux(folder: Path) -> PocketFlux:
    return PocketFlux(
        FluxTransformer2DModel.from_pretrained(folder / "transformer", dtype=torch.float32),
        CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
        T5EncoderModel.from_pretrained(folder / "text_encoder_2", dtype=torch.float32),
    )


def load_pipeline(folder: Path) -> FluxPipeline:
    """The shipped folder as a silent single-precision pipeline."""
    pipeline = FluxPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def assemble(vae: AutoencoderKL, flux: PocketFlux, tokenizers: tuple[CLIPTokenizer, T5Tokenizer]) -> FluxPipeline:
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0, use_dynamic_shifting=False),
        vae=vae,
        text_encoder=flux.clip,
        tokenizer=tokenizers[0],
        text_encoder_2=flux.t5,
        tokenizer_2=tokenizers[1],
        transformer=flux.transformer,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_pipeline(pipeline: FluxPipeline, out: Path) -> None:
    """Write a half-precision copy as one folder that is there whole or not at all."""
    halves = {
        name: copy.deepcopy(part).half() if isinstance(part, torch.nn.Module) else part
        for name, part in pipeline.components.items()
        if part is not None
    }
    with whole_folder(out) as part:
        FluxPipeline(**halves).save_pretrained(part)


def paint(pipeline: FluxPipeline, prompts: list[str], seeds: list[int], *, size: int, length: int) -> list[Image.Image]:
    """Pictures for prompts at the settings the weights were trained for."""
    return list(
        pipeline(
            prompts,
            negative_prompt=[""] * len(prompts),
            true_cfg_scale=GUIDANCE,
            num_inference_steps=STEPS,
            height=size,
            width=size,
            max_sequence_length=length,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        ).images
    )


def pack(latents: Tensor) -> Tensor:
    """[n, c, h, w] to one token per two by two cells, in Flux's order."""
    n, c, h, w = latents.shape
    cells = latents.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return cells.reshape(n, (h // 2) * (w // 2), c * 4)


def image_ids(side: int) -> Tensor:
    ids = torch.zeros(side, side, 3)
    ids[..., 1] += torch.arange(side)[:, None]
    ids[..., 2] += torch.arange(side)[None]
    return ids.reshape(-1, 3)


def _transformer(recipe: Recipe) -> FluxTransformer2DModel:
    return FluxTransformer2DModel(
        patch_size=1,
        in_channels=recipe.latent_channels * 4,
        num_layers=recipe.double_blocks,
        num_single_layers=recipe.single_blocks,
        attention_head_dim=recipe.head_width,
        num_attention_heads=recipe.heads,
        joint_attention_dim=recipe.t5_width,
        pooled_projection_dim=recipe.clip_width,
        guidance_embeds=False,
        axes_dims_rope=recipe.rope_axes,
    )


def _clip(recipe: Recipe, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    # A real end-of-text id: 2 would switch on the pooling of old checkpoints.
    width = recipe.clip_width
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=width // 32,
            max_position_embeddings=recipe.clip_length,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _t5(recipe: Recipe, tokenizer: T5Tokenizer) -> T5EncoderModel:
    width = recipe.t5_width
    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=32,
            d_ff=2 * width,
            num_layers=2,
            num_heads=width // 32,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            is_encoder_decoder=False,
            use_cache=False,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,
            relative_attention_num_buckets=16,
            relative_attention_max_distance=recipe.t5_length,
        )
    )
