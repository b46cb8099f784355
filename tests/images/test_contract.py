"""One contract for every ImageMaker: the real pipeline, the genuine clients on loopback, and the fake."""

from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image

from zirelia.errors import MediaError
from zirelia.testing.images import FakeImageMaker


@pytest.fixture(params=["pocket", "replicate", "openai", "fake", "fake-paid"])
def maker(request):
    wanted = {"replicate": "replicate_maker", "openai": "openai_maker", "pocket": "pocket"}
    if request.param == "pocket":
        return request.getfixturevalue("pocket")
    if request.param in wanted:
        return request.getfixturevalue(wanted[request.param])()
    return FakeImageMaker(price=0.02 if request.param == "fake-paid" else 0.0)


@pytest.fixture
def wanted(maker, wish):
    width, height = maker.size()
    return wish(width=width, height=height)


def test_it_says_what_it_is(maker, wanted):
    facts = maker.facts()
    assert facts.backend
    assert facts.model
    assert (maker.estimate_usd(wanted) > 0) == facts.paid
    assert maker.vocabulary() is None
    assert "r8_" not in repr(maker)
    assert "sk-" not in repr(maker)


def test_it_makes_a_picture_and_says_where_it_came_from(maker, wanted, call, told):
    made = maker.make(wanted, lora=None, call=call, progress=told)
    assert Image.open(io.BytesIO(made.data)).get_format_mimetype() == made.media_type
    assert made.media_type in {"image/png", "image/jpeg"}
    assert made.provenance.prompt == wanted
    assert made.provenance.cost_usd == maker.estimate_usd(wanted)
    assert made.provenance.backend == maker.facts().backend
    assert made.provenance.made_at.tzinfo is not None
    assert made.provenance.external_id == call.external_id
    assert all(0.0 <= fraction <= 1.0 and note for fraction, note in told.words)


def test_the_same_wish_gives_the_same_bytes(maker, wanted, new_call, told):
    first, second = (maker.make(wanted, lora=None, call=new_call(), progress=told).data for _ in range(2))
    assert first == second


def test_a_start_picture_is_used_and_named_as_parent(maker, wanted, call, told, picture):
    start = picture("JPEG", (200, 300))
    made = maker.make(wanted, lora=None, start_from=start, call=call, progress=told)
    assert made.provenance.parents == (hashlib.sha256(start).hexdigest(),)


@pytest.mark.parametrize("start", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_bad_start_picture_is_refused_before_anything_is_paid(maker, wanted, call, told, start):
    with pytest.raises(MediaError):
        maker.make(wanted, lora=None, start_from=start, call=call, progress=told)
    assert call.stored == []


def test_what_progress_raises_comes_through(maker, wanted, call, new_told):
    with pytest.raises(InterruptedError):
        maker.make(wanted, lora=None, call=call, progress=new_told(stop=InterruptedError("enough")))
