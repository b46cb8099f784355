"""Seven ways to wear hair, each as a part behind the head and a part over the forehead.

    back, front = draw_hair(character, left, right, fill, light)

`left` and `right` are the sides of the face, which differ from person to person.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from zirelia.pocket.canvas import Canvas

_CAP = "M 128 46 C 80 46 76 88 79 120 L 177 120 C 180 88 176 46 128 46 z"


@dataclass(frozen=True, slots=True)
class _Head:
    """What a hairstyle is drawn on, and with."""

    back: Canvas
    front: Canvas
    left: float
    right: float
    fill: str
    light: str


def draw_hair(style: str, left: float, right: float, fill: str, light: str) -> tuple[Canvas, Canvas]:
    head = _Head(Canvas(), Canvas(), left, right, fill, light)
    _DRAW[style](head)
    if style != "curly":
        head.front.line("M 98 68 Q 122 52 152 62", light, 5.5, 0.55)
    return head.back, head.front


def _long_straight(head: _Head) -> None:
    head.back.path(
        "M 128 46 C 74 46 68 92 70 130 L 64 226 Q 84 236 100 226 L 104 150 L 152 150 L 156 226 Q 172 236 192 226 "
        "L 186 130 C 188 92 182 46 128 46 z",
        head.fill,
    )
    head.front.path(
        f"M {head.left - 6} 128 C {head.left - 14} 74 100 50 128 50 C 160 50 {head.right + 14} 74 {head.right + 6} 128 "
        f"C {head.right - 2} 104 156 82 128 70 C 112 86 94 92 {head.left - 6} 128 z",
        head.fill,
    )


def _long_wavy(head: _Head) -> None:
    head.back.path(
        "M 128 44 C 72 44 62 92 66 120 C 48 134 66 152 56 166 C 44 184 64 194 54 212 C 62 238 92 236 104 220 L 108 150 "
        "L 148 150 L 152 220 C 164 236 194 238 202 212 C 192 194 212 184 200 166 C 190 152 208 134 190 120 "
        "C 194 92 184 44 128 44 z",
        head.fill,
    )
    head.front.path(
        f"M {head.left - 8} 132 C {head.left - 18} 70 98 46 130 48 C 164 46 {head.right + 18} 72 {head.right + 8} 132 "
        f"C {head.right} 112 {head.right - 4} 90 150 74 C 134 86 104 86 {head.left + 4} 96 "
        f"C {head.left - 6} 110 {head.left - 2} 122 {head.left - 8} 132 z",
        head.fill,
    )


def _bob(head: _Head) -> None:
    head.back.path(
        "M 128 46 C 72 46 64 92 66 124 C 62 150 68 168 84 172 L 172 172 C 188 168 194 150 190 124 C 192 92 184 46 128 46 z",
        head.fill,
    )
    head.front.path(
        f"M {head.left - 10} 150 C {head.left - 20} 76 92 48 128 48 C 164 48 {head.right + 20} 76 {head.right + 10} 150 "
        f"C {head.right + 2} 152 {head.right - 4} 118 {head.right - 6} 94 C 150 98 106 98 {head.left + 6} 94 "
        f"C {head.left + 4} 118 {head.left - 2} 152 {head.left - 10} 150 z",
        head.fill,
    )


def _bun(head: _Head) -> None:
    head.back.circle(128, 38, 23, head.fill)
    head.back.line("M 114 30 Q 128 44 144 32", head.light, 2.5, 0.5)
    head.back.path(_CAP, head.fill)
    head.front.path(
        f"M {head.left - 3} 112 C {head.left - 8} 66 104 51 128 51 C 152 51 {head.right + 8} 66 {head.right + 3} 112 "
        f"C {head.right - 4} 88 150 74 128 74 C 106 74 {head.left + 4} 88 {head.left - 3} 112 z",
        head.fill,
    )


def _curly(head: _Head) -> None:
    for i in range(16):
        angle = math.radians(150 + i * 16)
        head.back.circle(128 + 50 * math.cos(angle), 104 + 50 * math.sin(angle), 22, head.fill)
    head.back.circle(128, 98, 56, head.fill)
    for x, y, r in ((94, 82, 14), (108, 71, 15), (126, 67, 15), (145, 70, 15), (161, 81, 14)):
        head.front.circle(x, y, r, head.fill)
    for x, y in ((100, 62), (124, 50), (150, 60), (80, 84), (176, 86)):
        head.front.line(f"M {x - 8} {y} q 8 -10 16 0", head.light, 3, 0.6)


def _short(head: _Head) -> None:
    head.back.path("M 128 46 C 80 46 76 88 80 116 L 176 116 C 180 88 176 46 128 46 z", head.fill)
    head.front.path(
        f"M {head.left - 3} 112 C {head.left - 14} 72 96 44 132 44 C 168 42 {head.right + 14} 76 {head.right + 3} 112 "
        f"C {head.right - 2} 98 {head.right - 6} 90 {head.right - 10} 84 C 150 90 138 84 134 78 C 126 90 112 92 104 84 "
        f"C 100 94 {head.left} 96 {head.left - 3} 112 z",
        head.fill,
    )


def _pigtails(head: _Head) -> None:
    for side in (-1, 1):
        x = 128 + side * 52
        head.back.path(
            f"M {x} 84 C {x + side * 44} 80 {x + side * 40} 150 {x + side * 26} 196 C {x + side * 16} 204 "
            f"{x + side * 6} 196 {x + side * 6} 180 C {x} 150 {x - side * 6} 110 {x} 84 z",
            head.fill,
        )
        head.back.circle(x + side * 4, 90, 7, "#e8476a")
    head.back.path(_CAP, head.fill)
    head.front.path(
        f"M {head.left - 4} 114 C {head.left - 10} 64 104 49 128 49 C 152 49 {head.right + 10} 64 {head.right + 4} 114 "
        f"C {head.right - 4} 98 158 84 128 60 C 100 84 {head.left + 4} 98 {head.left - 4} 114 z",
        head.fill,
    )


_DRAW: dict[str, Callable[[_Head], None]] = {
    "long straight": _long_straight,
    "long wavy": _long_wavy,
    "bob": _bob,
    "bun": _bun,
    "curly": _curly,
    "short": _short,
    "pigtails": _pigtails,
}
