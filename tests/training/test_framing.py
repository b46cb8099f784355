"""How pictures are cut, what their parts weigh, and which ones a step takes together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from zirelia.domain.box import Box
from zirelia.errors import TrainingError
from zirelia.training.framing import Frame, buckets_of, frame_picture
from zirelia.training.masks import weights_of
from zirelia.training.order import Order, held_out, pictures_of
from zirelia.training.plan import TrainingPlan

FACE = Box(left=0.7, top=0.1, right=0.8, bottom=0.2)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """800 x 400, black, with a white face at the right."""
    image = Image.new("RGB", (800, 400))
    ImageDraw.Draw(image).rectangle((560, 40, 640, 80), fill="white")
    path = tmp_path / "wide.png"
    image.save(path)
    return path


def test_the_square_is_the_middle_or_follows_the_face(wide: Path, plan: TrainingPlan) -> None:
    middle = frame_picture(wide, None, plan, multiple=16)
    assert (middle.size, middle.crop((800, 400))) == ((32, 32), (200, 0, 600, 400))
    assert middle.cut().size == (32, 32)
    placed = frame_picture(wide, FACE, plan, multiple=16)
    left, top, right, bottom = placed.crop((800, 400))
    assert left <= 560
    assert right >= 640
    assert (right - left, bottom - top) == (400, 400)
    assert placed.cut().size == (32, 32)


def test_a_bucket_keeps_the_shape(wide: Path, plan: TrainingPlan) -> None:
    shaped = plan.model_copy(update={"buckets": True, "resolution": 128})
    frame = frame_picture(wide, FACE, shaped, multiple=16)
    assert frame.size == (160, 96)
    assert frame.size in buckets_of(shaped, 16)
    assert frame.cut().size == frame.size
    large = plan.model_copy(update={"resolution": 1024})
    assert all(side % 64 == 0 for bucket in buckets_of(large, 16) for side in bucket)


@pytest.mark.parametrize(("buckets", "said"), [(True, "covers no bucket of 512"), (False, "400 pixels on its shorter side")])
def test_nothing_is_enlarged(buckets: bool, said: str, wide: Path, plan: TrainingPlan) -> None:
    larger = plan.model_copy(update={"buckets": buckets, "resolution": 512})
    with Image.open(wide) as image:
        image.resize((500, 400)).save(wide)
    with pytest.raises(TrainingError, match=said):
        frame_picture(wide, None, larger, multiple=16)


def test_head_and_shoulders_weigh_most(wide: Path, plan: TrainingPlan) -> None:
    frame = Frame(wide, (80, 40), FACE, placed=True)
    weights = weights_of(frame, grid=(80, 40), background=0.2)
    assert weights.shape == (40, 80)
    assert weights.mean() == pytest.approx(1, abs=1e-5)
    face, shoulders, corner = weights[6, 60], weights[12, 60], weights[38, 2]
    assert face == pytest.approx(weights.max(), rel=0.02)
    assert shoulders > 0.9 * face
    assert corner == pytest.approx(0.2 * weights.max(), rel=0.05)
    values = np.unique(weights.round(3))
    assert len(values) > 10, "the edge is soft"
    assert (weights_of(Frame(wide, (32, 32)), grid=(2, 2), background=0.2) == 1).all()


def test_a_mask_beside_the_picture_goes_first(wide: Path, plan: TrainingPlan) -> None:
    weighed = plan.model_copy(update={"background_weight": 0.25})
    mask = Image.new("L", (800, 400))
    ImageDraw.Draw(mask).rectangle((0, 0, 399, 399), fill=255)
    mask.save(wide.with_suffix(".mask.png"))
    frame = frame_picture(wide, FACE, weighed, multiple=16)
    assert frame.mask is not None
    whole = Frame(wide, (80, 40), None, frame.mask, placed=True)
    weights = weights_of(whole, grid=(2, 1), background=0.25)
    assert weights[0] / weights[0].max() == pytest.approx([1, 0.25])
    assert frame_picture(wide, FACE, plan, multiple=16).mask is None, "a plan without weights reads no mask"
    mask.resize((40, 20)).save(wide.with_suffix(".mask.png"))
    with pytest.raises(TrainingError, match="40 x 20 pixels, its picture 800 x 400"):
        weights_of(frame, grid=(2, 2), background=0.25)


SIZES = [(64, 64), (48, 80), (80, 48)]


@given(sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=20), batch=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_batch_is_of_one_bucket_and_a_turn_shows_all(sizes: list[tuple[int, int]], batch: int, seed: int) -> None:
    order = Order(sizes, range(len(sizes)), batch=batch, seed=seed)
    counts = Counter(sizes)
    turn = sum(-(-count // batch) for count in counts.values())
    batches = [order.pictures(step) for step in range(turn)]
    assert all(len(chosen) == batch and len({sizes[n] for n in chosen}) == 1 for chosen in batches)
    if len(counts) > 1:
        assert {n for chosen in batches for n in chosen} == set(range(len(sizes)))
    else:
        assert batches == [pictures_of(step, batch=batch, count=len(sizes), seed=seed) for step in range(turn)]
    assert batches == [Order(sizes, range(len(sizes)), batch=batch, seed=seed).pictures(step) for step in range(turn)]


def test_pictures_held_out_are_never_taken() -> None:
    kept = held_out(10, 3, seed=4)
    assert len(set(kept)) == 3
    own = [n for n in range(10) if n not in kept]
    order = Order([(64, 64)] * 10, own, batch=2, seed=4)
    assert {n for step in range(20) for n in order.pictures(step)} == set(own)
