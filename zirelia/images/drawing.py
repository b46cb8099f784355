"""One turn at a warm pipeline: waiting for it, telling of each step, running it, and what can go wrong there.

    with turn(base, progress):
        image = run(base, pipeline, arguments, name="FLUX.2-klein-4B", seed=7)

Knows neither prompts nor what the pipeline draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zirelia.domain.shot import ImagePrompt
from zirelia.errors import ConfigurationError, MediaError
from zirelia.images.base import Base
from zirelia.pictures import from_floats
from zirelia.ports import Progress

if TYPE_CHECKING:
    from PIL.Image import Image

_WAIT = 1.0
_GRID = 16


@contextmanager
def turn(base: Base, progress: Progress) -> Iterator[None]:
    """Holds the pipeline; while it is busy `progress` is told every second and may cancel."""
    while not base.lock.acquire(timeout=_WAIT):
        progress(0.0, "waiting for another picture")
    try:
        yield
    finally:
        base.lock.release()


def teller(progress: Progress) -> Callable[..., dict[str, Any]]:
    """Tells of each step. What `progress` raises passes through the pipeline: that is how a drawing is cancelled."""

    def on_step(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
        total = max(int(pipeline.num_timesteps), step + 1)
        progress((step + 1) / total, f"step {step + 1} of {total}")
        return tensors

    return on_step


def run(base: Base, pipeline: Any, arguments: Mapping[str, Any], *, name: str, seed: int) -> Image:
    """The picture. Raises ConfigurationError when memory is short and MediaError when the safety checker blanked it."""
    import torch

    try:
        output = pipeline(**arguments)
    except torch.OutOfMemoryError as error:
        raise ConfigurationError(
            f"{name} does not fit into the memory of {base.device} at {arguments.get('width')} x {arguments.get('height')}",
            hint="choose a smaller image profile (vram12, vram8), a smaller size or fewer references",
        ) from error
    finally:
        if base.key.profile.offload != "none":
            pipeline.maybe_free_model_hooks()
    what = f"the picture of {name} (seed {seed})"
    if any(getattr(output, "nsfw_content_detected", None) or ()):
        raise MediaError(f"{what} was blanked by the model's safety checker", hint="word the prompt more safely")
    return from_floats(output.images[0], what=what)


def check_size(prompt: ImagePrompt) -> None:
    """Raises ConfigurationError for sides that diffusion models cannot draw exactly."""
    if prompt.width % _GRID or prompt.height % _GRID:
        near = [max(64, round(side / _GRID) * _GRID) for side in (prompt.width, prompt.height)]
        raise ConfigurationError(
            f"a picture of {prompt.width} x {prompt.height} cannot be drawn: sides are multiples of {_GRID}",
            hint=f"use {near[0]} x {near[1]}",
        )
