"""A page of pictures in tables: for grids and comparisons.

    sheet_page("Mira and Leo", "...", tables=[Table("in a cafe", ["0.8", "1.0"], [Line("mira", [cell, cell])])])

It knows nothing of how they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL.Image import Image

from zirelia.reports.page import data_uri, render

PICTURE_SIDE = 256
"""Pixels of a picture's longest side inside a page: twice what it is shown at, for fine screens."""


@dataclass(frozen=True)
class Figure:
    """One number that counts, with what it is held against."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """A picture as data, with the line under it; `tone` is "good", "bad" or nothing."""

    source: str
    alt: str
    caption: str
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """A titled row; None is a picture that was not made."""

    title: str
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class Table:
    """Rows of pictures below column headings; `chosen` is the index of the column to point out."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Line]
    chosen: int | None = None


def cell(image: Image, caption: str, *, alt: str, tone: str = "", side: int = PICTURE_SIDE) -> Cell:
    return Cell(source=data_uri(image, side=side), alt=alt, caption=caption, tone=tone)


def sheet_page(
    title: str,
    intro: str,
    *,
    tables: Sequence[Table],
    eyebrow: str = "",
    figures: Sequence[Figure] = (),
    facts: Sequence[tuple[str, str]] = (),
) -> str:
    """The page as HTML text. `facts` are (name, text) pairs at its foot."""
    return render("sheet.html", title=title, intro=intro, eyebrow=eyebrow, figures=figures, tables=tables, facts=facts)
