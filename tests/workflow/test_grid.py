"""The grid: which prompts are drawn with which LoRA, scale and seed, and in which order."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from zirelia.definitions.prompt_lines import PromptLine
from zirelia.domain.lora import Lora
from zirelia.errors import ConfigurationError
from zirelia.workflow.grid import Wearer, draw_grid

PROMPTS = (PromptLine("a woman in a cafe", 1), PromptLine("on the beach", 2))


def wearer(name: str, trigger: str) -> Wearer:
    return Wearer(name, Lora(path=name, sha256=name.encode().hex().rjust(64, "0"), trigger=trigger, base_model="b", rank=4))


TWO = (wearer("Mira", "mirelo"), wearer("Leo", "leoxa"))


class Remembering:
    """Around the desk's fake: what was worn with each prompt, and the bytes that came of it."""

    def __init__(self, maker, monkeypatch):
        self.worn = []
        make = maker.make

        def told(prompt, *, lora, **options):
            made = make(prompt, lora=lora, **options)
            self.worn.append((lora.trigger, prompt, made.data))
            return made

        monkeypatch.setattr(maker, "make", told)


def test_the_same_seeds_everywhere_and_each_lora_put_on_once(desk, monkeypatch):
    seen = Remembering(desk.images, monkeypatch)
    grid = draw_grid(desk.kit(), TWO, PROMPTS, scales=(0.6, 1.0), seed=7)
    assert [trigger for trigger, *_ in seen.worn] == ["mirelo"] * 4 + ["leoxa"] * 4
    assert [prompt.seed for _, prompt, _ in seen.worn] == list(grid.seeds) * 4
    assert len(set(grid.seeds)) == 2
    assert [prompt.lora_scale for _, prompt, _ in seen.worn] == [0.6, 0.6, 1.0, 1.0] * 2
    assert [prompt.text for _, prompt, _ in seen.worn][-2:] == ["leoxa woman in a cafe", "leoxa, on the beach"]
    assert "grid 2 prompts x 2 LoRAs x 2 scales: 8 pictures" in desk.diary.said("step")


def test_where_each_picture_is(desk, monkeypatch):
    seen = Remembering(desk.images, monkeypatch)
    grid = draw_grid(desk.kit(), TWO, PROMPTS, scales=(0.6, 1.0), seed=7)
    for trigger, prompt, data in seen.worn:
        place = {
            "prompt": grid.seeds.index(prompt.seed),
            "wearer": ["mirelo", "leoxa"].index(trigger),
            "scale": grid.scales.index(prompt.lora_scale),
        }
        assert grid.picture(**place).tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def test_a_seed_decides_all_and_a_scale_twice_is_drawn_once(desk):
    one, again, other = (draw_grid(desk.kit(), TWO[:1], PROMPTS, scales=(1.0, 1.0), seed=seed).pictures for seed in (1, 1, 2))
    assert len(one) == 2
    assert [p.tobytes() for p in one] == [p.tobytes() for p in again]
    assert all(a.tobytes() != b.tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scales": ()}, "would have 0 pictures"),
        ({"prompts": ()}, "would have 0 pictures"),
        ({"wearers": ()}, "would have 0 pictures"),
        ({"scales": (1.0, 2.5)}, "0 to 2, not 2.5"),
        ({"prompts": PROMPTS * 600}, "would have 1200 pictures"),
    ],
)
def test_grids_that_cannot_be(desk, changes, said):
    given = {"wearers": TWO[:1], "prompts": PROMPTS, "scales": (1.0,)} | changes
    with pytest.raises(ConfigurationError, match=said):
        draw_grid(desk.kit(), given["wearers"], given["prompts"], scales=given["scales"], seed=0)
    assert desk.images.made == []


def test_a_paid_model_is_refused(desk):
    desk.images._price = 0.1
    with pytest.raises(ConfigurationError, match="a grid makes many pictures"):
        draw_grid(desk.kit(), TWO, PROMPTS, scales=(1.0,), seed=0)
