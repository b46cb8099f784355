"""One person from the shoulders up: clothes, neck, face and hair, facing us.

    canvas.place(draw_figure(character, shot, "a"), "translate(...)")

`name` keeps the gradients of two figures in one picture apart. It does not know where the figure stands.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from zirelia.pocket.canvas import INK, Canvas, darken, lighten, mix, vary
from zirelia.pocket.hair import draw_hair
from zirelia.pocket.world import Character, WorldShot

SKIN_TONES = {
    "fair": ("#f9dcc9", "#e8b59b"),
    "light": ("#f1c5a0", "#d99e78"),
    "tan": ("#d9a06f", "#b97c4e"),
    "brown": ("#a86b42", "#84502e"),
    "dark": ("#6f4429", "#50301b"),
}
HAIR_TONES = {
    "black": "#26222b",
    "brown": "#6b4023",
    "red": "#b23a1c",
    "blonde": "#e9c46a",
    "pink": "#f07fb0",
    "blue": "#3d6fd6",
    "silver": "#c9ced8",
    "teal": "#1fa396",
}
EYE_TONES = {"brown": "#7a4a20", "blue": "#3b8fe0", "green": "#3fa65a", "violet": "#8a5fd0"}
CLOTH_TONES = {
    "red": "#d23b3b",
    "blue": "#2f62c9",
    "green": "#2f8f5b",
    "yellow": "#f2c230",
    "black": "#2b2b33",
    "white": "#f4f2ee",
    "pink": "#f29bb8",
    "purple": "#7d4bb5",
}
GOLD = "#f2c230"
EYE_RADIUS = 11.0
EYE_SPREAD = 19.5
EYE_LEVEL = 112.0


@dataclass(frozen=True, slots=True)
class _Tones:
    skin: str
    shade: str
    hair: str
    cloth: str

    @property
    def fold(self) -> str:
        return darken(self.cloth, 0.25)


def draw_figure(character: Character, shot: WorldShot, name: str) -> Canvas:
    skin, shade = SKIN_TONES[character.skin]
    hair = vary(HAIR_TONES[character.hair], random.Random(character.seed), 0.02)  # noqa: S311
    tones = _Tones(skin, shade, hair, CLOTH_TONES[shot.cloth])
    left, right = 88 - character.face_width, 168 + character.face_width
    canvas = Canvas()
    fill = canvas.gradient(f"hair-{name}", ((0, lighten(hair, 0.08), 1), (1, darken(hair, 0.32), 1)), (0, 1))
    back, front = draw_hair(character.style, left, right, fill, lighten(hair, 0.32))
    canvas.elements += back.elements
    _neck(canvas, tones)
    _GARMENT[shot.garment](canvas, tones, _shoulders(character.gender))
    _sleeves(canvas, shot, tones, character.gender)
    _head(canvas, character, tones, name, left, right)
    _face(canvas, character, shot, tones)
    canvas.elements += front.elements
    _worn(canvas, character, left, right)
    return canvas


def _neck(canvas: Canvas, tones: _Tones) -> None:
    canvas.path("M 113 146 L 111 186 L 106 192 Q 128 222 150 192 L 145 186 L 143 146 z", tones.skin)
    canvas.path("M 113 158 Q 128 176 143 158 L 143 166 Q 128 184 113 166 z", tones.shade, 0.7)


def _shoulders(gender: str) -> str:
    w = 8 if gender == "man" else 0
    return f"M {50 - w} 330 C {50 - w} 222 {70 - w} 204 108 190 Q 128 204 148 190 C {186 + w} 204 {206 + w} 222 {206 + w} 330 z"


def _tank_top(canvas: Canvas, tones: _Tones, body: str) -> None:
    canvas.path(body, tones.skin)
    canvas.path(
        "M 78 330 L 80 240 Q 94 220 98 194 L 110 190 Q 114 214 128 214 Q 142 214 146 190 L 158 194 "
        "Q 162 220 176 240 L 178 330 z",
        tones.cloth,
    )


def _hoodie(canvas: Canvas, tones: _Tones, body: str) -> None:
    canvas.path(body, tones.cloth)
    canvas.path(
        "M 96 196 Q 92 178 108 178 Q 116 204 128 206 Q 140 204 148 178 Q 164 178 160 196 Q 150 224 128 226 Q 106 224 96 196 z",
        tones.fold,
    )
    canvas.line("M 118 220 l -2 26 M 138 220 l 2 26", "#f5f0e6", 3.4)


def _t_shirt(canvas: Canvas, tones: _Tones, body: str) -> None:
    canvas.path(body, tones.cloth)
    canvas.path("M 107 189 Q 128 216 149 189 L 154 192 Q 128 226 102 192 z", tones.fold)
    canvas.path("M 113 184 L 107 189 Q 128 214 149 189 L 143 184 z", tones.skin)


def _sweater(canvas: Canvas, tones: _Tones, body: str) -> None:
    canvas.path(body, tones.cloth)
    canvas.path("M 107 170 Q 128 184 149 170 L 152 200 Q 128 214 104 200 z", lighten(tones.cloth, 0.12))
    canvas.line("M 104 200 Q 128 214 152 200", tones.fold, 3.2)
    for x in (84, 106, 128, 150, 172):
        canvas.line(f"M {x} 226 v 40", tones.fold, 2.8, 0.5)


def _blazer(canvas: Canvas, tones: _Tones, body: str) -> None:
    canvas.path(body, tones.cloth)
    canvas.path("M 110 188 L 128 250 L 146 188 Q 128 200 110 188 z", "#faf7f0")
    canvas.path("M 106 188 L 92 214 L 102 220 L 98 226 L 128 262 L 112 192 z", tones.fold)
    canvas.path("M 150 188 L 164 214 L 154 220 L 158 226 L 128 262 L 144 192 z", tones.fold)


_GARMENT = {
    "hoodie": _hoodie,
    "t-shirt": _t_shirt,
    "blazer": _blazer,
    "sweater": _sweater,
    "tank top": _tank_top,
}


def _sleeves(canvas: Canvas, shot: WorldShot, tones: _Tones, gender: str) -> None:
    w = 8 if gender == "man" else 0
    seam = tones.shade if shot.garment == "tank top" else tones.fold
    canvas.line(f"M {72 - w} 330 L {80 - w} 250 M {184 + w} 330 L {176 + w} 250", seam, 3, 0.7)


def _head(canvas: Canvas, character: Character, tones: _Tones, name: str, left: float, right: float) -> None:
    man = character.gender == "man"
    jaw, chin, corner = (150, 164, 101) if man else (145, 161, 106)
    for x in (left, right):
        canvas.ellipse(x, 114, 7, 11, tones.skin)
        canvas.ellipse(x, 114, 3.5, 6.5, tones.shade)
    fill = canvas.gradient(f"face-{name}", ((0.55, tones.skin, 1), (1, mix(tones.skin, tones.shade, 0.6), 1)), (1, 0.3))
    canvas.path(
        f"M {left} 98 C {left} 52 {right} 52 {right} 98 C {right} {jaw - 14} {256 - corner} {jaw + 10} 128 {chin} "
        f"C {corner} {jaw + 10} {left} {jaw - 14} {left} 98 z",
        fill,
    )
    if character.beard:
        canvas.path(
            f"M {left} 112 C {left + 1} {jaw - 8} {corner - 2} {jaw + 14} 128 {chin + 5} "
            f"C {258 - corner} {jaw + 14} {right - 1} {jaw - 8} {right} 112 C {right - 5} 136 154 135 128 134 "
            f"C 102 135 {left + 5} 136 {left} 112 z",
            darken(tones.hair, 0.32),
        )
    for x in (102, 154):
        canvas.ellipse(x, 131, 10, 6, "#f0607a", 0.22)
    if character.freckles:
        _freckles(canvas, darken(tones.shade, 0.25))


def _freckles(canvas: Canvas, colour: str) -> None:
    for x in (104, 152):
        for i in range(6):
            canvas.circle(x + (i % 3 - 1) * 6.5 + (i // 3), 128 + (i // 3) * 5.5, 1.7, colour)
    for x, y in ((125, 123), (131, 123), (128, 128)):
        canvas.circle(x, y, 1.5, colour)


def _face(canvas: Canvas, character: Character, shot: WorldShot, tones: _Tones) -> None:
    for side in (-1, 1):
        _eye(canvas, character, shot.expression, tones, side)
    canvas.line("M 127 121 Q 124 130 130 131.5", tones.shade, 2.8)
    lip = "#c4253f" if character.lipstick else mix(tones.shade, "#b04a4a", 0.55)
    if character.beard:
        lip = lighten(lip, 0.25)
    if shot.expression == "smiling":
        canvas.line("M 113 142 Q 128 157 143 142 Q 128 147 113 142 z", lip, 2.8, fill=lip)
    elif shot.expression == "laughing":
        canvas.line("M 111 140 Q 128 144 145 140 Q 143 159 128 159 Q 113 159 111 140 z", lip, 2.8, fill="#6b1a24")
        canvas.path("M 114 142.5 Q 128 146 142 142.5 L 140 148 Q 128 150 116 148 z", "#ffffff")
    else:
        canvas.line("M 116 146.5 Q 128 143.5 140 146.5 Q 128 151 116 146.5 z", lip, 2.6, fill=lip)


def _eye(canvas: Canvas, character: Character, expression: str, tones: _Tones, side: int) -> None:
    man, level = character.gender == "man", EYE_LEVEL
    x, r = 128 + side * EYE_SPREAD, EYE_RADIUS * character.eye_size
    height = r * {"smiling": 1.0, "laughing": 0.74, "serious": 0.9}[expression]
    canvas.ellipse(x, level, r * 1.08, height, "#ffffff")
    iris = EYE_TONES[character.eyes]
    canvas.ellipse(x, level + 0.5, r * 0.76, min(r * 0.76, height), iris)
    canvas.circle(x, level + 0.5, r * 0.36, "#15121a")
    canvas.circle(x + 3, level - 3, 2.5, "#ffffff")
    canvas.line(f"M {x - r * 1.15:.1f} {level - 1} Q {x} {level - height * 1.75:.1f} {x + r * 1.15:.1f} {level - 1}",
                INK, 2.8 if man else 3.4)  # fmt: skip
    if not man:
        canvas.line(f"M {x + side * r * 1.1:.1f} {level - 2} l {side * 5} -4", INK, 2.8)
    brow = level - 18.5 - (2 if expression == "laughing" else 0)
    frown = 3 if expression == "serious" else 0
    canvas.line(
        f"M {x - side * 9.5} {brow + frown} Q {x} {brow - 4} {x + side * 10.5} {brow + 1 - frown * 0.4}",
        darken(tones.hair, 0.45),
        4.8 if man else 3.6,
    )


def _worn(canvas: Canvas, character: Character, left: float, right: float) -> None:
    if character.glasses:
        for side in (-1, 1):
            canvas.ring(128 + side * EYE_SPREAD, EYE_LEVEL + 1, 16.5, "#1c1a22", 3.4, glass=0.16)
        near, far = 128 - EYE_SPREAD - 16.5, 128 + EYE_SPREAD + 16.5
        canvas.line(f"M 125 111 q 3 -3 6 0 M {near} 110 L {left - 2} 106 M {far} 110 L {right + 2} 106", "#1c1a22", 3.4)
    if character.earrings:
        for x in (left - 2, right + 2):
            canvas.ring(x, 134, 8, GOLD, 3.6)
