"""Plots as PNG: curves, histograms and dots on plain axes, drawn by Pillow alone.

    plot("ROC", [Line("wrong person", points)], x="false accepts", y="true accepts")

Everything is drawn three times too large and made smaller. It does not know what it shows.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT, FINE = 560, 400, 3
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 60, 52
PAPER, INK, QUIET, GRID = "#ffffff", "#2a2722", "#8b8478", "#e6e1d8"
COLOURS = ("#1f6f8b", "#d1495b", "#edae49", "#66a182", "#6d597a", "#2e4057", "#b56576", "#8d99ae")
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A named curve; with `dots` only its points are drawn, with `filled` the area below it."""

    name: str
    points: Sequence[Point]
    dots: bool = False
    filled: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class _Axes:
    pen: ImageDraw.ImageDraw
    x: Point
    y: Point

    def at(self, point: Point) -> Point:
        across, up = ((v - low) / ((high - low) or 1) for v, (low, high) in zip(point, (self.x, self.y), strict=True))
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return FINE * (LEFT + min(max(across, 0), 1) * width), FINE * (HEIGHT - BOTTOM - min(max(up, 0), 1) * height)


def plot(
    title: str, lines: Sequence[Line], *, x: str, y: str, across: Point = (0, 1), up: Point = (0, 1), steps: int = 5
) -> bytes:
    """PNG bytes. `across` and `up` are the ranges of the axes, the former in so many steps; what lies beyond is drawn on the
    edge.
    """
    paper = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), PAPER)
    pen = ImageDraw.Draw(paper, "RGBA")
    axes = _Axes(pen, across, up)
    _frame(axes, title, (x, y), steps)
    for number, line in enumerate(lines):
        _draw(axes, line, COLOURS[number % len(COLOURS)])
    _legend(pen, [(line.name, COLOURS[n % len(COLOURS)]) for n, line in enumerate(lines) if line.name])
    file = io.BytesIO()
    paper.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).quantize(64).save(file, format="PNG", optimize=True)
    return file.getvalue()


def histogram(numbers: Sequence[float], across: Point, bins: int = 40) -> list[Point]:
    """The outline of a histogram, as shares of all numbers; those beyond the range are counted in the outermost bins."""
    low, high = across
    counts = [0] * bins
    for number in numbers:
        counts[min(bins - 1, max(0, int((number - low) / (high - low) * bins)))] += 1
    outline: list[Point] = []
    for place, count in enumerate(counts):
        share = count / max(1, len(numbers))
        outline += [(low + (high - low) * edge / bins, share) for edge in (place, place + 1)]
    return outline


def _frame(axes: _Axes, title: str, names: tuple[str, str], steps: int) -> None:
    pen = axes.pen
    x, y = names
    pen.text((FINE * 12, FINE * 12), title, font=_font(15), fill=INK)
    for step in range(6):
        value = axes.y[0] + step / 5 * (axes.y[1] - axes.y[0])
        left, level = axes.at((axes.x[0], value))
        pen.line((left, level, axes.at((axes.x[1], value))[0], level), fill=GRID, width=FINE)
        pen.text((left - FINE * 8, level), f"{value:.3g}", font=_font(11), fill=QUIET, anchor="rm")
    for step in range(steps + 1):
        value = axes.x[0] + step / steps * (axes.x[1] - axes.x[0])
        at, foot = axes.at((value, axes.y[0]))
        pen.text((at, foot + FINE * 6), f"{value:.3g}", font=_font(11), fill=QUIET, anchor="mt")
    corner, edge = axes.at((axes.x[0], axes.y[0])), axes.at((axes.x[1], axes.y[0]))
    pen.line((*corner, *edge), fill=QUIET, width=FINE)
    pen.text(((corner[0] + edge[0]) / 2, FINE * (HEIGHT - 14)), x, font=_font(12), fill=INK, anchor="mb")
    pen.text((FINE * 12, FINE * 45), y, font=_font(12), fill=INK, anchor="lm")


def _draw(axes: _Axes, line: Line, colour: str) -> None:
    placed = [axes.at(point) for point in line.points]
    if line.filled and placed:
        floor = axes.at((axes.x[0], axes.y[0]))[1]
        axes.pen.polygon([(placed[0][0], floor), *placed, (placed[-1][0], floor)], fill=colour + "40")
    if line.dots:
        for left, top in placed:
            axes.pen.ellipse((left - 4 * FINE, top - 4 * FINE, left + 4 * FINE, top + 4 * FINE), fill=colour)
    elif line.dashed:
        for (x0, y0), (x1, y1) in itertools.pairwise(placed):
            for part in range(0, 40, 2):
                ends = [(x0 + (x1 - x0) * p / 40, y0 + (y1 - y0) * p / 40) for p in (part, part + 1)]
                axes.pen.line((*ends[0], *ends[1]), fill=colour, width=2 * FINE)
    elif len(placed) > 1:
        axes.pen.line(placed, fill=colour, width=2 * FINE, joint="curve")


def _legend(pen: ImageDraw.ImageDraw, names: Sequence[tuple[str, str]]) -> None:
    wide = max((_font(11).getlength(name) for name, _ in names), default=0.0)
    right = FINE * (WIDTH - RIGHT - 8)
    for number, (name, colour) in enumerate(names):
        top = FINE * (HEIGHT - BOTTOM - 14 - 16 * (len(names) - number))
        pen.rectangle((right - wide - 16 * FINE, top, right - wide - 6 * FINE, top + 10 * FINE), fill=colour)
        pen.text((right - wide, top + 5 * FINE), name, font=_font(11), fill=INK, anchor="lm")


def _font(size: int) -> FreeTypeFont:
    font = ImageFont.load_default(size * FINE)
    if not isinstance(font, FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType")
    return font
