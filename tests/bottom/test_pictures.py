"""Pictures in: upright, RGB, the right size; pictures out: never blank, never NaN."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zirelia.errors import MediaError
from zirelia.images.hosted import data_url_bytes, is_refusal, to_data_url
from zirelia.network import cleaned
from zirelia.pictures import accepted_form, from_floats, open_picture, prepare_start


def _bytes(image, media="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=media, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
def test_every_mode_becomes_rgb_of_the_wanted_size(mode):
    image = Image.linear_gradient("L")
    image = image.convert("RGBA").convert(mode) if mode != "I;16" else Image.new("I;16", (200, 100), 9)
    start = prepare_start(_bytes(image, "JPEG" if mode == "CMYK" else "PNG"), width=128, height=64)
    assert (start.mode, start.size) == ("RGB", (128, 64))


def test_a_phone_picture_is_turned_upright():
    lying = Image.new("RGB", (200, 100), "red")
    lying.paste("blue", (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right: the blue left half becomes the upper one
    upright = prepare_start(_bytes(lying, "JPEG", exif=exif, quality=95), width=100, height=200)
    assert upright.getpixel((50, 20))[2] > 200
    assert upright.getpixel((50, 180))[0] > 200


def test_transparent_parts_become_white():
    start = prepare_start(_bytes(Image.new("RGBA", (64, 64), (255, 0, 0, 0))), width=64, height=64)
    assert start.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("size", [(31, 100), (100, 8)])
def test_a_tiny_start_picture_is_refused(size):
    with pytest.raises(MediaError, match="at least 32"):
        prepare_start(_bytes(Image.new("RGB", size)), width=64, height=64)


def test_too_many_pixels_are_refused_without_decoding_them():
    bomb = _bytes(Image.new("1", (20000, 20000)))
    with pytest.raises(MediaError, match="pixels"):
        open_picture(bomb, what="it")


@given(st.binary(max_size=300))
def test_noise_is_a_media_error(noise):
    with pytest.raises(MediaError):
        open_picture(noise, what="it")


@pytest.mark.parametrize("colour", ["black", "white", (12, 13, 12)])
def test_a_flat_picture_is_refused(colour):
    with pytest.raises(MediaError, match="one flat colour"):
        accepted_form(_bytes(Image.new("RGB", (64, 64), colour)), what="it")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_is_refused(value):
    pixels = np.random.default_rng(1).random((8, 8, 3), dtype=np.float32)
    assert from_floats(pixels, what="it").size == (8, 8)
    pixels[3, 3, 1] = value
    with pytest.raises(MediaError, match="NaN or infinite"):
        from_floats(pixels, what="it")


def test_a_wrong_shape_is_refused():
    with pytest.raises(MediaError, match="shape"):
        from_floats(np.zeros((8, 8), np.float32), what="it")


def test_data_urls_go_round_and_bad_ones_are_refused():
    picture = _bytes(Image.linear_gradient("L"))
    assert data_url_bytes(to_data_url(picture, "image/png"), provider="x") == picture
    for bad in ("data:text/html;base64,AAAA", "data:image/png,AAAA", "data:image/png;base64,!!", "data:"):
        with pytest.raises(Exception, match="x: the"):
            data_url_bytes(bad, provider="x")


def test_words_of_a_provider_are_made_safe():
    said = cleaned("a\x1b[1m\n b https://x.test/p?sig=abc r8_secret" + "y" * 900, secret="r8_secret")
    assert "sig" not in said
    assert "r8_secret" not in said
    assert said.isprintable()
    assert len(said) == 300


@pytest.mark.parametrize(
    ("said", "refused"),
    [("NSFW content detected", True), ("(E005)", True), ("CUDA out of memory", False), ("E0051", False), (None, False)],
)
def test_a_refusal_is_told_from_a_fault(said, refused):
    assert is_refusal(said) is refused


def test_keys_that_nobody_named_are_masked_too():
    said = cleaned("Incorrect API key provided: sk-planted-4f9a1c77e0")
    assert "planted" not in said
    assert "[secret]" in said
