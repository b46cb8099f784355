"""The families of models that the trainer knows, told by the folder of a pipeline.

    family = family_of(pipeline_dir)           # from model_index.json
    family.trained                             # "transformer", or "unet"

Names and folders only; what a family computes is in `bases`. It loads no model and no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zirelia.errors import TrainingError

_FLUX_DEV = (19, 38, 24, 128)
_SD_WIDTHS = [320, 640, 1280, 1280]
_SDXL_WIDTHS = [320, 640, 1280]


@dataclass(frozen=True)
class Family:
    """One family. `trained` is the folder of the model that is adapted and the prefix of the LoRA's keys;
    `text_encoders` are the folders of its text encoders; `scheduled` says whether the scheduler's settings decide what is
    learnt.
    """

    name: Literal["flux", "sdxl", "sd15"]
    pipeline: str
    trained: Literal["transformer", "unet"]
    text_encoders: tuple[str, ...]
    scheduled: bool
    implementation: str
    network_module: str

    @property
    def weighty(self) -> tuple[str, ...]:
        """The folders that hold weights."""
        return (self.trained, "vae", *self.text_encoders)

    @property
    def text_folders(self) -> tuple[str, ...]:
        return (*self.text_encoders, *(name.replace("text_encoder", "tokenizer") for name in self.text_encoders))

    @property
    def learnt_from(self) -> tuple[str, ...]:
        """The folders that decide what the adapter is trained against."""
        return (self.trained, "scheduler") if self.scheduled else (self.trained,)


_STABILITY = "https://github.com/Stability-AI/generative-models"
FLUX = Family(
    name="flux",
    pipeline="FluxPipeline",
    trained="transformer",
    text_encoders=("text_encoder", "text_encoder_2"),
    scheduled=False,
    implementation="https://github.com/black-forest-labs/flux",
    network_module="networks.lora_flux",
)
SDXL = Family(
    name="sdxl",
    pipeline="StableDiffusionXLPipeline",
    trained="unet",
    text_encoders=("text_encoder", "text_encoder_2"),
    scheduled=True,
    implementation=_STABILITY,
    network_module="networks.lora",
)
SD15 = Family(
    name="sd15",
    pipeline="StableDiffusionPipeline",
    trained="unet",
    text_encoders=("text_encoder",),
    scheduled=True,
    implementation=_STABILITY,
    network_module="networks.lora",
)
FAMILIES = (FLUX, SDXL, SD15)


def family_of(pipeline_dir: Path) -> Family:
    """Raises TrainingError for a folder that holds no pipeline of a family that can be trained."""
    index = pipeline_dir / "model_index.json"
    try:
        said = json.loads(index.read_text(encoding="utf-8"))
        kind = str(said["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{pipeline_dir} is not a complete pipeline: {index.name} cannot be read ({error})",
            hint="point to a folder in the layout of diffusers: model_index.json, vae, text_encoder, ...",
        ) from error
    for family in FAMILIES:
        if family.pipeline == kind:
            return family
    raise TrainingError(
        f"{pipeline_dir} holds a {kind}, which this trainer does not know",
        hint=f"it trains {', '.join(family.pipeline for family in FAMILIES)}",
    )


def multiple_of(pipeline_dir: Path, family: Family) -> int:
    """What the sides of a picture must divide by, in pixels. Raises TrainingError."""
    cell = 2 ** (len(_widths(pipeline_dir / "vae")) - 1)
    return int(cell * (2 if family.name == "flux" else 2 ** (len(_widths(pipeline_dir / family.trained)) - 1)))


def _widths(folder: Path) -> list[int]:
    try:
        return list(json.loads((folder / "config.json").read_text(encoding="utf-8"))["block_out_channels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{folder / 'config.json'} cannot be read: {error}", hint="the pipeline is not complete; fetch it again"
        ) from error


def architecture(settings: Mapping[str, Any]) -> str:
    """The base's name in modelspec by its model's settings; one of other dimensions is named by them."""
    if "num_single_layers" in settings:
        double, single = settings["num_layers"], settings["num_single_layers"]
        heads, width = settings["num_attention_heads"], settings["attention_head_dim"]
        if (double, single, heads, width) == _FLUX_DEV:
            return "flux-1-dev/lora" if settings["guidance_embeds"] else "flux-1-schnell/lora"
        return f"flux-{double}x{single}x{heads * width}/lora"
    widths, spoken = list(settings["block_out_channels"]), settings["cross_attention_dim"]
    if settings.get("addition_embed_type") == "text_time":
        known = (widths, spoken) == (_SDXL_WIDTHS, 2048)
        return "stable-diffusion-xl-v1-base/lora" if known else f"sdxl-{'x'.join(map(str, widths))}x{spoken}/lora"
    if widths == _SD_WIDTHS and spoken in {768, 1024}:
        return "stable-diffusion-v1/lora" if spoken == 768 else "stable-diffusion-v2-512/lora"
    return f"stable-diffusion-{'x'.join(map(str, widths))}x{spoken}/lora"


_VERSIONS = {
    "flux-1-dev/lora": "flux1",
    "flux-1-schnell/lora": "flux1",
    "stable-diffusion-xl-v1-base/lora": "sdxl_base_v1-0",
    "stable-diffusion-v1/lora": "sd_v1",
    "stable-diffusion-v2-512/lora": "sd_v2",
}


def base_version(kind: str) -> str:
    """What `ss_base_model_version` says for an architecture's name."""
    return _VERSIONS.get(kind, kind.removesuffix("/lora"))


def family_named(settings: Mapping[str, Any]) -> Family:
    """The family of a model by its settings alone."""
    if "num_single_layers" in settings:
        return FLUX
    return SDXL if settings.get("addition_embed_type") == "text_time" else SD15
