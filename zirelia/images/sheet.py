"""A contact sheet: pictures in a grid with a short line under each, as one PNG.

contact_sheet([Row("LoRA", images, captions)], path)
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_MARGIN, _GAP, _LINE = 24, 12, 22
_PAPER, _INK, _FAINT = "#fbfaf7", "#22201c", "#8a857a"


@dataclass(frozen=True)
class Row:
    """One titled row of pictures, each with a line of text under it."""

    title: str
    images: Sequence[Image]
    captions: Sequence[str]


def contact_sheet(rows: Sequence[Row], *, side: int = 192) -> bytes:
    """The rows as PNG bytes; pictures are scaled to `side` pixels square."""
    from PIL import Image, ImageDraw, ImageFont

    columns = max(len(row.images) for row in rows)
    cell = side + _GAP
    band = _LINE + 6 + side + _LINE + 14
    sheet = Image.new("RGB", (2 * _MARGIN + columns * cell - _GAP, 2 * _MARGIN + len(rows) * band - 10), _PAPER)
    pen = ImageDraw.Draw(sheet)
    title, small = ImageFont.load_default(15), ImageFont.load_default(12)
    for index, row in enumerate(rows):
        top = _MARGIN + index * band
        pen.text((_MARGIN, top), row.title, fill=_INK, font=title)
        for column, (image, caption) in enumerate(zip(row.images, row.captions, strict=True)):
            left = _MARGIN + column * cell
            scaled = image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(scaled, (left, top + _LINE + 6))
            pen.text((left, top + _LINE + side + 11), caption, fill=_FAINT, font=small)
    out = io.BytesIO()
    sheet.save(out, format="PNG", optimize=True)
    return out.getvalue()
