"""One side of the trainer bench, in a process of its own: trains, and prints what it took as one line of JSON.

    python bench/trainer_side.py build FOLDER proportions        # a base of random weights
    python bench/trainer_side.py zirelia FOLDER pocket 40
    python bench/trainer_side.py plain FOLDER pocket 40

The plain loop is built as diffusers' example for DreamBooth and LoRA on FLUX (`train_dreambooth_lora_flux.py`) with a caption
for each picture and its switches left alone: VAE and both text encoders stay in memory beside the transformer and are asked at
every step. It differs in taking everything random from where Zirelia takes it (noise, times, order, the LoRA's first values)
and the middle of the VAE's distribution instead of a sample, so that both sides must come to the same losses; and it neither
validates nor saves nor goes on after a kill.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from zirelia.domain.dataset import Dataset
from zirelia.pocket.weights import weights_dir
from zirelia.training.plan import POCKET, Targets, TrainingPlan

TODAY = date(2026, 11, 21)
Told = Callable[[float], None]

_ALONE = {"preservation_batch": 0, "caption_variants": 1, "part_dropout": 0.0, "caption_dropout": 0.0}
_RANDOM = TrainingPlan(
    name="random",
    resolution=256,
    max_sequence_length=32,
    targets=Targets.BLOCKS,
    learning_rate=1e-3,
    warmup_steps=5,
    steps=1,
    time_shift=3.1582,
    gradient_checkpointing=True,
)
CASES: dict[str, tuple[str, TrainingPlan]] = {
    "pocket": ("the embedded base as it ships, 128 px, batch 8", POCKET.model_copy(update=_ALONE)),
    "proportions": (
        "random weights in FLUX.1-dev's proportions: T5 39% of the transformer, 8 picture tokens to 1 of text (1024 px)",
        _RANDOM.model_copy(update=_ALONE),
    ),
    "heavy text": (
        "random weights, text encoder as large as the transformer, 2 picture tokens to 1 of text (512 px)",
        _RANDOM.model_copy(update={**_ALONE, "max_sequence_length": 128}),
    ),
}
"""Case → what it is, and the plan of both sides."""

_BLOCKS = {"proportions": (3, 6, 4), "heavy text": (2, 6, 8)}
"""Case → double blocks, single blocks, layers of T5."""


def base_of(folder: Path, case: str) -> Path:
    return weights_dir() / "base" if case == "pocket" else folder / f"base {case}"


# ---- the two sides ---------------------------------------------------------------------------------------------------------


def zirelia(base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, told: Told) -> None:
    """Ours: encodes once, lets the encoders go, trains from the cache."""
    from zirelia.training.progress import Heartbeat
    from zirelia.training.trainer import train_lora

    def heard(beat: Heartbeat) -> None:
        if beat.stage == "train" and beat.loss is not None:
            told(beat.loss)

    out = pictures.parent / f"{os.getpid()}.safetensors"
    train_lora(base, dataset, pictures, plan, out, progress=heard, resume=False, device="cpu", today=TODAY)


def plain(base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, told: Told) -> None:
    """Theirs, in manner: everything resident, every picture and caption encoded at every step."""
    import torch
    from diffusers import FluxPipeline
    from peft import LoraConfig
    from PIL import Image

    from zirelia.training.order import draws, pictures_of

    pipeline = FluxPipeline.from_pretrained(base, dtype=torch.float32, local_files_only=True, use_safetensors=True)
    transformer, vae = pipeline.transformer, pipeline.vae
    for part in (transformer, vae, pipeline.text_encoder, pipeline.text_encoder_2):
        part.requires_grad_(False)
    if plan.gradient_checkpointing:
        transformer.enable_gradient_checkpointing()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        transformer.add_adapter(
            LoraConfig(r=plan.rank, lora_alpha=plan.rank, init_lora_weights="gaussian", target_modules=plan.targets.pattern)
        )
    trained = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay)
    pixels = [_pixels(pipeline, Image.open(pictures / one.path), plan.resolution) for one in dataset.references]
    captions = [one.caption for one in dataset.references]
    transformer.train()
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step)
        chosen = pictures_of(step, batch=plan.batch, count=len(pixels), seed=plan.seed)
        _, generator = draws(plan.seed, step)
        with torch.no_grad():
            cells = vae.encode(torch.cat([pixels[number] for number in chosen])).latent_dist.mode()
            cells = (cells - vae.config.shift_factor) * vae.config.scaling_factor
            sequence, pooled, text_ids = pipeline.encode_prompt(
                [captions[number] for number in chosen], None, max_sequence_length=plan.max_sequence_length
            )
        count, channels, height, width = cells.shape
        clean = pipeline._pack_latents(cells, count, channels, height, width)
        ids = pipeline._prepare_latent_image_ids(count, height // 2, width // 2, clean.device, clean.dtype)
        noise = torch.randn(clean.shape, generator=generator)
        times = torch.sigmoid(plan.time_mu + plan.time_sigma * torch.randn(count, generator=generator))
        times = plan.time_shift * times / (1 + (plan.time_shift - 1) * times)
        mixed = times[:, None, None]
        predicted = transformer(
            hidden_states=(1 - mixed) * clean + mixed * noise,
            encoder_hidden_states=sequence,
            pooled_projections=pooled,
            timestep=times,
            guidance=torch.full_like(times, plan.guidance) if transformer.config.guidance_embeds else None,
            img_ids=ids,
            txt_ids=text_ids,
            return_dict=False,
        )[0]
        loss = torch.nn.functional.mse_loss(predicted.float(), noise - clean)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, plan.clip)
        optimiser.step()
        optimiser.zero_grad()
        told(float(loss.detach()))


def _pixels(pipeline: Any, picture: Any, side: int) -> Any:
    """A picture as the VAE takes it; the example holds them in memory too."""
    from PIL import Image, ImageOps

    with picture:
        return pipeline.image_processor.preprocess(ImageOps.fit(picture.convert("RGB"), (side, side), Image.Resampling.LANCZOS))


# ---- bases of random weights -----------------------------------------------------------------------------------------------


def build(folder: Path, case: str) -> None:
    """A FluxPipeline with the widths of FLUX.1-dev divided by 8 (VAE: 16) and fewer blocks; the pocket's tokenizers."""
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    double, single, layers = _BLOCKS[case]
    shipped = weights_dir() / "base"
    clip = AutoTokenizer.from_pretrained(shipped / "tokenizer", local_files_only=True)
    t5 = AutoTokenizer.from_pretrained(shipped / "tokenizer_2", local_files_only=True)
    torch.manual_seed(0)
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        tokenizer=clip,
        tokenizer_2=t5,
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=double, num_single_layers=single, attention_head_dim=64,
            num_attention_heads=6, joint_attention_dim=512, pooled_projection_dim=96, guidance_embeds=True,
            axes_dims_rope=(8, 28, 28),
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(clip), hidden_size=96, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
                max_position_embeddings=77, bos_token_id=clip.bos_token_id, eos_token_id=clip.eos_token_id,
                pad_token_id=clip.pad_token_id,
            )
        ),
        text_encoder_2=T5EncoderModel(
            T5Config(
                vocab_size=len(t5), d_model=512, d_kv=64, d_ff=1280, num_layers=layers, num_heads=8, dropout_rate=0.0,
                feed_forward_proj="gated-gelu", is_encoder_decoder=False, use_cache=False,
            )
        ),
        vae=AutoencoderKL(
            block_out_channels=(8, 16, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=16, norm_num_groups=8,
            scaling_factor=0.3611, shift_factor=0.1159, sample_size=256,
        ),
    ).save_pretrained(base_of(folder, case))  # fmt: skip


