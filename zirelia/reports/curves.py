"""Curves as shapes that a template draws as inline SVG: points, level lines, axes with round numbers.

    identity = curve("identity", [Series("median", points)], levels=[Level("real pictures", 0.78)])

Coordinates are in SVG units, y downward. It does not know what is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Axis = Callable[[float], float]
"""From a value to its coordinate."""

WIDTH, HEIGHT = 520, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 30
_TICKS = 4


@dataclass(frozen=True)
class Series:
    """A named line; a point whose value is None leaves a gap in the line. `quiet` lines are drawn thinner."""

    name: str
    points: Sequence[tuple[float, float | None]]
    quiet: bool = False


@dataclass(frozen=True)
class Level:
    """A named value that holds everywhere, drawn dashed."""

    name: str
    value: float


@dataclass(frozen=True)
class DrawnSeries:
    """`paths` are unbroken stretches as SVG points; `dots` are (x, y, what it says); `colour` numbers the style's colours."""

    name: str
    colour: int
    quiet: bool
    paths: tuple[str, ...]
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Curve:
    """All that the template needs. `marked` is the x of the chosen step, if it is on the axis."""

    title: str
    series: tuple[DrawnSeries, ...]
    levels: tuple[tuple[str, float, str], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    marked: float | None
    note: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM
    axis: str = "step"


def curve(
    title: str,
    series: Sequence[Series],
    *,
    levels: Sequence[Level] = (),
    marked: float | None = None,
    note: str = "",
    axis: str = "step",
) -> Curve | None:
    """None when there is no value to draw. The y axis holds 0, every value and every level."""
    values = [y for each in series for _, y in each.points if y is not None]
    if not values:
        return None
    places = sorted({x for each in series for x, _ in each.points})
    every = [0.0, *values, *(level.value for level in levels)]
    step = _round_step(max(every) - min(every))
    low, high = math.floor(min(every) / step) * step, max(step, math.ceil(max(every) / step) * step)

    def x_of(x: float) -> float:
        span = places[-1] - places[0]
        share = (x - places[0]) / span if span else 0.5
        return round(_LEFT + 10 + share * (WIDTH - _LEFT - _RIGHT - 20), 1)

    def y_of(y: float) -> float:
        return round(HEIGHT - _BOTTOM - (y - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM), 1)

    count = round((high - low) / step)
    return Curve(
        title=title,
        series=tuple(_drawn(each, n, x_of, y_of) for n, each in enumerate(series)),
        levels=tuple((level.name, y_of(level.value), f"{level.value:.2f}") for level in levels),
        across=tuple(Tick(x_of(x), f"{x:g}") for x in _thinned(places)),
        up=tuple(Tick(y_of(low + n * step), f"{low + n * step:.4g}") for n in range(count + 1)),
        marked=x_of(marked) if marked is not None and marked in places else None,
        note=note,
        axis=axis,
    )


def _drawn(series: Series, colour: int, x_of: Axis, y_of: Axis) -> DrawnSeries:
    stretches: list[list[tuple[float, float, str]]] = [[]]
    for x, y in series.points:
        if y is None:
            stretches.append([])
        else:
            stretches[-1].append((x_of(x), y_of(y), f"{series.name}, {x:g}: {y:.3f}"))
    return DrawnSeries(
        name=series.name,
        colour=colour % 4,
        quiet=series.quiet,
        paths=tuple(" ".join(f"{x},{y}" for x, y, _ in stretch) for stretch in stretches if len(stretch) > 1),
        dots=tuple(dot for stretch in stretches for dot in stretch),
    )


def _round_step(span: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten, of which about four fit into the span."""
    if span <= 0:
        return 0.25
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= _TICKS + 0.5)


def _thinned(places: Sequence[float]) -> Sequence[float]:
    """At most eight labels, the last one among them."""
    every = math.ceil(len(places) / 8)
    return [x for n, x in enumerate(reversed(places)) if n % every == 0][::-1]
