"""Faults of what is shown, drawn anew in the pocket world: another person, hair, outfit, place, light or framing.

    stranger(case, 2, rng)              # a picture of somebody else in the same shot
    far("teal", HAIR_TONES, rng)        # a colour that nobody takes for teal

Each function takes a case, a severity of 1 to 3 and a seeded generator, and gives a picture by the case's own route. What the
severities mean stands in `registry`. It knows nothing of the critic.
"""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import replace

import resvg_py
from PIL import Image

from zirelia.pocket.canvas import SIDE as UNITS
from zirelia.pocket.canvas import Canvas
from zirelia.pocket.defects.cases import SIDE, Case
from zirelia.pocket.drawing import DROPS, NECK, SCALES, Pose, render
from zirelia.pocket.figure import CLOTH_TONES, HAIR_TONES, draw_figure
from zirelia.pocket.scenery import OUTDOORS
from zirelia.pocket.world import (
    CLOTHS,
    EYES,
    GARMENTS,
    GENDERS,
    HAIRS,
    SCENES,
    SKINS,
    STYLES_OF,
    Character,
    WorldShot,
    random_character,
    random_shot,
)

CLEARLY = 120.0
"""Distance in RGB from which two colours are told apart at a glance."""
NEIGHBOURS = {
    "cafe": "kitchen", "kitchen": "cafe", "library": "cafe", "gym": "studio", "studio": "gym",
    "park": "mountains", "mountains": "park", "beach": "mountains", "city street": "park",
}  # fmt: skip
"""The place that is most easily mistaken for it."""
NEAR_STYLES = {
    "long straight": "long wavy", "long wavy": "long straight", "bob": "short", "short": "bob",
    "bun": "short", "curly": "bob", "pigtails": "bun",
}  # fmt: skip
OTHER_LIGHTS = {
    "daylight": ("golden hour", "night"),
    "golden hour": ("daylight", "night"),
    "night": ("golden hour", "daylight"),
}
"""The nearer light, and the farther one."""
HEAD_TOP, EYE_LINE, CHIN, FEET = 46.0, 112.0, 168.0, 330.0
"""Heights on the figure, in the units of the canvas."""
APART = {1: 1.2, 2: 1.45, 3: 1.9}
"""Wrong framing: how many times too large or too small the figure is."""


def stranger(case: Case, severity: int, rng: random.Random) -> Image.Image:
    me = case.character
    while True:
        other = random_character(rng, gender=me.gender if severity < 3 else _other(GENDERS, me.gender, rng))
        if severity == 1:
            other = replace(other, hair=me.hair)
        clear = _apart(HAIR_TONES, other.hair, me.hair) >= CLEARLY
        if _tones_apart(other.skin, me.skin) >= min(severity, 2) and (severity == 1 or clear) and other.style != me.style:
            return case.draw(character=other)


def look_alike(case: Case, severity: int, rng: random.Random) -> Image.Image:
    me = case.character
    other = replace(me, eyes=_other(EYES, me.eyes, rng), seed=rng.randrange(1 << 30))
    if severity == 1:
        return case.draw(character=other)
    reachable = [tone for tone in SKINS if _tones_apart(tone, me.skin) >= 2]
    other = replace(other, skin=rng.choice(reachable), glasses=not me.glasses)
    if severity == 3:
        other = replace(other, beard=me.gender == "man" and not me.beard, earrings=not me.earrings, face_width=-me.face_width)
        other = replace(other, style=_other(STYLES_OF[me.gender], me.style, rng))
    return case.draw(character=other)


def two_people(case: Case, severity: int, rng: random.Random) -> Image.Image:
    if severity == 2:
        return case.draw(people=2)
    drawn = render(case.character, case.world, SIDE, people=1 if severity == 1 else 2)
    extra = _cut_out(random_character(rng), replace(random_shot(rng), framing="half body"))
    scale = 0.38 if severity == 1 else 0.62
    extra = extra.resize((round(SIDE * scale),) * 2, Image.Resampling.LANCZOS)
    left = (
        rng.choice((-round(extra.width * 0.2), SIDE - round(extra.width * 0.8))) if severity == 1 else (SIDE - extra.width) // 2
    )
    drawn.paste(extra, (left, SIDE - extra.height), extra)
    return case.route.through(drawn)


