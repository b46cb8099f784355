"""The LoRA that carries a face: its choice in a persona pack, the weights themselves, and the checkpoints of a training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from zirelia.domain.value import Sha256, Text, Value

TriggerWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{2,31}$")]
"""One word, letters, digits and underscore; unique, so that it binds to nobody else."""

Scale = Annotated[float, Field(ge=0.0, le=2.0)]
"""How strongly a LoRA is applied; 1 is as it was trained."""


class LoraChoice(Value):
    """What a persona pack says: the trigger word, the weights (path inside the pack, absolute path, or None for a hosted
    model that has them built in) and the scale at which they are applied (0-2).
    """

    trigger: TriggerWord
    weights: Text | None = None
    scale: Scale = 1.0


class Lora(Value):
    """Weights on this machine, verified: where, their hash, their trigger and the base model that they were trained on."""

    path: Text
    sha256: Sha256
    trigger: TriggerWord
    base_model: Text
    rank: int = Field(ge=1)


class WornLora(Value):
    """A LoRA that is worn beside the persona's own: a style, or the second person of a cast."""

    lora: Lora
    scale: Scale = 1.0


class Checkpoint(Value):
    """A snapshot of a training: the weights after that many steps."""

    step: int = Field(ge=1)
    lora: Lora
