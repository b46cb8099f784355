"""What the judging of a training's checkpoints found, as one value that a report is drawn from and that a file keeps.

    judgement.choice.step, judgement.real.median, judgement.pictures_of(step=300, scale=1.0)

The bare base is step 0. Pictures are names of files in the folder of the judging. It knows nothing of models.
"""

from __future__ import annotations

import statistics
from enum import StrEnum

from pydantic import Field

from zirelia.domain.choice import Choice, Floors, Measured
from zirelia.domain.lora import Scale, TriggerWord
from zirelia.domain.shot import Shot
from zirelia.domain.value import Sha256, Slug, Text, Value

BARE_BASE = 0
"""The step that stands for the base without a LoRA."""


class Question(StrEnum):
    """What a prompt of the fixed set asks."""

    FACE = "with the trigger"
    OTHER = "another person described"
    PLAIN = "without the trigger"


class JudgedPrompt(Value):
    """One prompt of the fixed set. `shown`: whether the dataset shows the same scene in the same light."""

    number: int = Field(ge=1)
    question: Question
    shot: Shot
    text: Text
    shown: bool


class JudgedPicture(Value):
    """One picture and what was measured of it; None where nothing could.

    identity: cosine to the middle of the held-out references; 0 where no subject was found. agreement: share of what was
    asked that it shows. memorised: likeness to the nearest training picture. faulty: whether it has a technical fault.
    file: its name in the folder of the judging.
    """

    step: int = Field(ge=0)
    scale: Scale
    prompt: int = Field(ge=1)
    seed: int = Field(ge=0, lt=2**32)
    file: Text
    identity: float
    agreement: float | None = Field(default=None, ge=0, le=1)
    memorised: float | None = Field(default=None, ge=0, le=1)
    faulty: bool | None = None


class Spread(Value):
    """Identity scores of one kind of picture, in the recogniser's unit."""

    values: tuple[float, ...] = Field(min_length=1)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def tenth(self) -> float:
        """The 10th percentile; the lowest value when there are fewer than ten."""
        return sorted(self.values)[len(self.values) // 10]


class Judgement(Value):
    """All of it. `threshold` is the recogniser's; `loras` maps each step to the hash of its weights; `sweep` is the chosen
    checkpoint at other scales; `seconds` is the time of drawing and measuring, earlier runs not counted.
    """

    persona: Slug
    trigger: TriggerWord
    base_model: Text
    image_model: Text
    recogniser: Text
    threshold: float
    floors: Floors
    prompts: tuple[JudgedPrompt, ...]
    pictures: tuple[JudgedPicture, ...]
    loras: dict[int, Sha256]
    real: Spread
    base: Spread
    choice: Choice
    sweep: tuple[Measured, ...]
    seconds: float = Field(ge=0)

    def prompt(self, number: int) -> JudgedPrompt:
        """Raises KeyError."""
        return {each.number: each for each in self.prompts}[number]

    def pictures_of(self, *, step: int, scale: float | None = None) -> tuple[JudgedPicture, ...]:
        """Of that step, at that scale or at all scales, in the order of the prompts."""
        own = (each for each in self.pictures if each.step == step and (scale is None or each.scale == scale))
        return tuple(sorted(own, key=lambda each: (each.scale, each.prompt, each.seed)))
