"""Every number of a training in one frozen value, and the presets that are known to work.

    plan = person(images=24)
    plan.model_copy(update={"steps": 200})

`POCKET` is the recipe that was measured on the embedded base; `person`, `style` and `fluxgym` are for FLUX.1-dev. Numbers
only: nothing here loads a model. How a plan fits a card is said by `profiles`.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from zirelia.domain.value import Slug, Value

_ATTENTION = r"attn\.(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)"
_FEED_FORWARD = r"ff\.net\.(0\.proj|2)|ff_context\.net\.(0\.proj|2)|single_transformer_blocks\.\d+\.(proj_mlp|proj_out)"
_MODULATION = r"norm1\.linear|norm1_context\.linear|single_transformer_blocks\.\d+\.norm\.linear"
_EMBEDDERS = r"context_embedder|text_embedder\.linear_[12]"
_UNET_ATTENTION = r"attn[12]\.(to_q|to_k|to_v|to_out\.0)"
_UNET_FEED_FORWARD = r"ff\.net\.(0\.proj|2)|attentions\.\d+\.(proj_in|proj_out)"
_UNET_CONVOLUTIONS = r"resnets\.\d+\.(conv1|conv2|conv_shortcut|time_emb_proj)|(down|up)samplers\.\d+\.conv"


class Targets(StrEnum):
    """Which layers of the base get an adapter; of a UNet, EVERYTHING adds the convolutions."""

    ATTENTION = "attention"
    BLOCKS = "blocks"
    EVERYTHING = "everything"

    @property
    def pattern(self) -> str:
        """The regular expression that the whole name of a Flux transformer's module must match, as peft reads it."""
        parts = {
            Targets.ATTENTION: (_ATTENTION,),
            Targets.BLOCKS: (_ATTENTION, _FEED_FORWARD),
            Targets.EVERYTHING: (_ATTENTION, _FEED_FORWARD, _MODULATION, _EMBEDDERS),
        }[self]
        return _anywhere(parts)

    @property
    def unet_pattern(self) -> str:
        """The same for the UNet of SDXL and of Stable Diffusion."""
        parts = {
            Targets.ATTENTION: (_UNET_ATTENTION,),
            Targets.BLOCKS: (_UNET_ATTENTION, _UNET_FEED_FORWARD),
            Targets.EVERYTHING: (_UNET_ATTENTION, _UNET_FEED_FORWARD, _UNET_CONVOLUTIONS),
        }[self]
        return _anywhere(parts)


def _anywhere(parts: tuple[str, ...]) -> str:
    return rf"(.*\.)?({'|'.join(parts)})"


