"""Contact sheets: rows of pictures with a name for each row and, where there is one, a line under each picture.

    contact_sheet([Row("truth", drawn), Row("with the trigger", painted, notes)], at=Path("mira.png"), title="mira")

For people to look at. It knows nothing of where the pictures come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from zirelia.pocket.snapshots import whole_file

PAPER = "#fbfaf7"
TEXT = "#2b2b33"
QUIET = "#8a8791"
MARGIN = 24
GAP = 8
_FONTS = ("DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a sheet: what it is called, its pictures, and a note for each (or none)."""

    name: str
    images: Sequence[Image.Image]
    notes: Sequence[str] = ()


def contact_sheet(rows: Sequence[Row], *, at: Path, title: str = "", cell: int = 128) -> None:
    """Write the rows as one PNG; every picture is fitted into a square cell."""
    name_font, note_font, title_font = _font(13), _font(11), _font(18)
    label = max([round(name_font.getlength(row.name)) for row in rows], default=0) + 16
    columns = max((len(row.images) for row in rows), default=0)
    top = MARGIN + (36 if title else 0)
    heights = [cell + (18 if row.notes else 0) + GAP for row in rows]
    width = 2 * MARGIN + label + columns * (cell + GAP) - GAP
    sheet = Image.new("RGB", (width, top + sum(heights) - GAP + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((MARGIN, MARGIN - 4), title, fill=TEXT, font=title_font)
    y = top
    for row, height in zip(rows, heights, strict=True):
        pen.text((MARGIN, y + cell / 2), row.name, fill=TEXT, font=name_font, anchor="lm")
        for i, image in enumerate(row.images):
            x = MARGIN + label + i * (cell + GAP)
            sheet.paste(image.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS), (x, y))
            if i < len(row.notes):
                pen.text((x + 1, y + cell + 3), _fit(row.notes[i], note_font, cell), fill=QUIET, font=note_font)
        y += height
    with whole_file(at) as part:
        sheet.save(part, "PNG")


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip(" ,") + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
