"""What every measurement of a LoRA does: wear it, paint the same prompts with the same seeds, take the middle of a face.

    with worn(pipeline, Path("luna.safetensors")):
        images = painted(pipeline, prompts, seeds=2)
    looks.embed(images) @ middle(looks.embed(references))

It does not know what is asked, and judges nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zirelia.pocket.world import Character, random_character

if TYPE_CHECKING:
    from diffusers import FluxPipeline
    from numpy.typing import NDArray
    from PIL.Image import Image

SIZE = 128
LENGTH = 48
"""Tokens of a prompt."""
_ADAPTER = "measured"


@contextmanager
def worn(pipeline: FluxPipeline, lora: Path, scale: float = 1.0) -> Iterator[None]:
    """The pipeline with this LoRA alone, and without it afterwards."""
    pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name, adapter_name=_ADAPTER, local_files_only=True)
    try:
        pipeline.set_adapters([_ADAPTER], [scale])
        yield
    finally:
        pipeline.delete_adapters([_ADAPTER])


def painted(
    pipeline: FluxPipeline, prompts: Sequence[str], *, seeds: int, size: int = SIZE, length: int = LENGTH
) -> list[Image]:
    """Every prompt once a seed, all prompts of the first seed first; the same pictures every time."""
    from zirelia.pocket.flux import paint

    return [
        image
        for seed in range(seeds)
        for image in paint(pipeline, list(prompts), [1000 * seed + n for n in range(len(prompts))], size=size, length=length)
    ]


def middle(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unit vector in the middle of the rows."""
    mean = vectors.mean(0)
    unit: NDArray[np.float32] = (mean / np.linalg.norm(mean)).astype(np.float32)
    return unit


def somebody_else(who: Character, number: int) -> Character:
    """Another person of the same gender, the same one for the same number."""
    return random_character(random.Random(300 + number), gender=who.gender)  # noqa: S311
