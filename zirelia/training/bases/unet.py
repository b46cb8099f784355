"""SDXL and Stable Diffusion: a UNet on latent cells that learnt to take noise away by the steps of its scheduler.

What is predicted, the noise or the velocity, is the scheduler's `prediction_type`. SDXL is told sizes beside the words: that
the picture was of the trained size and not cropped, as it is told when pictures are made.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

from zirelia.errors import TrainingError
from zirelia.training.bases.base import Base, Noised, Tensors


class UNetBase(Base):
    """Stable Diffusion 1 and 2, and SDXL."""

    @property
    def _model_class(self) -> Any:
        return UNet2DConditionModel

    @property
    def _large(self) -> bool:
        return self.family.name == "sdxl"

    @property
    def _pipeline_class(self) -> Any:
        return StableDiffusionXLPipeline if self._large else StableDiffusionPipeline

    def _left_out(self) -> dict[str, None]:
        return {} if self._large else {"safety_checker": None, "feature_extractor": None, "image_encoder": None}

    @property
    def pattern(self) -> str:
        return self._plan.targets.unet_pattern

    @property
    def multiple(self) -> int:
        return self.cell * int(2 ** (len(self.settings["block_out_channels"]) - 1))

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        return size[0] // self.cell, size[1] // self.cell

    def spread(self, weights: torch.Tensor) -> torch.Tensor:
        return weights[:, None]

    def encode_texts(self, texts: Sequence[str]) -> list[Tensors]:
        """`sequence`, and for SDXL also `pooled`."""
        with torch.no_grad():
            encoded = self.encoders.encode_prompt(
                prompt=list(texts),
                device=self.encoders.device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=False,
            )
        if not self._large:
            return [{"sequence": row} for row in encoded[0]]
        return [{"sequence": row, "pooled": pooled} for row, pooled in zip(encoded[0], encoded[2], strict=True)]

    @cached_property
    def _scheduler(self) -> Any:
        with _Quiet():  # the pipeline's own scheduler has settings that the training's does not read
            scheduler = DDPMScheduler.from_pretrained(self._pipeline_dir / "scheduler", local_files_only=True)
        if scheduler.config.prediction_type not in {"epsilon", "v_prediction"}:
            raise TrainingError(
                f"the scheduler of {self._pipeline_dir} predicts '{scheduler.config.prediction_type}'",
                hint="bases that predict epsilon or v_prediction can be trained",
            )
        return scheduler

    def noised(self, clean: torch.Tensor, generator: torch.Generator) -> Noised:
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        last = int(self._scheduler.config.num_train_timesteps)
        return self._noised(clean, noise, torch.randint(0, last, (len(clean),), generator=generator).to(self.device))

    def noised_at(self, clean: torch.Tensor, generator: torch.Generator, share: float) -> Noised:
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        last = int(self._scheduler.config.num_train_timesteps) - 1
        return self._noised(clean, noise, torch.full((len(clean),), round(share * last), device=self.device))

    def _noised(self, clean: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> Noised:
        scheduler = self._scheduler
        noisy = scheduler.add_noise(clean, noise, times)
        epsilon = scheduler.config.prediction_type == "epsilon"
        return Noised(noisy=noisy, times=times, target=noise if epsilon else scheduler.get_velocity(clean, noise, times))

    def _predict(self, model: Any, noised: Noised, spoken: Tensors, size: tuple[int, int]) -> torch.Tensor:
        beside: dict[str, torch.Tensor] = {}
        if self._large:
            wide, high = size
            told = torch.tensor([[high, wide, 0, 0, high, wide]], device=self.device, dtype=self._dtype)
            beside = {"text_embeds": spoken["pooled"].to(self._dtype), "time_ids": told.expand(len(noised.noisy), -1)}
        predicted: torch.Tensor = model(
            noised.noisy.to(self._dtype),
            noised.times,
            encoder_hidden_states=spoken["sequence"].to(self._dtype),
            added_cond_kwargs=beside or None,
            return_dict=False,
        )[0]
        return predicted

    def _words(self, painter: Any, said: Tensors, blank: Tensors) -> dict[str, Any]:
        words: dict[str, Any] = {
            "guidance_scale": self._plan.sample_guidance,
            "prompt_embeds": said["sequence"].to(self._dtype),
            "negative_prompt_embeds": blank["sequence"].to(self._dtype),
        }
        if not self._large:
            return words
        words |= {
            "pooled_prompt_embeds": said["pooled"].to(self._dtype),
            "negative_pooled_prompt_embeds": blank["pooled"].to(self._dtype),
        }
        if painter.config.force_zeros_for_empty_prompt:
            words |= {
                name: torch.zeros_like(words[name]) for name in ("negative_prompt_embeds", "negative_pooled_prompt_embeds")
            }
        return words


class _Quiet:
    """Keeps diffusers from logging settings that it passes over."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("diffusers.configuration_utils")
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
