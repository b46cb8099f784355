"""The autoencoder: 128 px pictures to a 16 x 16 grid of 16 numbers, and back.

    vae = train_autoencoder(LAPTOP, pixels, work, init=None, report=report)
    psnr(vae, pixels[-128:])

Face-biased crops first (cheap), whole pictures afterwards. `whiten` folds each latent channel's mean and spread into
the quant convolutions, so that the pipeline's scale is 1 and its shift 0. Captions mean nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from zirelia.pocket.pictures import Pixels
from zirelia.pocket.progress import Meter, Report
from zirelia.pocket.recipe import Recipe
from zirelia.pocket.snapshots import AdamState, draws, learn

if TYPE_CHECKING:
    from torch import Tensor

PREFERENCE = 3e-3
FACE_SHARE = 0.6


def new_autoencoder(recipe: Recipe) -> AutoencoderKL:
    """An untrained one; the first weights depend on the recipe's seed alone."""
    levels = len(recipe.vae_blocks)
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=recipe.vae_blocks,
        layers_per_block=1,
        latent_channels=recipe.latent_channels,
        norm_num_groups=8,
        sample_size=recipe.size,
        scaling_factor=1.0,
        shift_factor=0.0,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    for name, module in vae.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            spread = 0.0 if name.endswith("conv2") else module.weight[0].numel() ** -0.5
            torch.nn.init.normal_(module.weight, 0.0, spread, generator=generator)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    return vae


def train_autoencoder(
    recipe: Recipe,
    pixels: Pixels,
    work: Path,
    *,
    init: Path | None,
    report: Report,
    on_snapshot: Callable[[AutoencoderKL, int], None] | None = None,
) -> AutoencoderKL:
    device = best_device()
    vae = AutoencoderKL.from_pretrained(init) if init else new_autoencoder(recipe)
    vae = vae.float().to(device).train()
    optimiser = torch.optim.AdamW(vae.parameters(), lr=recipe.vae.rate, betas=(0.9, 0.95), weight_decay=1e-4)
    shown = len(pixels) - recipe.validation

    def step(position: int) -> float:
        for group in optimiser.param_groups:
            group["lr"] = recipe.vae.rate_at(position)
        numbers, generator = draws(recipe.seed, position)
        whole = position >= recipe.crop_share * recipe.vae.steps
        batch = _whole(pixels, shown, recipe, numbers) if whole else _crops(pixels, shown, recipe, numbers)
        loss = _loss(vae, to_floats(batch).to(device), recipe.latent_noise, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        return float(loss.detach())

    learn(
        stage="vae",
        schedule=recipe.vae,
        step=step,
        parts={"model": vae, "optimiser": AdamState(optimiser)},
        at=work / "vae-snapshot.safetensors",
        report=report,
        on_snapshot=(lambda done: on_snapshot(vae, done)) if on_snapshot else None,
    )
    return vae.eval()


@torch.no_grad()
def encode(vae: AutoencoderKL, pixels: Pixels, batch: int = 64) -> Tensor:
    """The latents of pictures, on the CPU, in single precision."""
    device = next(vae.parameters()).device
    return torch.cat(
        [vae.encode(to_floats(pixels[i : i + batch]).to(device)).latent_dist.mean.cpu() for i in range(0, len(pixels), batch)]
    )


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor, batch: int = 64) -> Pixels:
    device = next(vae.parameters()).device
    return np.concatenate([to_pixels(vae.decode(z.float().to(device)).sample) for z in latents.split(batch)])


def encode_all(vae: AutoencoderKL, pixels: Pixels, report: Report, chunk: int = 500) -> Tensor:
    """`encode` for a large array, with progress."""
    vae = vae.to(best_device())
    meter, done = Meter("latents", len(pixels), report), []
    for start in range(0, len(pixels), chunk):
        done.append(encode(vae, pixels[start : start + chunk]))
        meter.tick(min(start + chunk, len(pixels)))
    return torch.cat(done)


@torch.no_grad()
def whiten(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Fold the channels' mean and spread into the quant convolutions; returns the latents as they now come out."""
    channels = latents.shape[1]
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    inward, outward = vae.cpu().quant_conv, vae.post_quant_conv
    inward.weight[:channels] /= spread[:, None, None, None]
    inward.bias[:channels] = (inward.bias[:channels] - mean) / spread
    inward.weight[channels:] = 0.0
    inward.bias[channels:] = -12.0
    outward.bias += outward.weight[:, :, 0, 0] @ mean
    outward.weight *= spread[None, :, None, None]
    whitened: Tensor = (latents - mean[:, None, None]) / spread[:, None, None]
    return whitened


def psnr(vae: AutoencoderKL, pixels: Pixels) -> float:
    """Peak signal to noise of reconstructions, in dB, over all pictures together."""
    error = (decode(vae, encode(vae, pixels)).astype(np.float64) - pixels) / 255
    return -10 * math.log10(float((error**2).mean()))


def to_floats(pixels: Pixels) -> Tensor:
    """uint8 [n, h, w, 3] to floats in -1..1, [n, 3, h, w]."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()


def to_pixels(images: Tensor) -> Pixels:
    array: Pixels = images.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return array


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _loss(vae: AutoencoderKL, x: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    latents = vae.encode(x).latent_dist.mean
    blurred = latents + noise * torch.randn(latents.shape, generator=generator).to(x.device)
    y = vae.decode(blurred).sample
    edges = sum((_slope(y, axis) - _slope(x, axis)).abs().mean() for axis in (2, 3))
    loss: Tensor = (y - x).abs().mean() + 2 * functional.mse_loss(y, x) + edges + PREFERENCE * (latents**2).mean()
    return loss


def _slope(x: Tensor, axis: int) -> Tensor:
    return x.diff(dim=axis)


def _whole(pixels: Pixels, shown: int, recipe: Recipe, numbers: np.random.Generator) -> Pixels:
    return pixels[np.sort(numbers.integers(0, shown, recipe.vae.batch))]


def _crops(pixels: Pixels, shown: int, recipe: Recipe, numbers: np.random.Generator) -> Pixels:
    count, crop, room = recipe.crop_batch, recipe.crop, recipe.size - recipe.crop
    chosen = numbers.integers(0, shown, count)
    face = numbers.random(count) < FACE_SHARE
    x = np.where(face, numbers.integers(room // 3, room * 2 // 3 + 1, count), numbers.integers(0, room + 1, count))
    y = np.where(face, numbers.integers(room // 6, room * 4 // 5 + 1, count), numbers.integers(0, room + 1, count))
    return np.stack([pixels[k, b : b + crop, a : a + crop] for k, a, b in zip(chosen, x, y, strict=True)])
