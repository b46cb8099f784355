"""Flux: latents in tokens of two by two cells, rotary positions, flow matching.

Times are flow times: 0 is the picture, 1 is noise, and the model predicts the velocity, noise minus picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel

from zirelia.training.bases.base import Base, Noised, Tensors


class FluxBase(Base):
    """FLUX.1 dev and schnell, and any other size of it."""

    @property
    def _model_class(self) -> Any:
        return FluxTransformer2DModel

    @property
    def _pipeline_class(self) -> Any:
        return FluxPipeline

    @property
    def pattern(self) -> str:
        return self._plan.targets.pattern

    @property
    def multiple(self) -> int:
        return 2 * self.cell

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        return size[0] // self.multiple, size[1] // self.multiple

    def spread(self, weights: torch.Tensor) -> torch.Tensor:
        return weights.flatten(1)[:, :, None]

    def _packed(self, cells: torch.Tensor) -> torch.Tensor:
        packed: torch.Tensor = FluxPipeline._pack_latents(cells, *cells.shape)
        return packed

    def encode_texts(self, texts: Sequence[str]) -> list[Tensors]:
        """Both encoders' outputs: `pooled` (CLIP) and `sequence` (T5)."""
        with torch.no_grad():
            sequences, pooled, _ = self.encoders.encode_prompt(
                prompt=list(texts), prompt_2=None, max_sequence_length=self._plan.max_sequence_length
            )
        return [{"pooled": pooled[row], "sequence": sequences[row]} for row in range(len(texts))]

    def noised(self, clean: torch.Tensor, generator: torch.Generator) -> Noised:
        plan = self._plan
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        times = torch.sigmoid(plan.time_mu + plan.time_sigma * torch.randn(len(clean), generator=generator))
        times = (plan.time_shift * times / (1 + (plan.time_shift - 1) * times)).to(self.device)
        return _mixed(clean, noise, times)

    def noised_at(self, clean: torch.Tensor, generator: torch.Generator, share: float) -> Noised:
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        return _mixed(clean, noise, torch.full((len(clean),), share, device=self.device))

    def _predict(self, model: Any, noised: Noised, spoken: Tensors, size: tuple[int, int]) -> torch.Tensor:
        wide, high = self.grid(size)
        sequence = spoken["sequence"].to(self._dtype)
        guided = bool(self.settings["guidance_embeds"])
        velocity: torch.Tensor = model(
            hidden_states=noised.noisy.to(self._dtype),
            encoder_hidden_states=sequence,
            pooled_projections=spoken["pooled"].to(self._dtype),
            timestep=noised.times.to(self._dtype),
            guidance=torch.full_like(noised.times, self._plan.guidance) if guided else None,
            img_ids=FluxPipeline._prepare_latent_image_ids(1, high, wide, self.device, self._dtype),
            txt_ids=torch.zeros(sequence.shape[1], 3, device=self.device, dtype=self._dtype),
            return_dict=False,
        )[0]
        return velocity

    def _words(self, painter: Any, said: Tensors, blank: Tensors) -> dict[str, Any]:  # noqa: ARG002 - all families have it
        words: dict[str, Any] = {
            "prompt_embeds": said["sequence"].to(self._dtype),
            "pooled_prompt_embeds": said["pooled"].to(self._dtype),
        }
        if self.settings["guidance_embeds"]:
            return words | {"guidance_scale": self._plan.sample_guidance}
        return words | {
            "true_cfg_scale": self._plan.sample_guidance,
            "negative_prompt_embeds": blank["sequence"].to(self._dtype),
            "negative_pooled_prompt_embeds": blank["pooled"].to(self._dtype),
        }


def _mixed(clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> Noised:
    mixed = times[:, None, None]
    return Noised(noisy=(1 - mixed) * clean + mixed * noise, times=times, target=noise - clean)
