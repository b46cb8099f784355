"""Reads a drawing of the pocket world back: who is in it, by naming what can be named and drawing again what cannot.

    reading = read_person(LooksEncoder.load(looks_path()), (png,))
    reading.character, reading.likeness

The looks encoder names hair, skin, glasses and the like. Freckles, lipstick and the shape of the face it does not know, so
they are found by analysis through synthesis: the person is drawn where the first picture has them, first moved until the
faces lie on each other, then changed until the pixels agree. A photograph is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zirelia.errors import MediaError
from zirelia.pictures import open_picture, upright_rgb
from zirelia.pocket import world
from zirelia.pocket.drawing import STILL, Pose, render
from zirelia.pocket.easel import middle

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zirelia.pocket.looks import LooksEncoder

SIZE = 96
FACE_WIDTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
EYE_SIZES = (0.93, 1.0, 1.07)
_SHOTS = 4
_STEPS = ((0.03, 5.0, 3.0, 3.5), (0.015, 2.5, 1.5, 1.75), (0.006, 1.0, 0.75, 0.75))
"""How far zoom, shift to the side, shift down and tilt are tried, from coarse to fine; see `drawing.Pose`."""
_FACE = (0.24, 0.16, 0.76, 0.74)
"""Left, top, right, bottom of where faces are in this world's pictures, in shares of the side."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who was read off, and how like the given pictures drawings of them are (cosine of their embeddings)."""

    character: world.Character
    likeness: float


def read_person(encoder: LooksEncoder, references: tuple[bytes, ...]) -> Reading:
    """Raises MediaError when the pictures do not show one person whom the pocket world can draw."""
    if not references:
        raise MediaError("no reference picture was given", hint="give at least one picture of the person")
    images = [upright_rgb(open_picture(data, what=f"reference {n}")) for n, data in enumerate(references, 1)]
    told = encoder.attributes(images)
    seen = _named(_votes(told))
    character = _fitted(seen, _shot_of({head: label for head, (label, _) in told[0].items()}), images[0])
    likeness = _likeness(encoder, character, images)
    if likeness < encoder.threshold:
        raise MediaError(
            f"nobody whom the pocket world can draw looks like the given picture (likeness {likeness:.2f}, "
            f"{encoder.threshold:.2f} is needed)",
            hint="for photographs and other drawings choose another edit backend, such as klein, kontext or replicate",
        )
    return Reading(character, likeness)


def _votes(told: Iterable[dict[str, tuple[str, float]]]) -> dict[str, str]:
    """What each head says, by the sum of its certainties over all pictures."""
    votes: dict[str, dict[str, float]] = {}
    for picture in told:
        for head, (label, sure) in picture.items():
            labels = votes.setdefault(head, {})
            labels[label] = labels.get(label, 0.0) + sure
    return {head: max(labels, key=lambda label: labels[label]) for head, labels in votes.items()}


def _named(said: dict[str, str]) -> world.Character:
    if said["people"] != "1":
        raise MediaError(
            f"the given picture shows {said['people']} people as far as the pocket world can tell; one is needed",
            hint="crop it to the one person; for photographs choose another edit backend",
        )
    styles = world.STYLES_OF[said["gender"]]
    return world.Character(
        gender=said["gender"],
        skin=said["skin"],
        hair=said["hair"],
        style=said["style"] if said["style"] in styles else styles[0],
        eyes=said["eyes"],
        glasses=said["glasses"] == "yes",
        earrings=said["earrings"] == "yes",
        beard=said["beard"] == "yes" and said["gender"] == "man",
    )


def _shot_of(said: dict[str, str]) -> world.WorldShot:
    return world.WorldShot(
        garment=said["garment"],
        cloth=said["cloth"],
        expression=said["expression"],
        scene=said["scene"],
        light=said["light"],
        framing=said["framing"],
    )


def _fitted(seen: world.Character, shot: world.WorldShot, image: Image) -> world.Character:
    """The character whose drawing, at the pose and with the expression found on the way, differs least in the face."""
    wanted = _pixels(image)

    def misfit(who: world.Character, pose: Pose, as_shot: world.WorldShot) -> float:
        drawn = _pixels(render(who, as_shot, SIZE, pose=pose))
        return float(np.abs(drawn - wanted).mean())

    pose = _moved(STILL, lambda tried: misfit(seen, tried, shot))
    expressions = (replace(shot, expression=expression) for expression in world.EXPRESSIONS)
    shot = min(expressions, key=lambda tried: misfit(seen, pose, tried))
    lips = (False, True) if seen.gender == "woman" else (False,)
    painted = (replace(seen, freckles=f, lipstick=lip) for f, lip in itertools.product((False, True), lips))
    best = min(painted, key=lambda tried: misfit(tried, pose, shot))
    shaped = (replace(best, face_width=width, eye_size=eyes) for width, eyes in itertools.product(FACE_WIDTHS, EYE_SIZES))
    return min(shaped, key=lambda tried: misfit(tried, pose, shot))


def _moved(pose: Pose, misfit: Callable[[Pose], float]) -> Pose:
    """Coordinate descent from coarse to fine."""
    best = misfit(pose)
    for steps in _STEPS:
        for _ in range(2):
            for place, step in enumerate(steps):
                for sign in (-1, 1):
                    tried: Any = list(pose)
                    tried[place] += sign * step
                    if (score := misfit(Pose(*tried))) < best:
                        pose, best = Pose(*tried), score
    return pose


def _pixels(image: Image) -> NDArray[np.float32]:
    """The part where faces are, small, as floats."""
    square = image.convert("RGB").resize((SIZE, SIZE))
    left, top, right, bottom = (round(share * SIZE) for share in _FACE)
    return np.asarray(square.crop((left, top, right, bottom))).astype(np.float32) / np.float32(255)


def _likeness(encoder: LooksEncoder, who: world.Character, images: Sequence[Image]) -> float:
    drawn = [
        render(who, replace(_NEUTRAL, seed=seed, framing=world.FRAMINGS[seed % len(world.FRAMINGS)]), 2 * SIZE)
        for seed in range(_SHOTS)
    ]
    return float(middle(encoder.embed(drawn)) @ middle(encoder.embed(images)))


_NEUTRAL = world.WorldShot(
    garment="t-shirt", cloth="white", expression="smiling", scene="studio", light="daylight", framing="close-up"
)
