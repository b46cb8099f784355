"""Every number of the pocket Flux in one frozen value, for two kinds of machine.

    build(LAPTOP, out=..., work=...)
    replace(LAPTOP, base=replace(LAPTOP.base, steps=200))

It does not train; it says how large things are and how long each stage learns.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long one stage learns: warm up, hold, then fall linearly to `floor` of the rate."""

    steps: int
    batch: int
    rate: float
    warmup: int = 50
    decay_from: float = 0.6
    floor: float = 0.02
    snapshot_every: int = 500

    def rate_at(self, step: int) -> float:
        done = step / self.steps
        held = 1.0 if done < self.decay_from else 1 - (done - self.decay_from) / (1 - self.decay_from)
        return self.rate * min(1.0, (step + 1) / self.warmup) * max(self.floor, held)


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    size: int
    # the world: `encoded` of the pictures teach the transformer, the last `validation` teach nothing
    seed: int
    characters: int
    shots_each: int
    crowd: int
    strangers: int
    validation: int
    encoded: int
    renderers: int
    # the autoencoder
    vae_blocks: tuple[int, ...]
    latent_channels: int
    latent_noise: float
    crop: int
    crop_share: float
    crop_batch: int
    # the text encoders and the transformer
    t5_width: int
    t5_length: int
    clip_width: int
    clip_length: int
    heads: int
    head_width: int
    double_blocks: int
    single_blocks: int
    ema: float
    empty_captions: float
    # the looks encoder
    looks_size: int
    looks_widths: tuple[int, ...]
    looks_reconstructed: int
    # the stages
    vae: Schedule
    base: Schedule
    looks: Schedule
    threads: int | None = None
    # drawings that teach whether a head is cut off
    lessons: int = 2400

    @property
    def grid(self) -> int:
        """The side of the latent picture; two by two of its cells make one token."""
        return self.size >> (len(self.vae_blocks) - 1)

    @property
    def rope_axes(self) -> tuple[int, int, int]:
        first = self.head_width // 4
        rest = (self.head_width - first) // 2
        return first, rest, rest


LAPTOP = Recipe(
    name="laptop",
    size=128,
    seed=42,
    characters=3000,
    shots_each=8,
    crowd=2400,
    strangers=1500,
    validation=128,
    encoded=12_000,
    renderers=2,
    vae_blocks=(16, 24, 48, 96),
    latent_channels=16,
    latent_noise=0.08,
    crop=64,
    crop_share=0.4,
    crop_batch=12,
    t5_width=192,
    t5_length=48,
    clip_width=128,
    clip_length=64,
    heads=6,
    head_width=32,
    double_blocks=2,
    single_blocks=4,
    ema=0.998,
    empty_captions=0.1,
    looks_size=64,
    looks_widths=(24, 48, 96, 160),
    looks_reconstructed=1000,
    vae=Schedule(steps=2400, batch=4, rate=1.2e-3, decay_from=0.25, snapshot_every=400),
    base=Schedule(steps=4600, batch=32, rate=1.5e-3, warmup=100, snapshot_every=400),
    looks=Schedule(steps=2600, batch=64, rate=2e-3, decay_from=0.2, floor=0.0, snapshot_every=400),
    threads=2,
)

WORKSTATION = Recipe(
    name="workstation",
    size=256,
    seed=42,
    characters=12500,
    shots_each=8,
    crowd=6000,
    strangers=4000,
    validation=256,
    encoded=99_000,
    renderers=16,
    vae_blocks=(16, 24, 48, 96, 128),
    latent_channels=16,
    latent_noise=0.08,
    crop=128,
    crop_share=0.5,
    crop_batch=64,
    t5_width=256,
    t5_length=48,
    clip_width=192,
    clip_length=64,
    heads=8,
    head_width=32,
    double_blocks=3,
    single_blocks=6,
    ema=0.9995,
    empty_captions=0.1,
    looks_size=64,
    looks_widths=(24, 48, 96, 160),
    looks_reconstructed=20000,
    vae=Schedule(steps=20000, batch=32, rate=1.5e-3, warmup=200, decay_from=0.3, snapshot_every=2000),
    base=Schedule(steps=40000, batch=256, rate=1.2e-3, warmup=500, snapshot_every=2000),
    looks=Schedule(steps=6000, batch=256, rate=2e-3, decay_from=0.2, floor=0.0, snapshot_every=1000),
)
