"""Whatever lies in somebody's folder becomes upright sRGB, or an error that names the file and the way out."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from zirelia.errors import MediaError
from zirelia.pictures import load_picture, open_picture, upright_rgb

RED, BLUE = (254, 0, 0), (0, 0, 254)


def coloured(mode="RGB", size=(80, 60)):
    """Left half red, right half blue, a white line along the bottom."""
    image = Image.new("RGB", size, "red")
    draw = ImageDraw.Draw(image)
    draw.rectangle((size[0] // 2, 0, *size), fill="blue")
    draw.rectangle((0, size[1] - 6, *size), fill="white")
    return image.convert(mode)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *chunks, depth=8, colour=2):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def with_chunk(data, extra):
    """The PNG with a chunk put in after its header."""
    return data[:33] + extra + data[33:]


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def grey16(values):
    return encoded(Image.fromarray(np.array(values, dtype=np.uint16)))


def text_chunk(length):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a" * length, zip=True)
    return encoded(coloured(), pnginfo=info)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FRAMES = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "green")]
NOISE = np.random.default_rng(7).integers(0, 255, (64, 64, 3), dtype=np.uint8)
PHOTO = Image.fromarray(NOISE).resize((256, 256))

READ = {
    "plain PNG": encoded(coloured()),
    "plain JPEG": encoded(coloured(), "JPEG", quality=95, subsampling=0),
    "progressive JPEG": encoded(coloured(), "JPEG", quality=95, subsampling=0, progressive=True),
    "WebP": encoded(coloured(), "WEBP", lossless=True),
    "palette": encoded(coloured("P")),
    "RGBA": encoded(coloured("RGBA")),
    "CMYK JPEG": encoded(coloured("CMYK"), "JPEG", quality=95),
    "sRGB profile": encoded(coloured(), icc_profile=SRGB),
    "broken profile": encoded(coloured(), icc_profile=b"\0" * 500),
    "a profile of another colour space": encoded(coloured("CMYK"), "JPEG", quality=95, icc_profile=SRGB),
    "phone JPEG of two pictures": encoded(coloured(), "MPO", save_all=True, append_images=[FRAMES[0]], quality=95),
    "long text": text_chunk(500_000),
    "damaged EXIF": with_chunk(encoded(coloured()), chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40)),
    "huge EXIF": encoded(coloured(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0" + b"x" * 60_000),
    "one pixel": encoded(Image.new("RGB", (1, 1), RED)),
    "very thin": encoded(Image.new("RGB", (20000, 10), RED)),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case, tmp_path):
    path = tmp_path / "IMG_1.jpg"  # the name's ending means nothing
    path.write_bytes(READ[case])
    picture = load_picture(path, inside=tmp_path)
    assert picture.mode == "RGB"
    assert not picture.info
    red = np.array(picture.getpixel((min(5, picture.width - 1), min(5, picture.height - 1)))).astype(int)
    assert abs(red - RED).max() < 30, red


REFUSED = {
    "zero bytes": (b"", "is empty"),
    "a text named .jpg": (b"Dear diary, today I", "is a text"),
    "a web page": (b"<!DOCTYPE html><html></html>", "is a text"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG"),
    "noise": (bytes(range(128, 256)) * 20, "it is no picture"),
    "GIF": (encoded(coloured("P"), "GIF"), "is a GIF"),
    "animated GIF": (encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), "is a GIF"),
    "BMP": (encoded(coloured(), "BMP"), "is a BMP"),
    "TIFF": (encoded(coloured(), "TIFF"), "is a TIFF"),
    "AVIF": (encoded(coloured(), "AVIF"), "is an AVIF"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 50, "is a HEIC"),
    "film": (b"\0\0\0\x18ftypisom\0\0\0\0" + b"\0" * 50, "is a film"),
    "PDF": (b"%PDF-1.7\n", "is a PDF"),
    "Photoshop": (b"8BPS\0\x01" + b"\0" * 30, "is a Photoshop file"),
    "ZIP": (b"PK\x03\x04" + b"\0" * 30, "is a ZIP"),
    "JPEG 2000": (encoded(coloured(), "JPEG2000"), "is a JPEG 2000"),
    "animated WebP": (encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "animation of 3 frames"),
    "animated PNG": (encoded(FRAMES[0], save_all=True, append_images=FRAMES[1:]), "animation of 3 frames"),
    "half a JPEG": (encoded(PHOTO, "JPEG")[:-2000], "damaged or cut off"),
    "half a PNG": (encoded(PHOTO)[:-2000], "damaged or cut off"),
    "half a WebP": (encoded(PHOTO, "WEBP")[:-2000], "damaged or cut off"),
    "the first bytes of a JPEG": (b"\xff\xd8\xff\xe0", "damaged or cut off"),
    "a wrong checksum": (READ["plain PNG"].replace(b"IDAT", b"IDAT\x01", 1), "damaged or cut off"),
    "a claim of 100 megapixels": (png(20000, 5000), "20000 x 5000 pixels"),
    "a claim of 200 megapixels": (png(20000, 10000), "hundreds of millions of pixels"),
    "a claim of 2 gigapixels": (png(60000, 40000), "is too large"),
    "65500 x 65500 JPEG": (
        encoded(coloured(), "JPEG").replace(struct.pack(">HH", 60, 80), struct.pack(">HH", 65500, 65500), 1),
        "is too large",
    ),
    "a picture without a side": (png(0, 10), "damaged or cut off"),
    "a text that unpacks to 70 MB": (text_chunk(70_000_000), "damaged or cut off"),
    "a profile that unpacks to 40 MB": (encoded(coloured(), icc_profile=b"\0" * 40_000_000), "damaged or cut off"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, tmp_path):
    data, said = REFUSED[case]
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=said) as caught:
        load_picture(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_sixteen_bits_are_scaled_and_not_clipped():
    picture = upright_rgb(open_picture(grey16([[0, 257, 32896, 65535]] * 4), what="it"))
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == [0, 1, 128, 255]


def test_sixteen_bits_with_a_clear_grey():
    data = with_chunk(grey16([[0, 20000]] * 2), chunk(b"tRNS", struct.pack(">H", 20000)))
    picture = upright_rgb(open_picture(data, what="it"))
    assert (picture.getpixel((0, 0)), picture.getpixel((1, 0))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_lie_on_white(mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    picture = upright_rgb(open_picture(encoded(image.convert(mode)), what="it"))
    assert (picture.getpixel((1, 1)), picture.getpixel((6, 6))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_is_turned_upright(turn, kind):
    upright = coloured(size=(64, 48))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    lying = upright if turn == 1 else upright.transpose(Image.Transpose(back[turn]))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    picture = upright_rgb(open_picture(encoded(lying, kind, exif=exif(turn), **options), what="it"))
    assert picture.size == upright.size
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(upright)).mean() < 6
    assert not picture.getexif()


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation):
    picture = upright_rgb(open_picture(encoded(coloured(), exif=exif(orientation)), what="it"))
    assert picture.size == (80, 60)


def swapped_profile():
    """sRGB whose red and blue primaries have changed places: what it calls red is blue."""
    data = bytearray(SRGB)
    count = struct.unpack(">I", data[128:132])[0]
    places = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = data[blue + 4 : blue + 12], data[red + 4 : red + 12]
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_leave_their_profile(mode):
    picture = upright_rgb(open_picture(encoded(coloured(mode), icc_profile=swapped_profile()), what="it"))
    assert np.abs(np.array(picture.getpixel((5, 5))).astype(int) - BLUE).max() < 4
    assert "icc_profile" not in picture.info


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\x1b[31mb.png", "a\\x1b[31mb.png"), ("two\nlines.png", "two\\nlines.png"), ("\u202egnp.exe", "\\u202egnp.exe")],
)
def test_a_name_cannot_steer_the_terminal(name, shown, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(MediaError, match="is empty") as caught:
        load_picture(path)
    assert shown in caught.value.message


def test_a_name_of_no_encoding(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9 \xf0\x9f\x98\x80.png")
    path.write_bytes(READ["plain PNG"])
    assert load_picture(path).size == (80, 60)
    path.write_bytes(b"x")
    with pytest.raises(MediaError) as caught:
        load_picture(path)
    assert "\\udce9" in str(caught.value).encode().decode()


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "secret.png"
    inside.mkdir()
    outside.write_bytes(READ["plain PNG"])
    (inside / "own.png").write_bytes(READ["plain PNG"])
    (inside / "link.png").symlink_to(inside / "own.png")
    (inside / "out.png").symlink_to(outside)
    assert load_picture(inside / "link.png", inside=inside).size == (80, 60)
    assert load_picture(inside / "out.png").size == (80, 60)
    with pytest.raises(MediaError, match="leads out of its folder"):
        load_picture(inside / "out.png", inside=inside)


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "lost.png").symlink_to(tmp_path / "gone.png")
    for name, said in (
        ("folder.png", "is no file"),
        ("pipe.png", "is no file"),
        ("loop.png", "cannot be read"),
        ("lost.png", "is not there"),
        ("never.png", "is not there"),
        ("nul\0.png", "cannot be read"),
        ("n" * 300, "cannot be read"),
    ):
        with pytest.raises(MediaError, match=said):
            load_picture(tmp_path / name)


def test_the_limits_are_settings(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(READ["plain PNG"])
    with pytest.raises(MediaError, match="more than 10 bytes"):
        load_picture(path, max_bytes=10)
    with pytest.raises(MediaError, match="at most 100 pixels"):
        load_picture(path, max_pixels=100)


@given(
    st.sampled_from(["PNG", "JPEG", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_damage_anywhere_is_a_picture_or_a_media_error(kind, damage):
    data = bytearray(SEEDS[kind])
    for place, value in damage:
        data[place % len(data)] = value
    try:
        picture = upright_rgb(open_picture(bytes(data), what="it", max_pixels=100_000))
    except MediaError:
        return
    assert picture.mode == "RGB"


SEEDS = {kind: encoded(coloured(), kind, exif=exif(6), icc_profile=SRGB) for kind in ("PNG", "JPEG", "WEBP")}
