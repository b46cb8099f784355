"""A part of a picture drawn anew: masks by table, and the real pipeline, which leaves the rest as it was."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from zirelia.domain.box import Box
from zirelia.errors import ConfigurationError, MediaError
from zirelia.images.inpaint import put_back, soft_mask
from zirelia.pictures import encode_png
from zirelia.testing.images import FakeImageMaker

FACE = Box(left=0.375, top=0.25, right=0.625, bottom=0.5)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    "box",
    [
        FACE,
        Box(left=0, top=0, right=0.2, bottom=0.2),
        Box(left=0.9, top=0.8, right=1, bottom=1),
        Box(left=0, top=0, right=1, bottom=1),
    ],
)
@pytest.mark.parametrize(("width", "height"), [(128, 128), (320, 192)])
def test_the_mask_covers_the_part_and_fades_around_it(box, width, height):
    mask = np.asarray(soft_mask(box, width=width, height=height))
    assert mask.shape == (height, width)
    inside = mask[round(box.top * height) : round(box.bottom * height), round(box.left * width) : round(box.right * width)]
    assert inside.mean() > 225
    side = max((box.right - box.left) * width, (box.bottom - box.top) * height, 16)
    rows, columns = np.nonzero(mask)
    assert rows.min() >= box.top * height - 0.36 * side - 1
    assert columns.max() <= box.right * width + 0.36 * side + 1


@pytest.mark.parametrize("box", [Box(left=0.5, top=0.2, right=0.5, bottom=0.4), Box(left=0.2, top=0.6, right=0.5, bottom=0.4)])
def test_a_part_without_area_is_refused(box):
    with pytest.raises(ConfigurationError, match="no area"):
        soft_mask(box, width=64, height=64)


def test_where_the_mask_is_nothing_every_pixel_stays():
    rng = np.random.default_rng(1)
    start, drawn = (Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(2))
    mask = soft_mask(FACE, width=64, height=64)
    mended, clear = np.asarray(put_back(start, drawn, mask)), np.asarray(mask) == 0
    assert (mended[clear] == np.asarray(start)[clear]).all()
    assert (mended[np.asarray(mask) == 255] == np.asarray(drawn)[np.asarray(mask) == 255]).all()
    with pytest.raises(MediaError, match="64 x 64"):
        put_back(start, drawn.resize((32, 32)), mask)


def test_the_pipeline_replaces_a_spoilt_part_and_nothing_else(pocket, mira, wish, call, told):
    side = pocket.size()[0]
    prompt = wish(width=side, height=side)
    assert pocket.can_inpaint()
    good = pocket.make(prompt, lora=mira, call=call, progress=told).data
    spoilt = Image.open(io.BytesIO(good)).convert("RGB")
    corners = tuple(round(share * side) for share in (FACE.left, FACE.top, FACE.right, FACE.bottom))
    spoilt.paste((255, 0, 255), corners)
    start = encode_png(spoilt)
    other = prompt.model_copy(update={"seed": 8})
    made = pocket.make(other, lora=mira, start_from=start, within=FACE, call=call, progress=told)
    again = pocket.make(other, lora=mira, start_from=start, within=FACE, call=call, progress=told)
    assert made.data == again.data
    assert made.provenance.parents == (hashlib.sha256(start).hexdigest(),)
    clear = np.asarray(soft_mask(FACE, width=side, height=side)) == 0
    mended, before = pixels(made.data), pixels(start)
    assert (mended[clear] == before[clear]).all()
    part = np.s_[corners[1] : corners[3], corners[0] : corners[2]]
    nearer = np.abs(mended[part] - pixels(good)[part]).mean(), np.abs(before[part] - pixels(good)[part]).mean()
    assert nearer[0] < 0.6 * nearer[1]


@pytest.mark.parametrize("which", ["replicate_maker", "openai_maker"])
def test_a_maker_of_whole_pictures_refuses_before_anything_is_paid(request, which, wish, call, told, picture):
    maker = request.getfixturevalue(which)()
    assert not maker.can_inpaint()
    width, height = maker.size()
    with pytest.raises(ConfigurationError, match="whole pictures"):
        maker.make(wish(width=width, height=height), lora=None, start_from=picture(), within=FACE, call=call, progress=told)
    assert call.stored == []


def test_a_part_needs_a_picture(pocket, wish, call, told):
    side = pocket.size()[0]
    with pytest.raises(ConfigurationError, match="drawn anew in a picture"):
        pocket.make(wish(width=side, height=side), lora=None, within=FACE, call=call, progress=told)


def test_the_fake_keeps_the_rest_too(wish, call, told, picture):
    fake = FakeImageMaker(inpaints=True)
    start = picture(size=(128, 128))
    made = fake.make(wish(), lora=None, start_from=start, within=FACE, call=call, progress=told)
    changed = (pixels(made.data) != pixels(start)).any(axis=2)
    assert changed[32:64, 48:80].any()
    changed[32:64, 48:80] = False
    assert not changed.any()
    with pytest.raises(ConfigurationError):
        FakeImageMaker().make(wish(), lora=None, start_from=start, within=FACE, call=call, progress=told)
