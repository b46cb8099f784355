"""The face that every family shows: encode, make noisy, predict, draw.

A `Base` reads one pipeline's folder and never changes it. Encoders are loaded at the first need and freed by `release`; the
model that is adapted belongs to the caller. It knows nothing of captions, triggers or files of a run.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zirelia.errors import TrainingError
from zirelia.training.bases.loading import quantisation_of
from zirelia.training.families import Family
from zirelia.training.fingerprints import model_fingerprint
from zirelia.training.plan import TrainingPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Noised:
    """Pictures on their way to noise: `noisy` at `times`, and the `target` that the model is to predict there."""

    noisy: torch.Tensor
    times: torch.Tensor
    target: torch.Tensor

    def rows(self, chosen: slice) -> Noised:
        return Noised(self.noisy[chosen], self.times[chosen], self.target[chosen])


class Base(ABC):
    """One pipeline, as a training needs it."""

    def __init__(self, family: Family, pipeline_dir: Path, plan: TrainingPlan, device: torch.device) -> None:
        self.family, self.device = family, device
        self._pipeline_dir, self._plan = pipeline_dir, plan
        self._dtype: torch.dtype = getattr(torch, plan.dtype)
        self._encoders: Any = None

    # ---- the model that is adapted

    @property
    @abstractmethod
    def _model_class(self) -> Any: ...

    @property
    @abstractmethod
    def pattern(self) -> str:
        """Which modules get an adapter."""

    def load_model(self) -> Any:
        """The frozen model on the device, held as the plan says."""
        quantisation = quantisation_of(self._plan)
        model = self._model_class.from_pretrained(
            self._pipeline_dir / self.family.trained,
            dtype=self._dtype,
            local_files_only=True,
            use_safetensors=True,
            **({} if quantisation is None else {"quantization_config": quantisation}),
        )
        if quantisation is None:
            model = model.to(self.device)
        model.requires_grad_(False)
        if self._plan.gradient_checkpointing:
            model.enable_gradient_checkpointing()
        return model

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Of the model that is adapted."""
        return dict(self._model_class.load_config(self._pipeline_dir / self.family.trained, local_files_only=True))

    # ---- encoding

    @cached_property
    def vae_fingerprint(self) -> str:
        return model_fingerprint(self._pipeline_dir, ("vae",))

    @cached_property
    def text_fingerprint(self) -> str:
        return model_fingerprint(self._pipeline_dir, self.family.text_folders)

    @property
    @abstractmethod
    def _pipeline_class(self) -> Any: ...

    @property
    def encoders(self) -> Any:
        """The pipeline without the model that is adapted."""
        if self._encoders is None:
            where = torch.device("cpu") if self._plan.encode_on_cpu else self.device
            self._encoders = self._pipeline_class.from_pretrained(
                self._pipeline_dir,
                **{self.family.trained: None},
                **self._left_out(),
                dtype=self._dtype,
                local_files_only=True,
                use_safetensors=True,
            ).to(where)
        return self._encoders

    def _left_out(self) -> dict[str, None]:
        """Parts of the pipeline that encoding does without."""
        return {}

    def release(self) -> None:
        self._encoders = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @cached_property
    def _vae_settings(self) -> Mapping[str, Any]:
        from diffusers import AutoencoderKL

        return dict(AutoencoderKL.load_config(self._pipeline_dir / "vae", local_files_only=True))

    @property
    def cell(self) -> int:
        """How many pixels wide one latent cell is."""
        return int(2 ** (len(self._vae_settings["block_out_channels"]) - 1))

    @property
    @abstractmethod
    def multiple(self) -> int:
        """What the sides of a picture must divide by, in pixels."""

    @abstractmethod
    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many places wide and high the loss of a picture of that size is."""

    @abstractmethod
    def spread(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights of a batch, [rows, high, wide] on the grid, in the shape that multiplies the loss."""

    def encode_pictures(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Their latents, one row a picture; all of one size. Raises TrainingError when the VAE overflows."""
        vae = self.encoders.vae
        pixels = self.encoders.image_processor.preprocess(list(pictures)).to(vae.device, vae.dtype)
        with torch.no_grad():
            cells = vae.encode(pixels).latent_dist.mode()
        cells = (cells - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor
        if not bool(torch.isfinite(cells).all()):
            raise TrainingError("the VAE answered with values that are not finite", hint="train with dtype float32")
        return self._packed(cells)

    def _packed(self, cells: torch.Tensor) -> torch.Tensor:
        return cells

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> list[Tensors]:
        """One encoding a text, by name."""

    # ---- training

    @abstractmethod
    def noised(self, clean: torch.Tensor, generator: torch.Generator) -> Noised:
        """Noise and times drawn for each row."""

    @abstractmethod
    def noised_at(self, clean: torch.Tensor, generator: torch.Generator, share: float) -> Noised:
        """Noise drawn, at that share (0-1) of the way to noise."""

    def predict(self, model: Any, noised: Noised, spoken: Tensors, size: tuple[int, int]) -> torch.Tensor:
        """What the model says of rows of one size under their texts."""
        with self._autocast():
            return self._predict(model, noised, {name: rows.to(self.device) for name, rows in spoken.items()}, size)

    @abstractmethod
    def _predict(self, model: Any, noised: Noised, spoken: Tensors, size: tuple[int, int]) -> torch.Tensor: ...

    # ---- drawing

    def painter(self, model: Any) -> Any:
        """The real pipeline around the model at work, without text encoders."""
        from diffusers import AutoencoderKL

        pipeline = self._pipeline_class.from_pretrained(
            self._pipeline_dir,
            **{self.family.trained: model},
            vae=AutoencoderKL.from_pretrained(
                self._pipeline_dir / "vae", dtype=self._dtype, local_files_only=True, use_safetensors=True
            ).to(self.device),
            **dict.fromkeys(self.family.text_folders),
            **self._left_out(),
            local_files_only=True,
            use_safetensors=True,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def draw(self, painter: Any, spoken: Tensors, empty: Tensors, seed: int) -> NDArray[np.float32]:
        """One picture of encoded words: values in [0, 1], [height, width, 3]. The noise comes from the processor."""
        said = {name: rows.to(self.device) for name, rows in spoken.items()}
        blank = {name: rows.to(self.device) for name, rows in empty.items()}
        with torch.no_grad(), self._autocast():
            drawn = painter(
                **self._words(painter, said, blank),
                width=self._plan.resolution,
                height=self._plan.resolution,
                num_inference_steps=self._plan.sample_steps,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type="pt",
            ).images[0]
        return np.asarray(torch.nan_to_num(drawn.float()).clamp(0, 1).permute(1, 2, 0).cpu().numpy(), dtype=np.float32)

    @abstractmethod
    def _words(self, painter: Any, said: Tensors, blank: Tensors) -> dict[str, Any]:
        """The arguments of a call of the pipeline that hold the texts and the guidance."""

    def _autocast(self) -> AbstractContextManager[Any]:
        enabled = self._dtype is torch.bfloat16
        context: AbstractContextManager[Any] = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)
        return context
