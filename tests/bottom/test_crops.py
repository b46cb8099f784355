"""Crops keep the face, buckets keep the size, and nothing is ever enlarged."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.pictures import aspect_buckets, bucket_for, crop_box

sides = st.integers(1, 6000)
aspects = st.floats(0.2, 5.0)


@st.composite
def faces(draw):
    left, top = draw(st.floats(0, 0.95)), draw(st.floats(0, 0.95))
    return left, top, draw(st.floats(left, 1.0)), draw(st.floats(top, 1.0))


@given(width=sides, height=sides, aspect=aspects, face=st.none() | faces())
def test_a_crop_is_the_largest_of_its_shape_inside_the_picture(width, height, aspect, face):
    left, top, right, bottom = crop_box((width, height), aspect, face)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == width or bottom - top == height
    wanted_width, wanted_height = min(width, height * aspect), min(height, width / aspect)
    assert abs(right - left - max(1, wanted_width)) <= 1
    assert abs(bottom - top - max(1, wanted_height)) <= 1


@given(width=sides, height=sides, aspect=aspects, face=faces())
def test_a_face_that_fits_lies_wholly_inside(width, height, aspect, face):
    left, top, right, bottom = crop_box((width, height), aspect, face)
    first, last = math.floor(face[0] * width), math.ceil(face[2] * width)
    crown, chin = math.floor(face[1] * height), math.ceil(face[3] * height)
    if last - first <= right - left:
        assert left <= first <= last <= right
    if chin - crown <= bottom - top:
        assert top <= crown <= chin <= bottom


@pytest.mark.parametrize(
    ("size", "aspect", "face", "box"),
    [
        ((100, 100), 1.0, None, (0, 0, 100, 100)),
        ((100, 300), 1.0, None, (0, 70, 100, 170)),  # .35 of what goes is above
        ((300, 100), 1.0, None, (100, 0, 200, 100)),
        ((300, 100), 1.0, (0.9, 0.2, 1.0, 0.6), (200, 0, 300, 100)),  # at the edge
        ((300, 100), 1.0, (0.4, 0.2, 0.5, 0.6), (85, 0, 185, 100)),  # centred
        ((100, 300), 1.0, (0.4, 0.5, 0.6, 0.6), (0, 125, 100, 225)),  # its middle at .4
        ((100, 300), 1.0, (0.1, 0.2, 0.9, 0.45), (0, 43, 100, 143)),  # large: room for hair and chin
        ((100, 300), 1.0, (0.0, 0.1, 1.0, 0.9), (0, 30, 100, 130)),  # a whole subject: from the head down
        ((100, 300), 1.0, (0.4, 0.9, 0.6, 1.0), (0, 200, 100, 300)),
        ((20000, 10), 1.0, (0.5, 0.0, 0.5, 1.0), (9995, 0, 10005, 10)),
        ((1, 1), 0.5, None, (0, 0, 1, 1)),
    ],
)
def test_where_a_crop_lies(size, aspect, face, box):
    assert crop_box(size, aspect, face) == box


@pytest.mark.parametrize(
    ("size", "aspect"), [((0, 5), 1.0), ((5, 0), 1.0), ((5, 5), 0.0), ((5, 5), math.nan), ((5, 5), math.inf)]
)
def test_no_picture_has_such_a_crop(size, aspect):
    with pytest.raises(ValueError, match="no crop"):
        crop_box(size, aspect, None)


def test_the_buckets_of_1024():
    buckets = aspect_buckets(1024)
    assert (1024, 1024) in buckets
    assert {(896, 1152), (1152, 896), (832, 1216)} <= set(buckets)
    assert aspect_buckets(256, step=32, most=1.0) == ((256, 256),)


@given(resolution=st.integers(8, 2048), step=st.sampled_from([8, 16, 32, 64]), most=st.floats(1.0, 4.0))
def test_buckets_cost_no_more_than_the_square(resolution, step, most):
    if resolution < step:
        with pytest.raises(ValueError, match="no bucket"):
            aspect_buckets(resolution, step=step, most=most)
        return
    buckets = aspect_buckets(resolution, step=step, most=most)
    assert len(set(buckets)) == len(buckets) >= 1
    assert {(height, width) for width, height in buckets} == set(buckets)
    for width, height in buckets:
        assert width % step == height % step == 0
        assert 0 < width * height <= resolution * resolution
        assert max(width, height) <= most * min(width, height)


@given(width=sides, height=sides, resolution=st.integers(64, 1536))
def test_a_picture_is_never_enlarged(width, height, resolution):
    buckets = aspect_buckets(resolution)
    bucket = bucket_for((width, height), buckets)
    covered = [one for one in buckets if one[0] <= width and one[1] <= height]
    assert (bucket is None) == (not covered)
    if bucket is not None:
        assert bucket in covered
        shape = math.log(width / height)
        assert all(abs(math.log(bucket[0] / bucket[1]) - shape) <= abs(math.log(w / h) - shape) + 1e-9 for w, h in covered)


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((3000, 4000), (896, 1152)),
        ((4000, 3000), (1152, 896)),
        ((1024, 1024), (1024, 1024)),
        ((1023, 1023), None),
        ((9000, 800), (1344, 768)),
        ((20000, 10), None),
    ],
)
def test_bucket_by_table(size, bucket):
    assert bucket_for(size, aspect_buckets(1024)) == bucket