def nobody(case: Case, severity: int, rng: random.Random) -> Image.Image:
    if severity == 1:
        return case.draw(pose=Pose(1.0, rng.choice((-118.0, 118.0)), 0.0, 0.0))
    return case.draw(world=case.world if severity == 2 else replace(case.world, scene="studio"), people=0)


def wrong_hair(case: Case, severity: int, rng: random.Random) -> Image.Image:
    me = case.character
    if severity == 1:
        return case.draw(character=replace(me, style=NEAR_STYLES[me.style]))
    hair = far(me.hair, HAIR_TONES, HAIRS, rng)
    style = (
        me.style if severity == 2 else rng.choice([s for s in STYLES_OF["woman"] if s not in (me.style, NEAR_STYLES[me.style])])
    )
    return case.draw(character=replace(me, hair=hair, style=style))


def wrong_outfit(case: Case, severity: int, rng: random.Random) -> Image.Image:
    world = case.world
    garment = _other(GARMENTS, world.garment, rng) if severity != 2 else world.garment
    cloth = far(world.cloth, CLOTH_TONES, CLOTHS, rng) if severity > 1 else world.cloth
    return case.draw(world=replace(world, garment=garment, cloth=cloth))


def wrong_scene(case: Case, severity: int, rng: random.Random) -> Image.Image:
    asked = case.world.scene
    outside = asked in OUTDOORS
    if severity == 1:
        scene = NEIGHBOURS[asked]
    elif severity == 2:
        scene = rng.choice([s for s in SCENES if (s in OUTDOORS) == outside and s not in (asked, NEIGHBOURS[asked])])
    else:
        scene = rng.choice([s for s in SCENES if (s in OUTDOORS) != outside])
    return case.draw(world=replace(case.world, scene=scene))


def wrong_framing(case: Case, severity: int, rng: random.Random) -> Image.Image:
    asked = case.world.framing
    zoom = 1 / APART[severity] if asked == "close-up" else APART[severity]
    # anchored at the neck; a small figure is lowered so that it still reaches the lower edge
    scale = SCALES[asked] * zoom
    reach = NECK + DROPS[asked] + scale * (FEET - NECK)
    down = max(0.0, UNITS + 4 - reach)
    return case.draw(pose=Pose(zoom, rng.uniform(-4, 4), down, 0.0))


def wrong_light(case: Case, severity: int, rng: random.Random) -> Image.Image:  # noqa: ARG001 - one signature for all
    near, distant = OTHER_LIGHTS[case.world.light]
    if severity == 1:
        other = render(case.character, replace(case.world, light=near), SIDE)
        return case.route.through(Image.blend(render(case.character, case.world, SIDE), other, 0.35))
    return case.draw(world=replace(case.world, light=near if severity == 2 else distant))


def cut_off_head(case: Case, severity: int, rng: random.Random) -> Image.Image:
    edge = {1: HEAD_TOP + 0.15 * (CHIN - HEAD_TOP), 2: EYE_LINE, 3: CHIN}[severity]
    drawn = SCALES[case.world.framing]
    # large enough that the body still reaches the lower edge when it is moved up
    scale = max(drawn, (UNITS + 4) / (FEET - edge))
    dy = -(NECK + DROPS[case.world.framing] + scale * (edge - NECK))
    return case.draw(pose=Pose(scale / drawn, rng.uniform(-5, 5), dy, 0.0))


def far(colour: str, tones: Mapping[str, str], among: tuple[str, ...], rng: random.Random) -> str:
    """A colour that is told apart from it at a glance."""
    return rng.choice([other for other in among if _apart(tones, colour, other) >= CLEARLY])


def _apart(tones: Mapping[str, str], one: str, other: str) -> float:
    pairs = [(int(tones[one][i : i + 2], 16), int(tones[other][i : i + 2], 16)) for i in (1, 3, 5)]
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def _tones_apart(one: str, other: str) -> int:
    return abs(SKINS.index(one) - SKINS.index(other))


def _other(words: tuple[str, ...], but: str, rng: random.Random) -> str:
    return rng.choice([word for word in words if word != but])


def _cut_out(character: Character, shot: WorldShot) -> Image.Image:
    """The figure alone, on nothing."""
    canvas = Canvas()
    canvas.place(draw_figure(character, shot, "x"), "translate(0 6)")
    png = bytes(resvg_py.svg_to_bytes(svg_string=canvas.svg(SIDE)))
    return Image.open(io.BytesIO(png)).convert("RGBA")
