"""A grid of prompt x LoRA x weight: the same free prompts and seed for every persona, each LoRA at every scale.

    grid = draw_grid(kit, [Wearer("Mira", lora)], prompts, scales=(0.6, 0.8, 1.0), seed=7)
    grid.picture(prompt=0, wearer=1, scale=2)

One image model makes all of it; the pictures of one LoRA are drawn together, so that each is put on once. Nothing is judged and
nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from zirelia.definitions.prompt_lines import PromptLine
from zirelia.domain.lora import Lora
from zirelia.domain.prompt import seed_for
from zirelia.domain.shot import ImagePrompt
from zirelia.errors import ConfigurationError
from zirelia.workflow.gallery import Unpaid, refuse_paid
from zirelia.workflow.kit import Kit
from zirelia.workflow.shoot import decoded

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PICTURES = 1000


@dataclass(frozen=True)
class Wearer:
    """Whose LoRA it is, as headings say it, and the weights."""

    name: str
    lora: Lora


@dataclass(frozen=True)
class Grid:
    """The pictures in the order wearer, scale, prompt, and what they were made with."""

    wearers: tuple[Wearer, ...]
    scales: tuple[float, ...]
    prompts: tuple[PromptLine, ...]
    seeds: tuple[int, ...]
    pictures: tuple[Image, ...]
    seconds: float

    def picture(self, *, prompt: int, wearer: int, scale: int) -> Image:
        """By 0-based indices."""
        return self.pictures[(wearer * len(self.scales) + scale) * len(self.prompts) + prompt]


def draw_grid(
    kit: Kit, wearers: Sequence[Wearer], prompts: Sequence[PromptLine], *, scales: Sequence[float], seed: int
) -> Grid:
    """All the pictures; `seed` gives every prompt its own, the same one in each column.

    Raises ConfigurationError with a paid image model, nothing to draw, a scale outside 0-2, or more than a thousand pictures.
    """
    refuse_paid(kit, "a grid")
    scales = tuple(dict.fromkeys(scales))
    wrong = [scale for scale in scales if not 0 <= scale <= 2]
    if wrong:
        raise ConfigurationError(f"a LoRA is worn at a scale of 0 to 2, not {wrong[0]:g}")
    total = len(wearers) * len(scales) * len(prompts)
    if not 0 < total <= MOST_PICTURES:
        raise ConfigurationError(f"the grid would have {total} pictures; it has 1 to {MOST_PICTURES}")
    kit.watcher.step("grid", f"{len(prompts)} prompts x {len(wearers)} LoRAs x {len(scales)} scales: {total} pictures")
    seeds = tuple(seed_for(f"grid:{seed}", number) for number in range(len(prompts)))
    started = monotonic()
    pictures: list[Image] = []
    for wearer in wearers:
        for scale in scales:
            for prompt, own in zip(prompts, seeds, strict=True):
                pictures.append(_drawn(kit, wearer, scale, prompt, own, len(pictures), total, started))
    kit.watcher.done(f"{total} pictures")
    return Grid(tuple(wearers), scales, tuple(prompts), seeds, tuple(pictures), monotonic() - started)


def _drawn(
    kit: Kit, wearer: Wearer, scale: float, prompt: PromptLine, seed: int, done: int, total: int, started: float
) -> Image:
    width, height = kit.images.size()
    rate = f", {(monotonic() - started) / done:.2f} s each" if done else ""
    whole = f"picture {done + 1} of {total}{rate}"

    def tell(fraction: float, note: str) -> None:  # noqa: ARG001 - the steps of one small picture say nothing
        kit.watcher.progress((done + fraction) / total, whole)

    wish = ImagePrompt(
        text=prompt.worn(wearer.lora.trigger),
        trigger=wearer.lora.trigger,
        lora_scale=scale,
        seed=seed,
        width=width,
        height=height,
        steps=kit.image_steps,
    )
    return decoded(kit.images.make(wish, lora=wearer.lora, call=Unpaid(), progress=tell).data)
