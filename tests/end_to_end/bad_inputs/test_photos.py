"""Photos that a dataset should begin with: each bad one is named with what is wrong, each usable one gives the right person."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

CONSTANT = ("people", "gender", "skin", "hair", "style", "eyes", "glasses")
PHOTOGRAPHS = Path(__file__).parents[2] / "critic" / "photographs"


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, pixels=b"", bits=8):
    """A PNG of colours that claims a size, whatever it holds."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def frames(desk, form, **options):
    first, second = desk.drawn(), desk.drawn(scene="park")
    return desk.encoded(first, form, save_all=True, append_images=[second], **options)


def from_photo(make, *more):
    return lambda desk: [*desk.build, "--from", make(desk), *more]


REFUSED = [
    pytest.param(lambda d: d.put("p.jpg", b""), ["the photo p.jpg is empty", "export it again"], id="zero bytes"),
    pytest.param(lambda d: d.put("p.jpg", "a text\n"), ["p.jpg is a text", "save it as JPEG or PNG"], id="text named jpg"),
    pytest.param(
        lambda d: d.put("p.jpg", d.encoded(form="JPEG")[:3000]), ["p.jpg", "damaged or cut off", "again"], id="cut JPEG"
    ),
    pytest.param(lambda d: d.put("p.png", d.encoded()[:900]), ["p.png", "damaged or cut off", "again"], id="cut PNG"),
    pytest.param(lambda d: d.put("p.webp", d.encoded(form="WEBP")[:900]), ["p.webp", "cut off", "again"], id="cut WebP"),
    pytest.param(
        lambda d: d.put("p.png", frames(d, "PNG")), ["p.png is an animation of 2 frames", "save the one frame"], id="APNG"
    ),
    pytest.param(lambda d: d.put("p.webp", frames(d, "WEBP")), ["an animation of 2 frames", "the one"], id="animated WebP"),
    pytest.param(lambda d: d.put("p.gif", frames(d, "GIF")), ["p.gif is a GIF", "save it as"], id="animated GIF"),
    pytest.param(lambda d: d.photo("p.tif", form="TIFF"), ["p.tif is a TIFF", "save it as"], id="TIFF"),
    pytest.param(lambda d: d.photo("p.bmp", form="BMP"), ["p.bmp is a BMP", "save it as"], id="BMP"),
    pytest.param(lambda d: d.put("p.heic", b"\0\0\0\x18ftypheic" + bytes(99)), ["p.heic is a HEIC", "save it as"], id="HEIC"),
    pytest.param(lambda d: d.put("p.svg", "<svg/>"), ["p.svg is an SVG", "save it as"], id="SVG"),
    pytest.param(lambda d: d.put("p.png", bytes(range(256)) * 9), ["p.png", "it is no picture"], id="random bytes"),
    pytest.param(lambda d: d.put("p.png", png(20000, 10000)), ["too large", "make it smaller"], id="200 megapixels"),
    pytest.param(lambda d: d.put("p.png", png(65535, 65535)), ["too large", "make it smaller"], id="bomb"),
    pytest.param(lambda d: d.put("p.png", d.encoded() + bytes(33 * 2**20)), ["more than 33,554,432 bytes"], id="33 MB"),
    pytest.param(lambda d: d.photo("p.png", d.drawn().resize((1, 1))), ["p.png", "1 x 1 pixels", "larger"], id="1 pixel"),
    pytest.param(
        lambda d: d.photo("p.png", Image.new("RGB", (20000, 10))), ["p.png", "20000 x 10 pixels", "larger"], id="20000 x 10"
    ),
    pytest.param(lambda d: d.photo("p.png", d.drawn(people=2)), ["shows 2 people", "crop it"], id="two people"),
    pytest.param(lambda d: d.photo("p.png", Image.new("RGB", (256, 256), "#88aacc")), ["one is needed"], id="nobody"),
    pytest.param(
        lambda d: d.photo("p.png", Image.fromarray(np.random.default_rng(1).integers(0, 255, (256, 256, 3), "u1"))),
        ["pocket world", "another edit backend"],
        id="noise",
    ),
    pytest.param(
        lambda d: d.put("p.jpg", (PHOTOGRAPHS / "hopper.jpg").read_bytes()),
        ["pocket world", "another edit backend"],
        id="a real photograph",
    ),
    pytest.param(
        lambda d: d.put("a\n\x1b[31mb.png", b""), ["the photo a", "b.png is empty"], id="a name that drives terminals"
    ),
]


@pytest.mark.parametrize(("make", "says"), REFUSED)
def test_a_photo_that_is_refused(judged, desk, make, says):
    judged(from_photo(make), 9, says)
    assert not list(desk.dataset.rglob("*.jsonl"))
    assert not (desk.dataset / "dataset.json").exists()


def test_the_right_photo_after_a_wrong_one(judged):
    judged(from_photo(lambda d: d.photo("wrong.png", d.drawn(people=2))), 9, [])
    said = judged(from_photo(lambda d: d.photo("right.png"), "--json"), 0, [])
    assert (said.json["kept"], said.json["missing"]) == (3, [])


