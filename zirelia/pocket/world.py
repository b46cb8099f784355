"""The pocket world: who can stand in a picture, what the picture shows, and how a prompt says so.

    rng = random.Random(7)
    caption(random_character(rng), random_shot(rng))
    # 'close-up portrait of a man with curly red hair and green eyes, tan skin, beard, smiling, wearing a ...'

Values and words only. It does not draw (see `figure`, `scenery`) and it does not learn.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

GENDERS = ("woman", "man")
SKINS = ("fair", "light", "tan", "brown", "dark")
HAIRS = ("black", "brown", "red", "blonde", "pink", "blue", "silver", "teal")
STYLES = ("long straight", "long wavy", "bob", "bun", "curly", "short", "pigtails")
EYES = ("brown", "blue", "green", "violet")
GARMENTS = ("hoodie", "t-shirt", "blazer", "sweater", "tank top")
CLOTHS = ("red", "blue", "green", "yellow", "black", "white", "pink", "purple")
EXPRESSIONS = ("smiling", "laughing", "serious")
SCENES = ("cafe", "beach", "gym", "park", "city street", "kitchen", "studio", "mountains", "library")
LIGHTS = ("daylight", "golden hour", "night")
FRAMINGS = ("close-up", "half body")

STYLES_OF = MappingProxyType({"woman": STYLES, "man": ("short", "curly", "bun", "long straight")})
EXTRAS = ("freckles", "round glasses", "gold earrings", "beard", "red lipstick")
PLACES = MappingProxyType(
    {scene: f"in a {scene}" for scene in SCENES}
    | {"beach": "on the beach", "mountains": "in the mountains", "city street": "on a city street"}
)

MEN = 0.47
BEARDED = 0.5


@dataclass(frozen=True, slots=True)
class Character:
    """Everything about a person that stays the same from picture to picture."""

    gender: str
    skin: str
    hair: str
    style: str
    eyes: str
    glasses: bool = False
    freckles: bool = False
    earrings: bool = False
    beard: bool = False
    lipstick: bool = False
    face_width: float = 0.0
    eye_size: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class WorldShot:
    """One wanted picture: where, when, what is worn, and how."""

    garment: str
    cloth: str
    expression: str
    scene: str
    light: str
    framing: str
    seed: int = 0


HELD_OUT: Mapping[str, Character] = MappingProxyType(
    {
        "luna": Character(
            "woman", "tan", "blue", "pigtails", "violet", glasses=True, freckles=True, face_width=1.5, eye_size=1.05,
            seed=11,
        ),
        "mira": Character(
            "woman", "fair", "teal", "long wavy", "brown", earrings=True, lipstick=True, face_width=-2.0, seed=12,
        ),
        "theo": Character(
            "man", "brown", "silver", "curly", "blue", earrings=True, beard=True, face_width=2.0, eye_size=0.97,
            seed=13,
        ),
        "noor": Character("woman", "dark", "teal", "bun", "green", glasses=True, face_width=0.5, seed=14),
        "bruno": Character(
            "man", "fair", "teal", "short", "brown", glasses=True, beard=True, face_width=1.0, seed=15,
        ),
        "ines": Character(
            "woman", "light", "silver", "curly", "violet", lipstick=True, face_width=-1.0, eye_size=1.04, seed=16,
        ),
        "yuki": Character(
            "woman", "light", "blue", "pigtails", "brown", earrings=True, face_width=2.0, eye_size=1.02, seed=17,
        ),
        "omar": Character("man", "dark", "silver", "curly", "green", glasses=True, face_width=-1.5, seed=18),
    }
)  # fmt: skip
HELD_OUT_HAIR = "teal"
HELD_OUT_PAIRS = frozenset({("blue", "pigtails"), ("silver", "curly")})


def is_held_out(character: Character) -> bool:
    """A look that pretraining never sees: one hair colour, and two pairs of colour and style."""
    return character.hair == HELD_OUT_HAIR or (character.hair, character.style) in HELD_OUT_PAIRS


def random_character(rng: random.Random, *, gender: str | None = None) -> Character:
    """Draw a character of the pretraining world: never one that is held out."""
    while True:
        character = _any_character(rng, gender or ("man" if rng.random() < MEN else "woman"))
        if not is_held_out(character):
            return character


def random_shot(rng: random.Random, *, scene: str | None = None) -> WorldShot:
    shot = WorldShot(
        garment=rng.choice(GARMENTS),
        cloth=rng.choice(CLOTHS),
        expression=rng.choice(EXPRESSIONS),
        scene=rng.choice(SCENES),
        light=rng.choice(LIGHTS),
        framing=rng.choice(FRAMINGS),
        seed=rng.randrange(1 << 30),
    )
    return replace(shot, scene=scene) if scene else shot


def caption(
    character: Character,
    shot: WorldShot,
    *,
    trigger: str | None = None,
    drop: float = 0.0,
    rng: random.Random | None = None,
) -> str:
    """Say a picture the way a prompt would. With `rng`, extras are shuffled and each part may drop out."""

    def kept(*parts: str) -> list[str]:
        return [part for part in parts if rng is None or rng.random() >= drop]

    return ", ".join([*_person(character, shot, trigger, rng, drop), *kept(*_setting(shot))])


def _person(character: Character, shot: WorldShot, trigger: str | None, rng: random.Random | None, drop: float) -> list[str]:
    framing = f"{shot.framing} portrait"
    if trigger:
        return [f"{trigger} {character.gender}", framing]

    def kept(*parts: str) -> list[str]:
        return [part for part in parts if rng is None or rng.random() >= drop]

    # the subject comes first, as the trigger does; the other order is learnt too because people write it
    framed = rng is not None and rng.random() < 0.35
    head = f"{framing} of a {character.gender}" if framed else f"a {character.gender}"
    if seen := kept(f"{character.style} {character.hair} hair", f"{character.eyes} eyes"):
        head += " with " + " and ".join(seen)
    extras = [name for name, worn in zip(EXTRAS, _extras(character), strict=True) if worn]
    if rng is not None:
        rng.shuffle(extras)
    return [head, *([] if framed else [framing]), *kept(f"{character.skin} skin", *extras)]


def _setting(shot: WorldShot) -> tuple[str, ...]:
    return (shot.expression, f"wearing a {shot.cloth} {shot.garment}", PLACES[shot.scene], shot.light)


def _extras(character: Character) -> tuple[bool, ...]:
    return (character.freckles, character.glasses, character.earrings, character.beard, character.lipstick)


def _any_character(rng: random.Random, gender: str) -> Character:
    woman = gender == "woman"
    return Character(
        gender=gender,
        skin=rng.choice(SKINS),
        hair=rng.choice(HAIRS),
        style=rng.choice(STYLES_OF[gender]),
        eyes=rng.choice(EYES),
        glasses=rng.random() < 0.25,
        freckles=rng.random() < 0.2,
        earrings=rng.random() < (0.4 if woman else 0.15),
        beard=not woman and rng.random() < BEARDED,
        lipstick=woman and rng.random() < 0.35,
        face_width=rng.uniform(-3.0, 3.0),
        eye_size=rng.uniform(0.93, 1.07),
        seed=rng.randrange(1 << 30),
    )