class CaptionMix(Value):
    """Shares of the preservation captions; they sum to 1.

    generic: the instance caption with "a" for the trigger; others: captions of other people; strangers: random words in the
    trigger's place, which teach that it is this word, not any odd word, that means the face.
    """

    empty: float = Field(default=0.10, ge=0, le=1)
    generic: float = Field(default=0.36, ge=0, le=1)
    others: float = Field(default=0.24, ge=0, le=1)
    strangers: float = Field(default=0.30, ge=0, le=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.empty + self.generic + self.others + self.strangers
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the shares of the preservation captions sum to {total:g}, not to 1")
        return self


class TrainingPlan(Value):
    """All that decides what a training does, apart from the base, the dataset and the captions of others.

    Times are flow times: 0 is the picture, 1 is noise; t = sigmoid(time_mu + time_sigma N), then shifted by `time_shift`.
    SDXL and Stable Diffusion draw their times evenly and read neither.

    Preservation keeps the face with its word. "output" compares with the base's own prediction (differential output
    preservation); "class images" learns pictures of other people beside it, each under its caption, as DreamBooth does;
    with "none", or a `preservation_batch` of 0, the face lands on everybody.
    """

    name: Slug
    resolution: int = Field(
        ge=32, le=2048, multiple_of=16, description="side of the square picture, pixels; its area with buckets"
    )
    buckets: bool = Field(default=False, description="keep the pictures' shapes: batches of one shape, about the same area")
    background_weight: float | None = Field(
        default=None, gt=0, le=1, description="weight of the loss outside head and shoulders, or outside NAME.mask.png"
    )
    max_sequence_length: int = Field(ge=8, le=512, description="T5 tokens; the same as when pictures are made")
    rank: int = Field(default=16, ge=1, le=256, description="also the alpha, so that one file serves every loader")
    targets: Targets = Targets.BLOCKS
    learning_rate: float = Field(gt=0, le=1)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    schedule: Literal["constant", "linear"] = "constant"
    final_rate: float = Field(default=0.05, ge=0, le=1, description="share of the rate at the end of a linear schedule")
    warmup_steps: int = Field(default=50, ge=0)
    clip: float = Field(default=1.0, gt=0, description="largest gradient norm")
    steps: int = Field(ge=1, le=100_000)
    batch: int = Field(default=1, ge=1, le=256)
    preservation: Literal["output", "class images", "none"] = "output"
    preservation_batch: int = Field(default=1, ge=0, le=256)
    preservation_weight: float = Field(default=1.0, ge=0, le=100)
    preservation_mix: CaptionMix = CaptionMix()
    preservation_elsewhere: float = Field(
        default=0.5, ge=0, le=1, description="share of preservation rows on pictures of others, where there are some"
    )
    caption_variants: int = Field(default=1, ge=1, le=16, description="ways to say each picture, the whole caption first")
    part_dropout: float = Field(default=0.0, ge=0, lt=1, description="chance that a variant leaves a comma part out")
    caption_dropout: float = Field(default=0.0, ge=0, lt=1, description="chance that an instance row has no caption")
    time_mu: float = 0.0
    time_sigma: float = Field(default=1.0, gt=0)
    time_shift: float = Field(default=1.0, gt=0, le=20)
    guidance: float = Field(default=1.0, ge=0, description="only for a base with a guidance embedding")
    ema: float | None = Field(default=None, gt=0, lt=1, description="decay of the average that is saved; None saves the last")
    dtype: Literal["float32", "bfloat16"] = "float32"
    quantisation: Literal["none", "fp8", "int8", "nf4"] = Field(
        default="none", description="how the frozen base is held; int8 and nf4 need bitsandbytes"
    )
    optimiser: Literal["adamw", "adamw8bit"] = "adamw"
    gradient_checkpointing: bool = False
    encode_on_cpu: bool = Field(default=False, description="the encoders never enter the card: slower, for small cards")
    disk_cache: bool = Field(default=False, description="keep latents and text encodings on disk instead of in memory")
    seed: int = Field(default=0, ge=0, lt=2**32)
    snapshot_every: int = Field(default=250, ge=1)
    sample_every: int | None = Field(default=None, ge=1, description="steps between samples; None draws none")
    sample_steps: int = Field(default=20, ge=1, le=200)
    sample_guidance: float = Field(
        default=3.5, ge=0, le=30, description="for a base with a guidance embedding; else classifier-free, off up to 1"
    )
    sample_seed: int = Field(default=42, ge=0, lt=2**32, description="of the first sample; the next ones count on")
    validate_every: int | None = Field(default=None, ge=1, description="steps between validations; None measures none")
    held_out: int = Field(default=2, ge=1, le=64, description="pictures kept from the training to validate on")
    patience: int | None = Field(
        default=None, ge=1, description="stop after so many validations without improvement; None never stops early"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are in [0, 1), not {self.betas}")
        if self.patience is not None and self.validate_every is None:
            raise ValueError("patience counts validations: set validate_every too")
        if self.quantisation != "none" and self.dtype != "bfloat16":
            raise ValueError(f"a base in {self.quantisation} computes in bfloat16, not in {self.dtype}")
        return self

    @property
    def preserving(self) -> int:
        """The preservation rows of a batch."""
        return 0 if self.preservation == "none" else self.preservation_batch

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        held = max(self.final_rate, 1 - step / self.steps) if self.schedule == "linear" else 1.0
        return self.learning_rate * warm * held


POCKET = TrainingPlan(
    name="pocket",
    resolution=128,
    max_sequence_length=48,
    targets=Targets.EVERYTHING,
    learning_rate=3e-3,
    betas=(0.9, 0.99),
    weight_decay=1e-3,
    schedule="linear",
    warmup_steps=10,
    steps=600,
    batch=8,
    preservation_batch=8,
    preservation_weight=2.0,
    preservation_mix=CaptionMix(empty=0.10, generic=0.36, others=0.30, strangers=0.24),
    preservation_elsewhere=0.35,
    caption_variants=4,
    part_dropout=0.3,
    time_mu=1.0,
    time_sigma=1.2,
    snapshot_every=100,
    sample_steps=16,
    sample_guidance=2.5,
)
"""The embedded base, 2 CPU cores, four minutes. Measured: see the log of experiments in the documentation."""


_FLUX_DEV = TrainingPlan(
    name="flux-dev",
    resolution=1024,
    max_sequence_length=512,
    learning_rate=1e-4,
    steps=2000,
    caption_dropout=0.05,
    time_shift=3.1582,
    ema=0.99,
    dtype="bfloat16",
    gradient_checkpointing=True,
    disk_cache=True,
    seed=42,
    sample_every=250,
)


def person(images: int) -> TrainingPlan:
    """A face on FLUX.1-dev from that many pictures: 100 steps a picture, at least 1500 and at most 3000."""
    return _FLUX_DEV.model_copy(update={"name": "person", "steps": min(3000, max(1500, 100 * images))})


def style(images: int) -> TrainingPlan:
    """A way of painting: 60 steps a picture (1000-4000), a smaller rate, shapes kept, and nobody's face to preserve."""
    return _FLUX_DEV.model_copy(
        update={
            "name": "style",
            "steps": min(4000, max(1000, 60 * images)),
            "learning_rate": 5e-5,
            "caption_dropout": 0.1,
            "buckets": True,
            "preservation": "none",
        }
    )


FLUXGYM_EPOCHS = 16
FLUXGYM_SAVED_EPOCHS = 4


def fluxgym(images: int, repeats: int = 10) -> TrainingPlan:
    """What FluxGym writes for kohya's trainer: 16 epochs of every picture `repeats` times, a checkpoint every 4 epochs.

    It preserves nothing: measured on the embedded base, such a LoRA paints its face on everybody. It stands here to compare.
    """
    epoch = images * repeats
    return TrainingPlan(
        name="fluxgym",
        resolution=512,
        max_sequence_length=512,
        buckets=True,
        rank=4,
        targets=Targets.BLOCKS,
        learning_rate=3e-4,
        weight_decay=0.01,
        warmup_steps=0,
        steps=FLUXGYM_EPOCHS * epoch,
        preservation="none",
        time_shift=3.1582,
        guidance=1.0,
        dtype="bfloat16",
        quantisation="fp8",
        gradient_checkpointing=True,
        disk_cache=True,
        seed=42,
        snapshot_every=FLUXGYM_SAVED_EPOCHS * epoch,
        sample_every=100,
    )
