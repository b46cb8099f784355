"""Profiles, families and the arguments of a call: tables, without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from zirelia.errors import ConfigurationError
from zirelia.images.families import call_arguments, family_of
from zirelia.images.profiles import PROFILES, Profile, profile_for_memory, profile_named


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_named_profile_is_found(name):
    assert profile_named(name) is PROFILES[name]


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(ConfigurationError, match="vram24"):
        profile_named("vram23")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "tpu"}, "device 'tpu'"),
        ({"dtype": "int4"}, "dtype"),
        ({"offload": "disk"}, "offload"),
        ({"quantisation": "q4"}, "quantisation"),
        ({"steps": 0}, "steps"),
        ({"strength": 0.0}, "strength"),
        ({"true_cfg": 0.5}, "true_cfg"),
        ({"width": 512}, "width and height"),
        ({"device": "cpu", "quantisation": "nf4"}, "needs a CUDA card"),
        ({"device": "cpu", "offload": "model"}, "offload"),
    ],
)
def test_a_profile_that_cannot_work_is_refused(changes, said):
    with pytest.raises(ConfigurationError, match=said):
        Profile(**changes)


@pytest.mark.parametrize(
    ("gb", "name"),
    [(80, "vram40"), (24, "vram24"), (23.6, "vram24"), (16, "vram16"), (12, "vram12"), (8, "vram8"), (4, "cpu")],
)
def test_memory_chooses_a_profile(gb, name):
    assert profile_for_memory(gb) == name


@dataclass
class _Pipeline:
    guidance_embeds: bool = True
    transformer: Any = field(init=False)

    def __post_init__(self):
        self.transformer = SimpleNamespace(config=SimpleNamespace(guidance_embeds=self.guidance_embeds))


class FluxPipeline(_Pipeline):
    def __call__(self, prompt, negative_prompt, true_cfg_scale, height, width, num_inference_steps, guidance_scale,
                 generator, max_sequence_length, output_type, callback_on_step_end): ...  # fmt: skip


class Flux2KleinPipeline(_Pipeline):
    def __call__(self, image, prompt, height, width, num_inference_steps, guidance_scale, generator, output_type,
                 callback_on_step_end, max_sequence_length): ...  # fmt: skip


class StableDiffusionXLImg2ImgPipeline(_Pipeline):
    def __call__(self, prompt, image, strength, num_inference_steps, guidance_scale, negative_prompt, generator,
                 output_type, callback_on_step_end): ...  # fmt: skip


class NewPipeline(_Pipeline):
    def __call__(self, prompt, generator): ...


@pytest.mark.parametrize(
    ("pipeline", "profile", "changes", "start", "expected", "absent"),
    [
        (FluxPipeline(), Profile(), {}, None,
         {"num_inference_steps": 28, "guidance_scale": 3.5, "max_sequence_length": 512}, {"negative_prompt", "true_cfg_scale"}),
        (FluxPipeline(guidance_embeds=False), Profile(), {}, None,
         {"num_inference_steps": 4, "guidance_scale": 0.0, "max_sequence_length": 256}, set()),
        (FluxPipeline(guidance_embeds=False), PROFILES["pocket"], {}, None,
         {"num_inference_steps": 16, "true_cfg_scale": 2.5, "negative_prompt": "", "max_sequence_length": 48}, set()),
        (FluxPipeline(), Profile(), {"negative": "blurry", "steps": 9}, None, {"num_inference_steps": 9}, {"negative_prompt"}),
        (Flux2KleinPipeline(), Profile(), {}, "start", {"num_inference_steps": 4, "image": "start"}, {"strength"}),
        (StableDiffusionXLImg2ImgPipeline(), Profile(strength=0.5), {"negative": "blurry"}, "start",
         {"negative_prompt": "blurry", "strength": 0.5, "image": "start", "guidance_scale": 6.0},
         {"width", "height", "max_sequence_length"}),
        (NewPipeline(), Profile(), {}, None, {"prompt": "zqmira woman in a cafe, smiling, red sweater"}, {"width"}),
    ],
)  # fmt: skip
def test_each_pipeline_gets_what_it_takes(wish, pipeline, profile, changes, start, expected, absent):
    arguments = call_arguments(pipeline, profile, wish(**changes), generator="g", start=start, on_step=print)
    assert expected.items() <= arguments.items()
    assert not absent & set(arguments)


def test_the_longest_name_decides():
    assert family_of(Flux2KleinPipeline()).steps == 4
    assert family_of(StableDiffusionXLImg2ImgPipeline()).guidance == 6.0
