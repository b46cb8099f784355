"""References before they are sent, and what names tell of models."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from zirelia.errors import ConfigurationError, MediaError
from zirelia.images.edit_models import known
from zirelia.images.edit_pictures import opened, shrunk, side_by_side


def _saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def test_nothing_but_the_picture_leaves():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8825] = 6, "a camera", {1: "N", 2: (38.0, 43.0, 0.0)}
    photo = _saved(Image.radial_gradient("L").resize((120, 80)).convert("RGB"), format="JPEG", exif=exif)
    (one,) = opened([photo], most=1)
    assert one.image.size == (80, 120)  # turned upright
    data, media_type = one.encoded()
    assert media_type == "image/jpeg"
    assert b"a camera" not in data
    assert not Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize(("media", "sent"), [("PNG", "image/png"), ("WEBP", "image/png"), ("JPEG", "image/jpeg")])
def test_the_same_picture_gives_the_same_bytes(photo, media, sent):
    first, second = (opened([photo(media=media)], most=1)[0].encoded() for _ in range(2))
    assert first == second
    assert first[1] == sent


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16", "P", "1"])
def test_every_mode_becomes_rgb(mode):
    image = Image.radial_gradient("L").resize((80, 80))
    image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert("RGB").convert(mode)
    data = _saved(image, format="JPEG" if mode == "CMYK" else "PNG")
    assert opened([data], most=1)[0].image.mode == "RGB"


@pytest.mark.parametrize(
    ("size", "pixels", "expected"),
    [
        ((200, 100), 100_000, (200, 100)),
        ((2000, 1000), 500_000, (1000, 500)),
        ((4000, 500), 10_000, (512, 64)),
        ((64, 64), 100, (64, 64)),
    ],
)
def test_a_picture_is_only_made_smaller_and_never_too_small(size, pixels, expected):
    assert shrunk(Image.new("RGB", size), pixels=pixels).size == expected


def test_pictures_stand_side_by_side_as_tall_as_the_first():
    red, blue = Image.new("RGB", (100, 80), "red"), Image.new("RGB", (400, 800), "blue")
    row = side_by_side([red, blue])
    assert row.size == (140, 80)
    assert (row.getpixel((50, 40)), row.getpixel((120, 40))) == ((255, 0, 0), (0, 0, 255))
    assert side_by_side([blue]) is blue


@pytest.mark.parametrize(("size", "says"), [((63, 100), "at least 64"), ((1000, 64), "more than 8 to 1")])
def test_a_shape_that_no_model_takes_is_refused(photo, size, says):
    with pytest.raises(MediaError, match=f"reference 2 has .*{says}"):
        opened([photo(), photo(size=size)], most=2)


def test_too_many_are_refused(photo):
    with pytest.raises(ConfigurationError, match="2 references, and the model takes 1"):
        opened([photo(), photo()], most=1)


@pytest.mark.parametrize(
    ("names", "most", "licence"),
    [
        (("black-forest-labs/FLUX.1-Kontext-dev",), 2, "FLUX.1 [dev] Non-Commercial"),
        (("black-forest-labs/flux-kontext-max",), 2, "Black Forest Labs' terms"),
        (("black-forest-labs/FLUX.2-klein-4B",), 4, "Apache-2.0"),
        (("black-forest-labs/FLUX.2-klein-9B",), 4, "FLUX.2 [klein] 9B Non-Commercial"),
        (("black-forest-labs/FLUX.2-klein-base-9B",), 4, "9B Non-Commercial"),
        (("my-folder", "Flux2KleinPipeline"), 4, "for the 9B weights"),
        (("black-forest-labs/flux-2-pro",), 8, "Black Forest Labs' terms"),
        (("black-forest-labs/FLUX.2-dev",), 4, "FLUX.2 [dev] Non-Commercial"),
        (("Qwen/Qwen-Image-Edit-2511",), 3, "Apache-2.0"),
        (("qwen/qwen-image-edit-plus",), 3, "Apache-2.0"),
        (("my-folder", "QwenImageEditPlusPipeline"), 3, "Apache-2.0"),
        (("Qwen/Qwen-Image-Edit",), 1, "Apache-2.0"),
        (("gpt-image-2.5-flare",), 16, "compete with OpenAI"),
        (("chatgpt-image-latest",), 16, "compete with OpenAI"),
        (("somebody/else", "", "QwenImagePipeline"), 1, "unknown"),
    ],
)
def test_names_tell_the_terms_and_the_number(names, most, licence):
    assert known(*names).most == most
    assert licence in known(*names).licence
