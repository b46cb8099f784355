"""Contact sheets: titled rows of pictures with a line of text under each, as one PNG for people to look at.

    contact_sheet([Row("with the LoRA", painted, ["0.81", "0.77"]), Row("coverage", [portrait, None])], title="Mira")

The same pictures and words give the same bytes on every machine: the letters are those that Pillow carries. They are plain
ASCII, so accents are left off and what cannot be spelt in it stands as "…". It knows nothing of files, nor of where pictures
come from.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

_PAPER, _MAT, _LINE = "#faf7f1", "#f0ebe1", "#d9d1c3"
_INK, _QUIET = "#2a2722", "#8b8478"
_MARGIN, _GAP, _ROUND = 40, 14, 5
_NARROWEST = 480
_DASH = 6
_SPELT = str.maketrans(
    {
        "–": "-", "—": "-", "−": "-", "‑": "-", "×": "x", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "•": "·",
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
        "ı": "i", "þ": "th", "Þ": "Th", "ð": "d", "€": "EUR",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One titled line of pictures; None is an empty cell. `captions` has one line a cell, or there are none."""

    title: str
    images: Sequence[Image | None]
    captions: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.captions and len(self.captions) != len(self.images):
            raise ValueError(f"the row '{self.title}' has {len(self.images)} cells and {len(self.captions)} captions")


def contact_sheet(rows: Sequence[Row], *, side: int = 192, title: str = "", columns: Sequence[str] = ()) -> bytes:
    """The rows as PNG bytes.

    Args:
        side: of a cell, pixels; a picture fills it as far as its own proportions allow, and is never cropped.
        title: stands above everything.
        columns: a heading above each column, from the left.
    """
    import PIL.Image
    import PIL.ImageDraw

    across = max([len(columns), *(len(row.images) for row in rows)])
    width = max(across * (side + _GAP) - _GAP, _NARROWEST)
    head = (52 if title else 0) + (26 if columns else 0)
    body = sum(_height(row, side) for row in rows)
    paper = PIL.Image.new("RGB", (width + 2 * _MARGIN, max(head + body, 1) + 2 * _MARGIN - 18), _PAPER)
    pen = PIL.ImageDraw.Draw(paper)
    y = _MARGIN
    if title:
        _write(pen, (_MARGIN, y - 6), title, 26, _INK, width)
        pen.line((_MARGIN, y + 34, _MARGIN + width - 1, y + 34), fill=_LINE)
        y += 52
    for column, heading in enumerate(columns):
        _write(pen, (_left(column, side), y), heading, 13, _QUIET, side)
    y += 26 if columns else 0
    for row in rows:
        _draw(paper, pen, row, y, side, width)
        y += _height(row, side)
    out = io.BytesIO()
    paper.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _height(row: Row, side: int) -> int:
    return (26 if row.title else 0) + side + (22 if row.captions else 0) + 18


def _left(column: int, side: int) -> int:
    return _MARGIN + column * (side + _GAP)


def _draw(paper: Image, pen: ImageDraw, row: Row, y: int, side: int, width: int) -> None:
    if row.title:
        _write(pen, (_MARGIN, y), row.title, 16, _INK, width)
        y += 26
    for column, image in enumerate(row.images):
        x = _left(column, side)
        if image is None:
            _dashed(pen, x, y, side)
        else:
            _mount(paper, image, x, y, side)
        if row.captions:
            _write(pen, (x, y + side + 6), row.captions[column], 13, _QUIET, side)


def _mount(paper: Image, image: Image, x: int, y: int, side: int) -> None:
    """The picture whole on a mat, its corners a little round."""
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageOps

    fitted = PIL.ImageOps.contain(image.convert("RGBA"), (side, side), PIL.Image.Resampling.LANCZOS)
    cell = PIL.Image.new("RGB", (side, side), _MAT)
    cell.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2), fitted)
    fine = 4  # drawn larger and made smaller, because Pillow's own corners are jagged
    mask = PIL.Image.new("L", (side * fine, side * fine))
    PIL.ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * fine - 1, side * fine - 1), _ROUND * fine, fill=255)
    paper.paste(cell, (x, y), mask.resize((side, side), PIL.Image.Resampling.LANCZOS))


def _dashed(pen: ImageDraw, x: int, y: int, side: int) -> None:
    """A frame that waits for a picture."""
    last = side - 1
    dashes = 2 * (side // (4 * _DASH)) + 1  # odd, so that every side begins and ends with a dash
    for number in range(0, dashes, 2):
        start, end = round(number * last / dashes), round((number + 1) * last / dashes)
        pen.line((x + start, y, x + end, y), fill=_LINE)
        pen.line((x + start, y + last, x + end, y + last), fill=_LINE)
        pen.line((x, y + start, x, y + end), fill=_LINE)
        pen.line((x + last, y + start, x + last, y + end), fill=_LINE)


def _write(pen: ImageDraw, at: tuple[int, int], text: str, size: int, colour: str, width: int) -> None:
    font = _font(size)
    pen.text(at, _fitted(_spelt(text), font, width), fill=colour, font=font)


def _fitted(text: str, font: FreeTypeFont, width: int) -> str:
    """The text, cut with an ellipsis where it is too wide."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip(" ,;:-·…") + "…"


def _spelt(text: str) -> str:
    """In the font's letters: without accents, "…" for each run of what it cannot show; control characters are left out."""
    return " ".join("".join(_letters(text.translate(_SPELT))).split())


def _letters(text: str) -> Iterator[str]:
    skipped = False
    for char in text:
        if char.isspace():
            yield " "
        elif unicodedata.category(char)[0] in "CM":
            continue
        elif bare := _bare(char):
            yield bare
            skipped = False
        elif not skipped:
            yield "…"
            skipped = True


def _bare(char: str) -> str:
    """The character in letters that the font has; empty where there are none."""
    if _has(char):
        return char
    parts = unicodedata.normalize("NFKD", char).translate(_SPELT)
    letters = "".join(part for part in parts if unicodedata.category(part)[0] not in "CM").strip()
    return letters if all(map(_has, letters)) else ""


@cache
def _has(char: str) -> bool:
    """Whether the font has a shape of its own for the character."""
    font = _font(16)
    shape, missing = font.getmask(char), font.getmask("\uffff")
    return shape.size != missing.size or bytes(shape) != bytes(missing)


@cache
def _font(size: int) -> FreeTypeFont:
    from PIL.ImageFont import FreeTypeFont, load_default

    font = load_default(size)
    if not isinstance(font, FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType")
    return font
