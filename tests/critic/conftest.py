"""Rendered pictures, a persona to judge them by, and the looks encoder that ships."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import time

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from zirelia.critic.looks import LooksInstrument
from zirelia.domain.cadence import Cadence, Window
from zirelia.domain.persona import Boundaries, Consent, Interest, Kind, Look, Persona, Routine, Trait, Voice
from zirelia.domain.post import Brief
from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.pocket.drawing import render
from zirelia.pocket.looks import LooksEncoder
from zirelia.pocket.weights import looks_path
from zirelia.pocket.world import (
    HELD_OUT,
    Character,
    WorldShot,
    random_character,
    random_shot,
)
from zirelia.ports import Exhibit

MIRA = HELD_OUT["mira"]


def stranger(rng: random.Random) -> Character:
    """Anybody but mira; some have teal hair too, though not in her style, so that it alone makes nobody her."""
    character = random_character(rng)
    teal = character.style != MIRA.style and rng.random() < 0.25
    return replace(character, hair="teal") if teal else character


@pytest.fixture(scope="session")
def encoder() -> LooksEncoder:
    return LooksEncoder.load(looks_path())


@pytest.fixture(scope="session")
def impostors(encoder: LooksEncoder) -> NDArray[np.float32]:
    rng = random.Random(2)
    return encoder.embed([render(stranger(rng), random_shot(rng), 64) for _ in range(120)])


@pytest.fixture(scope="session")
def references() -> tuple[Image.Image, ...]:
    rng = random.Random(3)
    return tuple(render(MIRA, random_shot(rng), 128) for _ in range(10))


@pytest.fixture(scope="session")
def persona() -> Persona:
    return Persona(
        name="mira",
        display_name="Mira",
        kind=Kind.ILLUSTRATED,
        bio="Draws and drinks coffee.",
        age=26,
        voice=Voice(tone=("warm",), style="short"),
        look=Look(
            noun="woman",
            traits=(
                Trait(
                    feature="hair",
                    value="long wavy teal",
                    phrase="long wavy teal hair",
                    contradictions=("blonde", "short hair"),
                ),
                Trait(feature="glasses", value="none", phrase="no glasses"),
                Trait(feature="height", value="tall", phrase="tall"),
            ),
        ),
        consent=Consent(fictional=True),
        routine=(Routine(name="day", start_hour=8, end_hour=20, activities=("coffee",), scenes=("cafe",)),),
        interests=(Interest(topic="coffee"),),
        cadence=Cadence(timezone="UTC", windows=(Window(name="noon", start=time(12), end=time(13)),)),
        boundaries=Boundaries(images=("alcohol",)),
    )


WANTED = WorldShot("hoodie", "red", "smiling", "beach", "daylight", "half body", seed=5)


@pytest.fixture(scope="session")
def wanted() -> WorldShot:
    return WANTED


Exhibitor = Callable[..., Exhibit]


@pytest.fixture
def exhibit(persona: Persona, references: tuple[Image.Image, ...]) -> Exhibitor:
    """Builds an exhibit: exhibit(image, shot=WorldShot(...), trigger="zqmira", recent=..., references=...)."""

    def build(
        image: Image.Image,
        *,
        world: WorldShot = WANTED,
        shot: Shot | None = None,
        text: str = "portrait",
        trigger: str | None = None,
        scale: float = 1.0,
        size: tuple[int, int] = (128, 128),
        recent: tuple[tuple[int, Image.Image], ...] = (),
        of: Persona = persona,
        against: tuple[Image.Image, ...] = references,
    ) -> Exhibit:
        asked = shot or Shot(
            scene=world.scene,
            outfit=f"{world.cloth} {world.garment}",
            expression=world.expression,
            framing=Framing(world.framing),
            light=world.light,
        )
        return Exhibit(
            image=image,
            shot=asked,
            brief=Brief(topic="coffee", angle="new beans", activity="coffee", scene=asked.scene, light=asked.light),
            persona=of,
            prompt=ImagePrompt(text=text, trigger=trigger, lora_scale=scale, seed=1, width=size[0], height=size[1], steps=16),
            references=against,
            recent=recent,
        )

    return build


@pytest.fixture(scope="session")
def good(wanted: WorldShot) -> Image.Image:
    return render(MIRA, wanted, 128)


@pytest.fixture(scope="session")
def unsafe() -> Image.Image:
    """Shaded round shapes in one warm tone: nothing but spheres, yet the classifier is sure."""
    rows, columns = np.mgrid[0:256, 0:256]
    tone = np.array((230, 185, 160), dtype=np.float64)
    canvas = np.ones((256, 256, 3)) * tone * 0.6
    for x, y, radius, colour in (
        (78, 130, 62, tone),
        (178, 130, 62, tone),
        (78, 138, 10, np.array((190, 110, 100))),
        (178, 138, 10, np.array((190, 110, 100))),
    ):
        inside = ((columns - x) ** 2 + (rows - y) ** 2) / radius**2
        height = np.sqrt(np.clip(1 - inside, 0, 1))
        shade = np.clip(0.35 + 0.65 * (0.8 * height + 0.3 * (x + y - columns - rows) / radius / 2), 0, 1.1)
        canvas = np.where((inside < 1)[..., None], np.clip(colour * shade[..., None], 0, 255), canvas)
    from PIL import ImageFilter

    return Image.fromarray(canvas.astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))


@pytest.fixture(scope="session")
def looks(encoder: LooksEncoder, impostors: NDArray[np.float32]) -> LooksInstrument:
    return LooksInstrument(encoder, heads=encoder.heads, impostors=impostors)
