"""What each diffusers pipeline wants to be called with: a table of families, and the call itself.

    family = family_of(pipeline)                                   # steps, guidance, whether it takes a negative prompt
    arguments = call_arguments(pipeline, family, profile, prompt, ...)

A pipeline's own signature decides: an argument that it does not have is never passed, so a new class works as soon as
diffusers knows it. Knows no weights and loads nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zirelia.domain.shot import ImagePrompt
from zirelia.images.profiles import Profile


@dataclass(frozen=True)
class Family:
    """The authors' own numbers. `negative`: whether guidance above 1 is classifier-free and so reads a negative prompt."""

    steps: int
    guidance: float | None
    negative: bool
    max_sequence_length: int | None = None


FAMILIES: dict[str, Family] = {
    "Flux2Klein": Family(steps=4, guidance=1.0, negative=False, max_sequence_length=512),
    "Flux2": Family(steps=50, guidance=4.0, negative=False, max_sequence_length=512),
    "Flux": Family(steps=28, guidance=3.5, negative=False, max_sequence_length=512),
    "QwenImage": Family(steps=50, guidance=None, negative=False, max_sequence_length=512),
    "ZImage": Family(steps=9, guidance=0.0, negative=True, max_sequence_length=512),
    "Chroma": Family(steps=35, guidance=5.0, negative=True, max_sequence_length=512),
    "StableDiffusionXL": Family(steps=30, guidance=6.0, negative=True),
    "StableDiffusion3": Family(steps=28, guidance=5.0, negative=True, max_sequence_length=256),
    "StableDiffusion": Family(steps=30, guidance=7.5, negative=True),
}
"""Beginning of the class name → family; the longest that fits counts."""

_SCHNELL = Family(steps=4, guidance=0.0, negative=False, max_sequence_length=256)
_UNKNOWN = Family(steps=30, guidance=None, negative=True)
_MIN_START_STEPS = 1


def family_of(pipeline: Any) -> Family:
    """FLUX.1 without guidance embeddings is schnell; a class that the table does not know gets cautious numbers."""
    name = type(pipeline).__name__
    prefix = max((known for known in FAMILIES if name.startswith(known)), key=len, default=None)
    if prefix is None:
        return _UNKNOWN
    if prefix == "Flux" and not pipeline.transformer.config.guidance_embeds:
        return _SCHNELL
    return FAMILIES[prefix]


@dataclass(frozen=True)
class Settings:
    """The numbers of one call, after prompt, profile and family have had their say."""

    steps: int
    guidance: float | None
    true_cfg: float
    max_sequence_length: int | None


def settings_for(pipeline: Any, profile: Profile, prompt: ImagePrompt) -> Settings:
    """The prompt's steps count before the profile's, and those before the family's."""
    family = family_of(pipeline)
    return Settings(
        steps=prompt.steps or profile.steps or family.steps,
        guidance=family.guidance if profile.guidance is None else profile.guidance,
        true_cfg=profile.true_cfg,
        max_sequence_length=profile.max_sequence_length or family.max_sequence_length,
    )


def call_arguments(
    pipeline: Any,
    profile: Profile,
    prompt: ImagePrompt,
    *,
    generator: Any,
    start: Any | None,
    mask: Any | None = None,
    on_step: Callable[..., dict[str, Any]],
) -> dict[str, Any]:
    """Keyword arguments for `pipeline(**arguments)`; pixels come back as floats."""
    settings = settings_for(pipeline, profile, prompt)
    takes = set(inspect.signature(type(pipeline).__call__).parameters)
    wanted: dict[str, Any] = {
        "prompt": prompt.text,
        "width": prompt.width,
        "height": prompt.height,
        "num_inference_steps": settings.steps,
        "guidance_scale": settings.guidance,
        "max_sequence_length": settings.max_sequence_length,
        "generator": generator,
        "output_type": "np",
        "callback_on_step_end": on_step,
    }
    # a distilled model reads a negative prompt only under true CFG; diffusers runs the second pass only when one is given
    if "true_cfg_scale" in takes:
        if settings.true_cfg > 1.0:
            wanted |= {"true_cfg_scale": settings.true_cfg, "negative_prompt": prompt.negative}
    elif prompt.negative and family_of(pipeline).negative:
        wanted["negative_prompt"] = prompt.negative
    if start is not None:
        # with few steps a small strength would leave no step at all
        strength = max(profile.strength, _MIN_START_STEPS / settings.steps)
        wanted |= {"image": start, "strength": min(1.0, strength)}
    if mask is not None:
        # what is spoilt is drawn from pure noise: none of it may shine through
        wanted |= {"mask_image": mask, "strength": 1.0}
    return {name: value for name, value in wanted.items() if name in takes and value is not None}
