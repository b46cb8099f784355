"""How a plan fits a card: what the base is held in, how large the pictures are, what is kept off the card.

    plan = profile("16gb").fit(person(images=24))
    profile("auto").name          # by the memory of the card in this machine; "cpu" without one

A profile changes how a training runs and how large it looks, never what it learns from: rate, steps and rank stay the plan's.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from zirelia.errors import ConfigurationError
from zirelia.training.plan import TrainingPlan

_GIB = 1 << 30
_RESERVED = 0.92  # a card of 24 GB shows about 23.5 GiB, and a screen takes some


@dataclass(frozen=True)
class Profile:
    """One size of machine. `card_gb` is the smallest card that it is for; `largest` the most pixels a side.

    eight_bits: the optimiser keeps its moments in eight bits where bitsandbytes is installed. None in a field leaves the
    plan's own.
    """

    name: str
    says: str
    card_gb: int
    dtype: Literal["float32", "bfloat16"]
    quantisation: Literal["none", "fp8", "int8", "nf4"]
    largest: int | None = None
    encode_on_cpu: bool = False
    gradient_checkpointing: bool | None = True
    eight_bits: bool = False

    def fit(self, plan: TrainingPlan) -> TrainingPlan:
        """The plan on this machine. A smaller plan is never enlarged; what a plan holds smaller already stays so."""
        quantisation = plan.quantisation if self.quantisation == "none" and self.dtype == "bfloat16" else self.quantisation
        update: dict[str, object] = {
            "dtype": self.dtype,
            "quantisation": quantisation,
            "encode_on_cpu": self.encode_on_cpu,
            "optimiser": "adamw8bit" if self.eight_bits and eight_bit_optimiser() else "adamw",
        }
        if self.largest is not None:
            update["resolution"] = min(plan.resolution, self.largest)
        if self.gradient_checkpointing is not None:
            update["gradient_checkpointing"] = self.gradient_checkpointing
        return TrainingPlan.model_validate(plan.model_dump() | update)


PROFILES = {
    each.name: each
    for each in (
        Profile("40gb", "the base in bfloat16, 1024 pixels", 40, "bfloat16", "none"),
        Profile("24gb", "the base in eight bits, 1024 pixels", 24, "bfloat16", "int8"),
        Profile("16gb", "the base in four bits, 1024 pixels", 16, "bfloat16", "nf4", eight_bits=True),
        Profile("12gb", "the base in four bits, 768 pixels", 12, "bfloat16", "nf4", 768, encode_on_cpu=True, eight_bits=True),
        Profile(
            "8gb",
            "experimental: the base in four bits, 512 pixels, the encoders on the processor",
            8,
            "bfloat16",
            "nf4",
            512,
            encode_on_cpu=True,
            eight_bits=True,
        ),
        Profile("cpu", "float32 on the processor: for the pocket model", 0, "float32", "none", gradient_checkpointing=None),
    )
}
"""By name, largest first. For FLUX.1-dev; SDXL and Stable Diffusion fit one or two sizes smaller."""


def eight_bit_optimiser() -> bool:
    """Whether the packages for it are installed."""
    return importlib.util.find_spec("bitsandbytes") is not None


def profile(name: str) -> Profile:
    """The profile of that name; "auto" chooses the largest that this machine's card holds. Raises ConfigurationError."""
    if name == "auto":
        return for_card(_card_bytes())
    if name not in PROFILES:
        raise ConfigurationError(f"there is no training profile '{name}'", hint=f"one of: auto, {', '.join(PROFILES)}")
    return PROFILES[name]


def for_card(memory: int | None) -> Profile:
    """The largest profile for a card of so many bytes; "cpu" without a card. Raises ConfigurationError for a smaller card."""
    if memory is None:
        return PROFILES["cpu"]
    for each in PROFILES.values():
        if each.card_gb and memory >= each.card_gb * _GIB * _RESERVED:
            return each
    raise ConfigurationError(
        f"the card has {memory / _GIB:.1f} GiB; the smallest profile is for 8", hint="train with --profile cpu, or elsewhere"
    )


def _card_bytes() -> int | None:
    try:
        import torch
    except ImportError:
        return None
    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else None
