"""How a diffusers pipeline is run on a machine: device, precision, offload, steps. Named profiles by graphics memory.

    profile = PROFILES["vram24"]
    replace(profile, steps=20)          # dataclasses.replace: a profile is a frozen value

A number that is None is the model's own, from `families`. Knows no torch: names are resolved when a pipeline is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from zirelia.errors import ConfigurationError

Device = Literal["auto", "cpu", "cuda", "mps"]
"""`cuda` is NVIDIA and, in ROCm builds of torch, AMD."""
Dtype = Literal["auto", "fp32", "fp16", "bf16"]
Offload = Literal["none", "model", "sequential"]
Quantisation = Literal["none", "int8", "nf4", "fp8"]


@dataclass(frozen=True)
class Profile:
    """One way to run a pipeline.

    offload: `model` keeps one component on the card at a time, `sequential` one layer (very slow, smallest).
    quantisation: of the transformer (or UNet) and the large text encoder; int8 and nf4 need bitsandbytes and a CUDA card,
    fp8 stores the transformer's weights in 8 bits and computes in `dtype`.
    guidance: the distilled guidance (FLUX) or the classifier-free scale (Stable Diffusion).
    true_cfg: classifier-free scale of models that have both; above 1 it doubles the time and uses the negative prompt.
    width, height: what `size()` answers; None reads the pipeline's folder.
    strength: image-to-image, (0, 1]: how far from the start picture; 1 forgets it.
    compile: compiles the repeated blocks (CUDA): minutes once, then faster; LoRAs up to `lora_rank` swap in place.
    """

    device: Device = "auto"
    dtype: Dtype = "auto"
    offload: Offload = "none"
    quantisation: Quantisation = "none"
    steps: int | None = None
    guidance: float | None = None
    true_cfg: float = 1.0
    width: int | None = None
    height: int | None = None
    max_sequence_length: int | None = None
    strength: float = 0.6
    compile: bool = False
    lora_rank: int = 64

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("device", self.device, get_args(Device)),
            ("dtype", self.dtype, get_args(Dtype)),
            ("offload", self.offload, get_args(Offload)),
            ("quantisation", self.quantisation, get_args(Quantisation)),
        ):
            if value not in allowed:
                raise ConfigurationError(f"image profile: {name} '{value}' is not one of {', '.join(allowed)}")
        self._check_numbers()
        if self.device in {"cpu", "mps"} and self.quantisation in {"int8", "nf4"}:
            raise ConfigurationError(
                f"image profile: {self.quantisation} needs a CUDA card, not {self.device}",
                hint="use quantisation none or fp8",
            )
        if self.device == "cpu" and self.offload != "none":
            raise ConfigurationError("image profile: offload moves weights off a graphics card; the device is cpu")

    def _check_numbers(self) -> None:
        if self.steps is not None and not 1 <= self.steps <= 200:
            raise ConfigurationError(f"image profile: steps {self.steps} is outside 1 to 200")
        if not 0.0 < self.strength <= 1.0:
            raise ConfigurationError(f"image profile: strength {self.strength} is outside (0, 1]")
        if self.true_cfg < 1.0:
            raise ConfigurationError(f"image profile: true_cfg {self.true_cfg} is below 1, which means off")
        if (self.width is None) != (self.height is None):
            raise ConfigurationError("image profile: give width and height, or neither")


PROFILES: dict[str, Profile] = {
    # 48 and 2.5 are the values that the pocket weights were trained and judged with; bf16 is slower than fp32 on CPUs
    "pocket": Profile(device="cpu", dtype="fp32", steps=16, guidance=0.0, true_cfg=2.5, max_sequence_length=48),
    "cpu": Profile(device="cpu", dtype="fp32"),
    "mps": Profile(device="mps", dtype="bf16"),
    "vram8": Profile(device="cuda", dtype="bf16", offload="sequential", width=512, height=512, max_sequence_length=256),
    "vram12": Profile(device="cuda", dtype="bf16", quantisation="nf4", offload="model", width=768, height=768),
    "vram16": Profile(device="cuda", dtype="bf16", quantisation="nf4", offload="model"),
    "vram24": Profile(device="cuda", dtype="bf16", quantisation="fp8", offload="model"),
    "vram40": Profile(device="cuda", dtype="bf16"),
    "vram80": Profile(device="cuda", dtype="bf16", compile=True),
}
"""FLUX.1-dev's needs; smaller models (SDXL, SD 1.5, FLUX.2 klein) run one or two rows lower."""


def profile_named(name: str) -> Profile:
    """Raises ConfigurationError that lists the names."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(f"no image profile '{name}'", hint=f"one of: {', '.join(PROFILES)}") from None


def profile_for_memory(gigabytes: float) -> str:
    """The name of the strongest profile (not compiled) that a CUDA card of so many GB runs FLUX.1-dev with."""
    for floor, name in ((40, "vram40"), (22, "vram24"), (15, "vram16"), (11, "vram12"), (6, "vram8")):
        if gigabytes >= floor:
            return name
    return "cpu"
