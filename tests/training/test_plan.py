"""The numbers: presets, the rate over time, the layers, and which pictures a step takes."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from zirelia.training.order import draws, pictures_of
from zirelia.training.plan import POCKET, Targets, TrainingPlan, person

LAYERS = {
    "transformer_blocks.0.attn.to_q": Targets.ATTENTION,
    "transformer_blocks.18.attn.add_k_proj": Targets.ATTENTION,
    "transformer_blocks.0.attn.to_out.0": Targets.ATTENTION,
    "single_transformer_blocks.3.attn.to_v": Targets.ATTENTION,
    "transformer_blocks.0.ff.net.0.proj": Targets.BLOCKS,
    "transformer_blocks.0.ff_context.net.2": Targets.BLOCKS,
    "single_transformer_blocks.37.proj_mlp": Targets.BLOCKS,
    "single_transformer_blocks.37.proj_out": Targets.BLOCKS,
    "transformer_blocks.1.norm1.linear": Targets.EVERYTHING,
    "transformer_blocks.1.norm1_context.linear": Targets.EVERYTHING,
    "single_transformer_blocks.0.norm.linear": Targets.EVERYTHING,
    "context_embedder": Targets.EVERYTHING,
    "time_text_embed.text_embedder.linear_1": Targets.EVERYTHING,
    "time_text_embed.timestep_embedder.linear_1": None,
    "transformer_blocks.0.attn.norm_q": None,
    "norm_out.linear": None,
    "x_embedder": None,
    "proj_out": None,
}


@pytest.mark.parametrize(("layer", "first"), LAYERS.items())
def test_each_preset_adds_layers_to_the_one_before(layer: str, first: Targets | None) -> None:
    order = list(Targets)
    for targets in order:
        wanted = first is not None and order.index(targets) >= order.index(first)
        assert bool(re.fullmatch(targets.pattern, layer)) == wanted, targets


def test_the_measured_recipe() -> None:
    assert (POCKET.rank, POCKET.steps, POCKET.batch, POCKET.preservation_weight) == (16, 600, 8, 2.0)
    assert POCKET.rate_at(0) == pytest.approx(3e-4)
    assert POCKET.rate_at(9) == pytest.approx(3e-3 * (1 - 9 / 600))
    assert POCKET.rate_at(599) == pytest.approx(3e-3 * 0.05)
    assert (POCKET.time_mu, POCKET.time_sigma, POCKET.time_shift) == (1.0, 1.2, 1.0)


@pytest.mark.parametrize(("images", "steps"), [(3, 1500), (20, 2000), (200, 3000)])
def test_a_person_on_flux_dev(images: int, steps: int) -> None:
    plan = person(images)
    assert (plan.steps, plan.rank, plan.guidance, plan.time_shift, plan.ema) == (steps, 16, 1.0, 3.1582, 0.99)
    assert plan.rate_at(steps - 1) == 1e-4
    assert plan.rate_at(24) == pytest.approx(5e-5)
    assert TrainingPlan.model_validate_json(plan.model_dump_json()) == plan


def test_every_picture_comes_once_before_any_comes_twice() -> None:
    seen = [picture for step in range(5) for picture in pictures_of(step, batch=3, count=5, seed=1)]
    assert Counter(seen[:5]) == Counter(range(5))
    assert Counter(seen) == Counter(dict.fromkeys(range(5), 3))
    assert seen[:5] != seen[5:10]


def test_a_step_draws_the_same_whenever_it_is_taken() -> None:
    numbers, generator = draws(7, 120)
    again, same = draws(7, 120)
    other, _ = draws(7, 121)
    assert numbers.integers(1 << 40) == again.integers(1 << 40) != other.integers(1 << 40)
    assert generator.initial_seed() == same.initial_seed()
