"""The nine places of the pocket world, drawn behind the figure.

    draw_scene(canvas, shot, rng)

Each place is one function; the rng shifts and recolours a little, so that a cafe is not one picture. No people here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from zirelia.pocket.canvas import SIDE, Canvas, darken, lighten, vary
from zirelia.pocket.world import WorldShot

OUTDOORS = frozenset({"beach", "mountains", "park", "city street"})
SKIES = {
    "daylight": ("#7cc4f2", "#dff1fb"),
    "golden hour": ("#f0924e", "#ffd89a"),
    "night": ("#0e1738", "#2c3a70"),
}


@dataclass(frozen=True, slots=True)
class _Place:
    canvas: Canvas
    light: str
    rng: random.Random
    sky: str
    shift: float

    def by_light(self, daylight: str, golden_hour: str, night: str) -> str:
        return {"daylight": daylight, "golden hour": golden_hour, "night": night}[self.light]

    def toned(self, colour: str, amount: float = 0.025) -> str:
        return vary(colour, self.rng, amount)


def draw_scene(canvas: Canvas, shot: WorldShot, rng: random.Random) -> None:
    top, bottom = SKIES[shot.light]
    sky = canvas.gradient("sky", ((0, vary(top, rng, 0.02), 1), (1, bottom, 1)), (0, 1))
    _DRAW[shot.scene](_Place(canvas, shot.light, rng, sky, rng.uniform(-14, 14)))


def _open_sky(place: _Place) -> None:
    canvas, dx, rng = place.canvas, place.shift, place.rng
    canvas.rect(0, 0, SIDE, SIDE, place.sky)
    if place.light == "golden hour":
        canvas.circle(46 + dx, 70, 40, "#ffe08a", 0.35)
        canvas.circle(46 + dx, 70, 24, "#fff0b8")
    elif place.light == "night":
        canvas.circle(206 + dx, 40, 15, "#f4f1dc")
        for _ in range(14):
            canvas.circle(rng.uniform(0, SIDE), rng.uniform(0, 90), 1.4, "#ffffff", 0.8)
    else:
        canvas.path(f"M {20 + dx} 60 q 14 -24 36 -10 q 22 -10 30 10 z", "#ffffff", 0.85)
        canvas.path(f"M {176 + dx} {44 + dx / 2} q 14 -20 32 -8 q 20 -8 26 8 z", "#ffffff", 0.8)


def _beach(place: _Place) -> None:
    canvas = place.canvas
    _open_sky(place)
    canvas.rect(0, 128, SIDE, 60, place.toned(place.by_light("#2fa5cf", "#d97b52", "#1d3a6b")))
    canvas.rect(0, 150, SIDE, 5, "#ffffff", opacity=0.35)
    canvas.rect(0, 172, SIDE, 6, "#ffffff", opacity=0.55)
    canvas.rect(0, 177, SIDE, 79, place.toned(place.by_light("#f3dba0", "#e6b06c", "#6f6a78")))
    x = 222 + place.shift * 0.6
    canvas.path(f"M {x} 190 q -6 -70 8 -120 l 6 0 q -10 60 0 120 z", "#7a5230")
    leaf = place.toned("#2f8f4e")
    for angle in (-160, -120, -60, -15, 20):
        tip_x = x + 10 + 46 * math.cos(math.radians(angle))
        tip_y = 70 + 38 * math.sin(math.radians(angle))
        middle, crown = (x + 10 + tip_x) / 2, min(70, tip_y)
        canvas.path(
            f"M {x + 10:.1f} 70 Q {middle:.1f} {crown - 16:.1f} {tip_x:.1f} {tip_y:.1f} "
            f"Q {middle:.1f} {crown + 2:.1f} {x + 10:.1f} 70 z",
            leaf,
        )


def _mountains(place: _Place) -> None:
    canvas, dx = place.canvas, place.shift
    _open_sky(place)
    stone = place.toned(place.by_light("#6b84a6", "#9a6a78", "#2f3c63"))
    snow = place.by_light("#ffffff", "#fff3e4", "#d9dff0")
    canvas.path(f"M -20 190 L {50 + dx} 70 L 130 190 z", stone)
    canvas.path(f"M 90 190 L {196 + dx} 48 L 290 190 z", darken(stone, 0.15))
    canvas.path(f"M {50 + dx} 70 l -20 30 l 12 -5 l 8 9 l 9 -9 l 12 6 z", snow)
    canvas.path(f"M {196 + dx} 48 l -24 34 l 14 -5 l 10 10 l 10 -9 l 16 6 z", snow)
    canvas.rect(0, 178, SIDE, 78, place.toned(place.by_light("#4f9a6b", "#8b8a4e", "#1f3f45")))
    tree = place.by_light("#2b6148", "#5a5f38", "#17352f")
    for i in range(7):
        x = i * 42 + dx
        canvas.path(f"M {x - 12} 196 L {x} 158 L {x + 12} 196 z", tree)


def _park(place: _Place) -> None:
    canvas, dx = place.canvas, place.shift
    _open_sky(place)
    green = place.toned(place.by_light("#5db35a", "#9aa343", "#234d3e"))
    for x, y, r in ((20, 110, 46), (70, 96, 34), (196, 100, 38), (240, 112, 48)):
        canvas.rect(x + dx - 5, y, 10, 90, "#6b4a2e")
        canvas.circle(x + dx, y, r, darken(green, 0.18))
        canvas.circle(x + dx - 8, y - 10, r * 0.65, green)
    canvas.rect(0, 176, SIDE, 80, lighten(green, 0.12))
    canvas.path(f"M {100 + dx} 176 L {140 + dx} 176 L 210 256 L 40 256 z", "#e3d2ad")


def _city_street(place: _Place) -> None:
    canvas, rng, night = place.canvas, place.rng, place.light == "night"
    _open_sky(place)
    walls = ("#2a2746", "#332a3f", "#22304a", "#2f2f40", "#2b2440") if night else (
        "#8a7f99", "#a8705e", "#6c8299", "#9a9287", "#7d6b88",
    )  # fmt: skip
    for i, left in enumerate((-6, 44, 92, 150, 204)):
        x, height = left + place.shift * 0.4, 110 + ((i * 53) % 70) + rng.uniform(-8, 8)
        canvas.rect(x, 200 - height, 50, height, place.toned(walls[i]))
        for y in range(int(212 - height), 190, 20):
            for column in (8, 28):
                lit = rng.random() < (0.75 if night else 0.12)
                canvas.rect(x + column, y, 13, 12, "#ffd76a" if lit else "#191b30" if night else "#cfe3f2")
    canvas.rect(0, 200, SIDE, 56, "#22232f" if night else "#565a66")
    for i in range(4):
        canvas.rect(i * 70 + place.shift, 224, 36, 6, "#f3efe0")


def _wall(place: _Place, colour: str) -> str:
    wall = place.toned(colour, 0.035)
    place.canvas.rect(0, 0, SIDE, SIDE, wall)
    return wall


def _window(place: _Place, x: float, y: float, w: float, h: float) -> None:
    canvas, frame = place.canvas, "#f7f2e8"
    canvas.rect(x - 4, y - 4, w + 8, h + 8, frame)
    canvas.rect(x, y, w, h, place.sky)
    canvas.rect(x + w / 2 - 2, y, 4, h, frame)
    canvas.rect(x, y + h / 2 - 2, w, 4, frame)


def _cafe(place: _Place) -> None:
    canvas, dx = place.canvas, place.shift
    _wall(place, "#c98d5e")
    _window(place, 14 + dx * 0.4, 46, 66, 80)
    canvas.rect(0, 176, SIDE, 80, "#6e4328")
    canvas.rect(0, 172, SIDE, 8, "#8b5a36")
    for y in (84, 126):
        canvas.rect(170, y, 86, 7, "#5a3520")
        for x in (178, 202, 226):
            cup = place.rng.choice(("#f4efe6", "#e07a5f", "#81b29a")) if y == 84 else "#f4efe6"
            canvas.rect(x + dx * 0.3, y - 16, 15, 16, cup, 3)
    shade = place.toned("#2f4f4a")
    for x in (40, 128, 216):
        canvas.rect(x - 1, 0, 2, 26, "#33211a")
        canvas.path(f"M {x - 16} 44 Q {x} 12 {x + 16} 44 z", shade)
        canvas.circle(x, 45, 7, "#ffe9a8")


def _gym(place: _Place) -> None:
    canvas, dx = place.canvas, place.shift
    _wall(place, "#8d9bb0")
    canvas.rect(0, 20, SIDE, 96, "#b7c6d8")
    for x in (20, 84, 148, 212):
        canvas.rect(x + dx, 20, 4, 96, "#74839a")
    canvas.rect(0, 184, SIDE, 72, "#3d424f")
    for y in (132, 160):
        canvas.rect(0, y, SIDE, 7, "#2b2e38")
    for x in (14, 52, 196, 234):
        for y in (126, 154):
            canvas.circle(x - 8 + dx * 0.3, y, 9, "#22242c")
            canvas.circle(x + 10 + dx * 0.3, y, 9, "#22242c")
            canvas.rect(x - 8 + dx * 0.3, y - 2, 18, 4, "#9aa0ad")
    plate = place.toned("#d8433b")
    canvas.rect(0, 62, SIDE, 5, "#555d6b")
    for x in (30, 226):
        canvas.circle(x + dx, 64, 22, plate)
        canvas.circle(x + dx, 64, 8, "#555555")


def _kitchen(place: _Place) -> None:
    canvas, dx = place.canvas, place.shift
    _wall(place, "#e9efe9")
    wood = place.toned("#4a9a96")
    for row, y in enumerate(range(60, 170, 22)):
        for x in range(-10, SIDE, 32):
            canvas.rect(x + 16 * (row % 2), y, 30, 20, "#f9fcfa", opacity=0.8)
    for x, handle in ((0, 46), (160, 208)):
        canvas.rect(x, 0, 96, 66, wood)
        canvas.rect(handle, 4, 3, 58, darken(wood, 0.2))
    canvas.rect(0, 176, SIDE, 10, "#d9b489")
    canvas.rect(0, 186, SIDE, 70, wood)
    kettle = place.toned("#e0533d")
    canvas.circle(24 + dx * 0.5, 152, 16, kettle)
    canvas.rect(8 + dx * 0.5, 150, 32, 26, kettle, 4)
    canvas.rect(214 + dx * 0.5, 154, 22, 22, "#c47b4a", 3)
    canvas.circle(225 + dx * 0.5, 142, 16, "#4caf50")
    _window(place, 108 + dx * 0.2, 16, 40, 50)


def _studio(place: _Place) -> None:
    canvas, dx = place.canvas, place.shift
    wall = _wall(place, "#d9b8cf")
    for radius, share in ((150, 0.16), (116, 0.32), (80, 0.48)):
        canvas.circle(128 + dx, 110, radius, lighten(wall, share))
    canvas.rect(222 + dx * 0.3, 90, 5, 166, "#33333c")
    canvas.rect(28 + dx * 0.3, 82, 5, 174, "#33333c")
    canvas.path(f"M {206 + dx * 0.3} 20 l 46 12 l -8 62 l -46 -12 z", "#fffdf2")
    canvas.path(f"M {4 + dx * 0.3} 34 l 44 -10 l 8 56 l -44 10 z", "#fffdf2")


def _library(place: _Place) -> None:
    canvas, rng = place.canvas, place.rng
    _wall(place, "#7a4f35")
    spines = ("#b5443c", "#2f6690", "#3a7d44", "#e0a030", "#6d597a", "#d9cfb8")
    for y in (4, 58, 112, 166, 220):
        x = -4 + place.shift * 0.4
        while x < SIDE:
            width, height = rng.uniform(12, 18), rng.uniform(36, 46)
            canvas.rect(x, y + 48 - height, width - 1.5, height, rng.choice(spines))
            x += width
        canvas.rect(0, y + 48, SIDE, 6, "#4b2e1d")


_DRAW: dict[str, Callable[[_Place], None]] = {
    "cafe": _cafe,
    "beach": _beach,
    "gym": _gym,
    "park": _park,
    "city street": _city_street,
    "kitchen": _kitchen,
    "studio": _studio,
    "mountains": _mountains,
    "library": _library,
}
