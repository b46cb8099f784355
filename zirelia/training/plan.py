"""Every number of a training in one frozen value, and the presets that are known to work.

    plan = person(images=24)
    plan.model_copy(update={"steps": 200})

`POCKET` is the recipe that was measured on the embedded base; `person` is for a face on FLUX.1-dev. Numbers only: nothing
here loads a model, and nothing says which machine it runs on.
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


class Targets(StrEnum):
    """Which layers of a Flux transformer get an adapter."""

    ATTENTION = "attention"
    BLOCKS = "blocks"
    EVERYTHING = "everything"

    @property
    def pattern(self) -> str:
        """The regular expression that a module's whole name must match, as peft reads it."""
        parts = {
            Targets.ATTENTION: (_ATTENTION,),
            Targets.BLOCKS: (_ATTENTION, _FEED_FORWARD),
            Targets.EVERYTHING: (_ATTENTION, _FEED_FORWARD, _MODULATION, _EMBEDDERS),
        }[self]
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
    Preservation (differential output preservation) compares with the base's own prediction; a `preservation_batch` of 0
    turns it off, and the face then lands on everybody.
    """

    name: Slug
    resolution: int = Field(ge=32, le=2048, multiple_of=16, description="side of the square picture, pixels")
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
    gradient_checkpointing: bool = False
    disk_cache: bool = Field(default=False, description="keep latents and text encodings on disk instead of in memory")
    seed: int = Field(default=0, ge=0, lt=2**32)
    snapshot_every: int = Field(default=250, ge=1)

    @model_validator(mode="after")
    def _betas_in_range(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are in [0, 1), not {self.betas}")
        return self

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
    steps=300,
    batch=8,
    preservation_batch=8,
    preservation_weight=2.0,
    caption_variants=4,
    part_dropout=0.3,
    time_mu=1.0,
    time_sigma=1.2,
    snapshot_every=50,
)
"""The embedded base, 2 CPU cores, a minute or two. Measured: see the table of identity scores in the documentation."""


def person(images: int) -> TrainingPlan:
    """A face on FLUX.1-dev from that many pictures: 100 steps a picture, at least 1500 and at most 3000."""
    return TrainingPlan(
        name="person",
        resolution=1024,
        max_sequence_length=512,
        learning_rate=1e-4,
        steps=min(3000, max(1500, 100 * images)),
        caption_dropout=0.05,
        time_shift=3.1582,
        ema=0.99,
        dtype="bfloat16",
        gradient_checkpointing=True,
        disk_cache=True,
        seed=42,
    )
