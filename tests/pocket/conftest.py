"""A recipe so small that a whole build takes seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zirelia.pocket.recipe import LAPTOP, Recipe, Schedule


@pytest.fixture(scope="session")
def micro() -> Recipe:
    def short(batch: int) -> Schedule:
        return Schedule(steps=6, batch=batch, rate=1e-3, warmup=2, snapshot_every=3)

    return replace(
        LAPTOP,
        name="micro",
        size=32,
        characters=30,
        shots_each=2,
        crowd=20,
        strangers=6,
        validation=8,
        encoded=52,
        renderers=1,
        vae_blocks=(8, 8, 16, 16),
        crop=16,
        crop_batch=2,
        t5_width=32,
        clip_width=32,
        heads=1,
        head_width=16,
        double_blocks=1,
        single_blocks=1,
        looks_size=32,
        looks_widths=(8, 8, 8, 8),
        looks_reconstructed=4,
        vae=short(2),
        base=short(2),
        looks=short(4),
        threads=1,
        lessons=24,
    )