# ---- measuring -------------------------------------------------------------------------------------------------------------


def peak_bytes() -> int:
    """The most memory that this process held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(side: str, folder: Path, case: str, steps: int) -> dict[str, Any]:
    """Losses, wall and processor seconds of every step after the first, the whole call's, and peaks before and after it."""
    import diffusers  # noqa: F401
    import peft  # noqa: F401
    import torch  # noqa: F401
    import transformers  # noqa: F401
    from diffusers import FluxPipeline, FluxTransformer2DModel  # noqa: F401

    plan = CASES[case][1].model_copy(update={"steps": steps, "snapshot_every": steps})
    dataset = Dataset.model_validate_json((folder / "dataset.json").read_text("utf-8"))
    losses: list[float] = []
    marks: list[tuple[float, float]] = []

    def told(loss: float) -> None:
        losses.append(loss)
        marks.append((time.perf_counter(), time.process_time()))

    imported = peak_bytes()
    started = time.perf_counter()
    {"zirelia": zirelia, "plain": plain}[side](base_of(folder, case), dataset, folder / "pictures", plan, told)
    whole = time.perf_counter() - started
    wall, processor = zip(
        *((after[0] - before[0], after[1] - before[1]) for before, after in itertools.pairwise(marks)), strict=True
    )
    return {
        "losses": losses,
        "seconds": wall,
        "processor": processor,
        "whole": whole,
        "imported": imported,
        "peak": peak_bytes(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", choices=("build", "zirelia", "plain"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("case", choices=tuple(CASES))
    parser.add_argument("steps", type=int, nargs="?", default=1)
    options = parser.parse_args()
    if options.side == "build":
        build(options.folder, options.case)
    else:
        print(json.dumps(measure(options.side, options.folder, options.case, options.steps)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
