"""The one way to open a picture that somebody else made: limits first, then decoded, then upright sRGB.

    picture = load_picture(folder / "IMG_0001.jpg", inside=folder)      # MediaError names the file and says how to fix it
    image = open_picture(data, what="the start picture")                # as it is encoded; upright_rgb(image) makes it usable

PNG, JPEG and WebP of one frame are read; every other kind is named and refused, because each further decoder is one more way
in. Colours leave their profile for sRGB, 16 bits are scaled to 8, transparent parts lie on white, and no metadata (place,
camera, owner) is left in what `upright_rgb` and `load_picture` answer. It does not know what a picture shows.
"""

from __future__ import annotations

import io
import stat
import warnings
from pathlib import Path

from PIL import Image, ImageCms, UnidentifiedImageError

from zirelia.errors import MediaError

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""The formats that are read at all: PIL's name → media type."""

MAX_BYTES = 32 * 1024 * 1024
MAX_STORED = 2 * MAX_BYTES
"""Bytes of a picture that the media store has taken."""
MAX_PIXELS = 64_000_000
MIN_SIDE = 32

_STARTS = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"II+\0", "a TIFF"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"PK\x03\x04", "a ZIP archive"),
)
_BRANDS = {
    b"heic": "a HEIC", b"heix": "a HEIC", b"hevc": "a HEIC", b"mif1": "a HEIC", b"msf1": "a HEIC",
    b"avif": "an AVIF", b"avis": "an AVIF",
}  # fmt: skip
_CONVERT = "save it as JPEG or PNG and bring that file"
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_picture(
    path: Path, *, inside: Path | None = None, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """The picture in a file: RGB, upright, sRGB, without metadata.

    Args:
        inside: the folder that the file must lie in once links are followed; None does not ask.
        max_bytes, max_pixels: what is read at most; the pixels are counted from the header, before anything is decoded.
            Above 178,956,970 pixels Pillow itself reads nothing.

    Raises MediaError, naming the path.
    """
    name = _printable(path)
    data = _bytes_of(path, name, inside, max_bytes)
    image = open_picture(data, what=name, max_bytes=max_bytes, max_pixels=max_pixels)
    return upright_rgb(image)


def _bytes_of(path: Path, name: str, inside: Path | None, max_bytes: int) -> bytes:
    try:
        real = path.resolve(strict=True)
        if inside is not None and not real.is_relative_to(inside.resolve()):
            raise MediaError(f"{name} is a link that leads out of its folder", hint="copy the picture itself into the folder")
        # a pipe would wait for ever, a device might never end
        if not stat.S_ISREG(real.stat().st_mode):
            raise MediaError(f"{name} is no file", hint="bring a PNG, JPEG or WebP file")
        with real.open("rb") as file:
            return file.read(max_bytes + 1)
    except FileNotFoundError:
        raise MediaError(f"{name} is not there", hint="check the name; a link may lead nowhere") from None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links; ValueError: NUL in the name
        raise MediaError(f"{name} cannot be read: {type(error).__name__}", hint="check its permissions") from error


def open_picture(data: bytes, *, what: str, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The decoded picture, as it is encoded: its own mode, not turned. A phone's JPEG of several pictures gives its first.

    Raises MediaError, naming `what`, when it is no PNG, JPEG or WebP, is cut off, is animated, or is too large.
    """
    if not data:
        raise MediaError(f"{what} is empty", hint="copy or export it again")
    if len(data) > max_bytes:
        raise MediaError(f"{what} has more than {max_bytes:,} bytes; no larger file is read", hint=_CONVERT)
    try:
        with warnings.catch_warnings():
            # the limit on pixels is ours and is an error, and damaged metadata is no fault of the pixels
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=tuple(MEDIA_TYPES))
            _refuse_by_header(image, what, max_pixels)
            image.load()
    except MediaError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(what, "it claims hundreds of millions of pixels", max_pixels) from error
    # decoders raise whatever hostile bytes lead them to: OSError, SyntaxError, struct.error, KeyError, MemoryError ...
    except Exception as error:
        raise _unreadable(data, what, error) from error
    return image


def _refuse_by_header(image: Image.Image, what: str, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_large(what, f"{image.width} x {image.height} pixels", max_pixels)
    frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    if frames > 1:
        raise MediaError(f"{what} is an animation of {frames} frames", hint="save the one frame that counts as PNG or JPEG")


def _too_large(what: str, said: str, max_pixels: int) -> MediaError:
    return MediaError(
        f"{what} is too large ({said}); at most {max_pixels:,} pixels are read", hint="make it smaller and bring it again"
    )


def _unreadable(data: bytes, what: str, error: Exception) -> MediaError:
    kind = _kind(data)
    if kind is not None:
        return MediaError(f"{what} is {kind}, and no PNG, JPEG or WebP", hint=_CONVERT)
    known = data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP")
    if known:
        # what Pillow says of a file that it cannot identify at all is the name of a Python object
        told = "" if isinstance(error, UnidentifiedImageError) else str(error)[:200]
        said = "".join(letter for letter in told if letter.isprintable()) or "its beginning makes no sense"
        return MediaError(
            f"{what} is not a readable PNG, JPEG or WebP: damaged or cut off ({said})", hint="copy or export it again"
        )
    return MediaError(f"{what} is not a readable PNG, JPEG or WebP: it is no picture", hint=_CONVERT)


def _kind(data: bytes) -> str | None:
    """What a file is that is none of ours, by its first bytes; None when it is unknown."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a film or another file of its kind")
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml")):
        return "an SVG or XML text"
    try:
        text = data[:1000].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "a text" if all(letter.isprintable() or letter.isspace() for letter in text) else None


def upright_rgb(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says, three channels in sRGB, transparent parts on white, without metadata.

    A colour profile that cannot be used is passed over, as browsers do.
    """
    colour, alpha = _eight_bits(_turned(image))
    rgb = _srgb(colour, image.info.get("icc_profile"))
    if alpha is not None:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
    rgb.info.clear()
    return rgb


def _turned(image: Image.Image) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # whatever damaged metadata leads its parser to; the pixels are whole
    except Exception:
        turn = None
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours (L, RGB or CMYK) and how opaque they are, where anything is transparent."""
    if image.mode.startswith("I"):
        import numpy as np

        values = np.asarray(image).astype(np.int64)
        clear = image.info.get("transparency")
        grey = Image.fromarray(np.clip((values + 128) // 257, 0, 255).astype(np.uint8))
        return grey, None if clear is None else Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    if image.mode in {"LA", "La"}:
        whole = image.convert("LA")
        return whole.getchannel("L"), whole.getchannel("A")
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        return whole.convert("RGB"), whole.getchannel("A")
    return (image if image.mode in {"L", "RGB", "CMYK"} else image.convert("RGB")), None


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes) and profile:
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def _printable(path: Path) -> str:
    """The path for a message: what could steer a terminal, or cannot be encoded, is written as an escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in str(path)
    )
