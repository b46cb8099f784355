"""Putting a picture together: scenery behind, one figure (or none, or two) in front, the light over all.

    render(HELD_OUT["mira"], random_shot(rng), 128).save("mira.png")

The same character, shot and size always give the same pixels. It knows where things go, not how a face or a beach is drawn.
"""

from __future__ import annotations

import io
import random
from dataclasses import replace
from typing import NamedTuple

import resvg_py
from PIL import Image

from zirelia.pocket.canvas import SIDE, Canvas
from zirelia.pocket.figure import draw_figure
from zirelia.pocket.scenery import OUTDOORS, draw_scene
from zirelia.pocket.world import CLOTHS, GARMENTS, Character, WorldShot, random_character

SCALES = {"close-up": 1.32, "half body": 1.1}
DROPS = {"close-up": 14.0, "half body": 6.0}
NECK = 118.0


class Pose(NamedTuple):
    """How a figure stands: zoom (1 is as framed), shift to the right and down in units of the canvas, tilt in degrees."""

    zoom: float
    dx: float
    dy: float
    tilt: float


STILL = Pose(1.0, 0.0, 0.0, 0.0)


def render(character: Character, shot: WorldShot, size: int, people: int = 1, pose: Pose | None = None) -> Image.Image:
    """Draw the character in the shot; `people` 0 leaves the scene empty, 2 adds a companion; `pose` replaces the shot's own."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=compose(character, shot, people, pose).svg(size)))
    return Image.open(io.BytesIO(png)).convert("RGB")


def compose(character: Character, shot: WorldShot, people: int = 1, pose: Pose | None = None) -> Canvas:
    if people not in (0, 1, 2):
        raise ValueError(f"a picture holds 0, 1 or 2 people, not {people}")
    rng = random.Random(shot.seed)  # noqa: S311
    canvas = Canvas()
    draw_scene(canvas, shot, rng)
    if shot.light == "night" and shot.scene not in OUTDOORS:
        canvas.rect(0, 0, SIDE, SIDE, "#0a1240", opacity=0.35)
    drawn_pose = _pose(rng)
    pose = drawn_pose if pose is None else pose
    if people == 1:
        canvas.place(draw_figure(character, shot, "a"), _stand(shot, pose))
    elif people == 2:
        friend, dressed = _companion(shot)
        canvas.place(draw_figure(friend, dressed, "b"), _stand(shot, _pose(rng), shift=54, shrink=0.72))
        canvas.place(draw_figure(character, shot, "a"), _stand(shot, pose, shift=-50, shrink=0.74))
    _light(canvas, shot.light)
    return canvas


def _pose(rng: random.Random) -> Pose:
    return Pose(rng.uniform(0.97, 1.03), rng.uniform(-5, 5), rng.uniform(-3, 3), rng.uniform(-3.5, 3.5))


def _stand(shot: WorldShot, pose: Pose, shift: float = 0, shrink: float = 1) -> str:
    zoom, dx, dy, tilt = pose
    scale = SCALES[shot.framing] * zoom * shrink
    x, y = SIDE / 2 + dx + shift, NECK + dy + DROPS[shot.framing] + (1 - shrink) * 70
    return f"translate({x:.2f} {y:.2f}) rotate({tilt:.2f}) scale({scale:.3f}) translate({-SIDE / 2:g} {-NECK:g})"


def _companion(shot: WorldShot) -> tuple[Character, WorldShot]:
    rng = random.Random(shot.seed ^ 0x5EED)  # noqa: S311
    return random_character(rng), replace(shot, garment=rng.choice(GARMENTS), cloth=rng.choice(CLOTHS))


def _light(canvas: Canvas, light: str) -> None:
    if light == "daylight":
        return
    stops, to = {
        "golden hour": (((0, "#ffb347", 0.26), (1, "#ff6a2b", 0.10)), (1, 0.4)),
        "night": (((0, "#0a1244", 0.20), (1, "#0a1040", 0.26)), (0, 1)),
    }[light]
    canvas.rect(0, 0, SIDE, SIDE, canvas.gradient("light", stops, to))
