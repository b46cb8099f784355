"""The final JPEG: what it shows, what it hides, what it says of itself."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from zirelia.errors import MediaError
from zirelia.provenance.jpeg import prepare_jpeg, publishable_jpeg, read_provenance
from zirelia.provenance.xmp import CREATOR_TOOL, MADE_BY_AI, MAX_PACKET_BYTES, read_xmp, xmp_packet

WORDS = {"description": 'Tea <again> & "more" ☕\n#lisbon', "alt_text": "A woman's tea", "creator": "Mira"}


def _encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _noise(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 120).convert("RGB")


def _opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    picture.load()
    return picture


def test_a_published_picture_says_that_an_algorithm_made_it(tmp_path: Path):
    jpeg = publishable_jpeg(_encoded(Image.new("RGB", (64, 48), "teal")), **WORDS)
    path = tmp_path / "p.jpg"
    path.write_bytes(jpeg)
    for source in (jpeg, path):
        found = read_provenance(source)
        assert found is not None
        assert found.made_by_ai
        assert found.digital_source_type == MADE_BY_AI
        assert (found.description, found.alt_text, found.creator) == tuple(WORDS.values())
        assert found.creator_tool == CREATOR_TOOL == "Zirelia"
    assert b"http://ns.adobe.com/xap/1.0/\0" in jpeg[:200]
    assert jpeg == publishable_jpeg(_encoded(Image.new("RGB", (64, 48), "teal")), **WORDS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_nothing_of_the_original_survives_but_its_pixels(kind: str):
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (38.0, 42.0, 0.0)
    original = _encoded(Image.new("RGB", (64, 48), "teal"), kind, exif=exif)
    assert b"SecretCamera" in original
    picture = _opened(prepare_jpeg(original))
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert picture.getpixel((30, 20)) == pytest.approx((0, 128, 128), abs=4)


def test_a_turned_photo_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = _opened(prepare_jpeg(_encoded(Image.new("RGB", (64, 32)), "JPEG", exif=exif)))
    assert picture.size == (32, 64)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGBA", (16, 16), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (16, 16), (255, 0, 0, 128)), (255, 127, 127)),
        (Image.new("LA", (16, 16), (0, 0)), (255, 255, 255)),
        (Image.new("L", (16, 16), 90), (90, 90, 90)),
        (Image.new("1", (16, 16), 1), (255, 255, 255)),
        (Image.new("P", (16, 16), 0), (0, 0, 0)),
    ],
    ids=["clear", "half", "grey-clear", "grey", "bits", "palette"],
)
def test_every_mode_becomes_opaque_rgb(picture: Image.Image, expected: tuple[int, int, int]):
    made = _opened(prepare_jpeg(_encoded(picture)))
    assert made.mode == "RGB"
    assert made.getpixel((8, 8)) == pytest.approx(expected, abs=4)


def test_colours_are_converted_by_their_profile():
    plain = Image.new("RGB", (16, 16), (120, 60, 30))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = _opened(prepare_jpeg(_encoded(plain, icc_profile=srgb)))
    assert same.getpixel((8, 8)) == pytest.approx((120, 60, 30), abs=4)
    assert "icc_profile" not in same.info
    # the same profile with red and blue primaries exchanged
    swapped = srgb.replace(b"rXYZ", b"kXYZ").replace(b"bXYZ", b"rXYZ").replace(b"kXYZ", b"bXYZ")
    converted = _opened(prepare_jpeg(_encoded(plain, icc_profile=swapped)))
    assert converted.getpixel((8, 8)) == pytest.approx((30, 60, 120), abs=6)
    assert _opened(prepare_jpeg(_encoded(plain, icc_profile=b"broken"))).getpixel((8, 8)) == pytest.approx((120, 60, 30), abs=4)


def test_limits_hold_with_the_label_inside():
    original = _encoded(_noise((600, 400)))
    free = publishable_jpeg(original, **WORDS)
    for limit in (len(free) - 1, 100_000, 60_000):
        made = publishable_jpeg(original, max_bytes=limit, **WORDS)
        assert len(made) <= limit
        assert read_provenance(made) == read_provenance(free)
    assert _opened(prepare_jpeg(original, max_side=300)).size == (300, 200)
    assert _opened(prepare_jpeg(original, max_side=3000)).size == (600, 400)
    with pytest.raises(MediaError, match="does not fit into 2000 bytes"):
        prepare_jpeg(original, max_bytes=2000)


@pytest.mark.parametrize("data", [b"", b"error", _encoded(_noise((64, 64)))[:2000], _encoded(_noise((64, 64)), "GIF")])
def test_what_is_no_picture_is_refused(data: bytes):
    with pytest.raises(MediaError):
        prepare_jpeg(data)
    if not data.startswith(b"\x89PNG"):
        with pytest.raises(MediaError):
            read_provenance(data)


def test_no_label_and_no_file(tmp_path: Path):
    assert read_provenance(prepare_jpeg(_encoded(Image.new("RGB", (8, 8))))) is None
    with pytest.raises(MediaError, match="cannot be read"):
        read_provenance(tmp_path / "nothing.jpg")


# ---- XMP -----------------------------------------------------------------------------------------------------------------

words = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)


def _allowed(text: str) -> str:
    return "".join(c for c in text if c in "\t\n\r" or " " <= c < "\ufffe" or c >= "\U00010000")


@given(description=words, alt_text=words, creator=words)
def test_any_words_come_back(description: str, alt_text: str, creator: str):
    found = read_xmp(xmp_packet(description=description, alt_text=alt_text, creator=creator))
    assert found.made_by_ai
    assert found.description == _allowed(description)
    assert found.alt_text == _allowed(alt_text)
    assert found.creator == _allowed(creator)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(packet: bytes):
    try:
        read_xmp(packet)
    except MediaError:
        return


def test_the_system_is_named_where_it_is_known():
    named = read_xmp(xmp_packet(description="a", alt_text="b", creator="c", ai_system="flux <dev>", ai_system_version="1"))
    assert (named.ai_system, named.ai_system_version) == ("flux <dev>", "1")
    assert b"AISystem" not in xmp_packet(description="a", alt_text="b", creator="c")


def test_half_a_surrogate_does_not_break_the_packet():
    assert read_xmp(xmp_packet(description="a\ud800b", alt_text="x", creator="x")).description == "ab"


def test_other_tools_write_attributes():
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'e:DigitalSourceType="{MADE_BY_AI}"/></rdf:RDF></x:xmpmeta>'
    )
    found = read_xmp(packet.encode())
    assert found.made_by_ai
    assert found.description is None


@pytest.mark.parametrize(
    "packet",
    [
        b"<x",
        b"<a></b>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"),
    ],
)
def test_hostile_xmp_is_refused(packet: bytes):
    with pytest.raises(MediaError):
        read_xmp(packet)


def test_a_packet_fits_into_a_jpeg_or_is_refused():
    room = MAX_PACKET_BYTES - len(xmp_packet(description="", alt_text="a", creator="m"))
    jpeg = publishable_jpeg(_encoded(Image.new("RGB", (8, 8))), description="d" * room, alt_text="a", creator="m")
    found = read_provenance(jpeg)
    assert found is not None
    assert found.description == "d" * room
    with pytest.raises(MediaError, match="shorten"):
        xmp_packet(description="d" * (room + 1), alt_text="a", creator="m")