NO_FILE = [
    pytest.param(lambda d: d.given / "none.png", ["none.png' does not exist"], id="missing"),
    pytest.param(lambda d: d.given, ["given' is a directory"], id="a folder"),
    pytest.param(lambda d: link(d.given / "l.png", d.given / "gone.png"), ["l.png' does not exist"], id="a dangling link"),
    pytest.param(lambda d: d.given / "a\x07\x1b[2J.png", ["does not exist"], id="missing, with a bell in its name"),
]


def link(path, target):
    path.symlink_to(target)
    return path


@pytest.mark.parametrize(("make", "says"), NO_FILE)
def test_no_photo_at_all(judged, desk, make, says):
    judged(from_photo(make), 2, [*says, "Invalid value for '--from'"])
    assert not desk.dataset.exists()


def test_a_photo_that_may_not_be_read(judged):
    def given(desk):
        path, opened = desk.photo("locked.png"), Path.open

        def forbidden(self, *options, **more):
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return opened(self, *options, **more)

        # whoever runs the tests may be root, who reads everything
        desk.monkeypatch.setattr(Path, "open", forbidden)
        return [*desk.build, "--from", path]

    judged(given, 9, ["locked.png cannot be read", "Permission denied", "rights"])


def test_too_many_photos(judged):
    def given(desk):
        return [*desk.build, *(word for n in range(17) for word in ("--from", desk.photo(f"{n}.png")))]

    judged(given, 9, ["1 to 16 photos, not 17", "give fewer"])


def exchanged_primaries():
    """sRGB's profile with red and blue exchanged: who passes over it sees blue skin."""
    said = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = said.index(b"rXYZ"), said.index(b"bXYZ")
    said[red : red + 4], said[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(said)


def deep_png(image):
    """Of 16 bits a channel, which Pillow does not write."""
    pixels = (np.asarray(image).astype("u4") * 257).astype(">u2")
    return png(*image.size, b"".join(b"\0" + row.tobytes() for row in pixels), bits=16)


def turned(desk, number, transpose):
    exif = Image.Exif()
    exif[0x0112] = number
    return desk.photo("p.jpg", desk.drawn().transpose(transpose), "JPEG", exif=exif, quality=95)


def on_glass(desk):
    """Transparent around the middle; what lies below there is black."""
    image = desk.drawn().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 255))
    image.paste((0, 0, 0, 0), (0, 0, 256, 3))
    return desk.photo("p.png", image)


USABLE = [
    pytest.param(lambda d: d.photo("p.jpg", d.drawn().convert("CMYK"), "JPEG", quality=95), id="CMYK"),
    pytest.param(
        lambda d: d.photo("p.jpg", d.drawn().convert("CMYK"), "JPEG", quality=95, icc_profile=b"no profile"),
        id="CMYK with a broken profile",
    ),
    pytest.param(
        lambda d: d.photo("p.png", Image.merge("RGB", d.drawn().split()[::-1]), icc_profile=exchanged_primaries()),
        id="a profile that changes everything",
    ),
    pytest.param(lambda d: d.put("p.png", deep_png(d.drawn())), id="16 bits a channel"),
    pytest.param(lambda d: d.photo("p.png", d.drawn().convert("P", palette=Image.Palette.ADAPTIVE)), id="palette"),
    pytest.param(on_glass, id="RGBA"),
    pytest.param(lambda d: turned(d, 3, Image.Transpose.ROTATE_180), id="EXIF: upside down"),
    pytest.param(lambda d: turned(d, 6, Image.Transpose.ROTATE_90), id="EXIF: on its right side"),
    pytest.param(lambda d: turned(d, 8, Image.Transpose.ROTATE_270), id="EXIF: on its left side"),
    pytest.param(lambda d: d.photo("p.png", form="JPEG", quality=95), id="a JPEG named png"),
    pytest.param(lambda d: d.photo("p.webp", form="WEBP", lossless=True), id="WebP"),
    pytest.param(lambda d: d.photo("p.png", d.drawn().resize((2560, 2560)), compress_level=1), id="2560 pixels"),
    pytest.param(lambda d: d.photo("фото – été 🌞.png"), id="a name of other letters"),
    pytest.param(lambda d: link(d.given / "link.png", d.photo("p.png")), id="a link"),
    pytest.param(lambda d: d.put("p.png", d.encoded() + b"more behind the end"), id="bytes behind the end"),
]


@pytest.fixture(scope="module")
def encoder():
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.pocket.weights import looks_path

    return LooksEncoder.load(looks_path())


@pytest.mark.parametrize("make", USABLE)
def test_a_photo_that_is_read_rightly(judged, desk, encoder, make):
    said = judged(from_photo(make, "--json"), 0, [])
    assert (said.json["kept"], said.json["missing"]) == (3, [])
    (path,) = (desk.dataset / "start").glob("*.png")
    with Image.open(path) as start:
        assert (start.mode, start.info.get("exif"), start.info.get("icc_profile")) == ("RGB", None, None)
        assert max(start.size) <= 2048
        seen = np.asarray(start.resize((256, 256))).astype("f4")
    assert np.abs(seen - np.asarray(desk.drawn()).astype("f4")).mean() < 4
    (luna,) = encoder.attributes([desk.drawn()])
    for told in encoder.attributes([Image.open(one) for one in desk.dataset.glob("*.png") if one.name != "sheet.png"]):
        assert {head: told[head][0] for head in CONSTANT} == {head: luna[head][0] for head in CONSTANT}
