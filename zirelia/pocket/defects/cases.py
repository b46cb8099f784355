"""Good pictures with everything that the critic compares them with: a persona, a brief, references, recent pictures.

    case = good_case(seed=10_000, soft=through_autoencoder)
    case.exhibit()                       # a picture that nothing is wrong with
    case.exhibit(spoilt)                 # the same wish, another picture

People are of the held-out cast or drawn by seed, so that the looks encoder never learnt them. A picture is the drawing itself,
slightly resized or compressed as the world does to pictures, or the drawing through an autoencoder: as soft as a generated one,
with a truth that is known. It does not judge.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import time
from functools import cache

from PIL import Image

from zirelia.domain.cadence import Cadence, Window
from zirelia.domain.persona import Consent, Interest, Kind, Look, Persona, Routine, Trait, Voice
from zirelia.domain.post import Brief
from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.domain.verdict import Criterion, Rubric
from zirelia.pocket.drawing import Pose, render
from zirelia.pocket.world import (
    HELD_OUT,
    HELD_OUT_HAIR,
    HELD_OUT_PAIRS,
    SCENES,
    Character,
    WorldShot,
    caption,
    random_character,
    random_shot,
)
from zirelia.ports import Exhibit

SIDE = 128
REFERENCES = 10
REFERENCE_SIDE = 256
RECENT = 20
"""As many as a turn compares with."""
POOL = 30
CAST = 20
"""How many people the good pictures show in turn: the held-out cast, and more who are drawn by seed."""
BENCH = 10_000
"""From this seed on other people are shown: those that thresholds were chosen on are not those that the bench counts."""

RUBRIC = Rubric(must_check=frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS}))
"""As in the persona that ships."""

Soften = Callable[[Image.Image], Image.Image]
"""Makes a drawing as soft as a generated picture."""


@dataclass(frozen=True)
class Route:
    """What happens to a drawing before anybody sees it: softened, resized to `side` and back, saved as JPEG of `quality`."""

    soft: Soften | None = None
    side: int | None = None
    quality: int | None = None

    def through(self, drawing: Image.Image) -> Image.Image:
        picture = drawing if self.soft is None else self.soft(drawing)
        if self.side is not None:
            picture = picture.resize((self.side, self.side), Image.Resampling.LANCZOS).resize(
                picture.size, Image.Resampling.LANCZOS
            )
        return picture if self.quality is None else as_jpeg(picture, self.quality)


@dataclass(frozen=True)
class Case:
    """One good picture: who is drawn in which shot, and what it is compared with. `name` is unique within a bench."""

    name: str
    character: Character
    world: WorldShot
    image: Image.Image
    references: tuple[Image.Image, ...]
    recent: tuple[tuple[int, Image.Image], ...]
    route: Route = Route()

    def draw(
        self,
        *,
        character: Character | None = None,
        world: WorldShot | None = None,
        people: int = 1,
        pose: Pose | None = None,
    ) -> Image.Image:
        """The picture with something changed, by the same route."""
        return self.route.through(render(character or self.character, world or self.world, SIDE, people, pose))

    def exhibit(self, image: Image.Image | None = None, *, recent: tuple[tuple[int, Image.Image], ...] = ()) -> Exhibit:
        """What the panel is given; `recent` is added to the recent pictures of the case."""
        shot = shot_of(self.world)
        persona = persona_of(self.character)
        return Exhibit(
            image=self.image if image is None else image,
            shot=shot,
            brief=Brief(topic="coffee", angle="new beans", activity="a quiet hour", scene=shot.scene, light=shot.light),
            persona=persona,
            prompt=ImagePrompt(text=caption(self.character, self.world), seed=1, width=SIDE, height=SIDE, steps=16, shot=shot),
            references=self.references,
            recent=self.recent + recent,
        )


def good_case(seed: int, soft: Soften | None = None) -> Case:
    """The good picture number `seed`; its person is number `seed` modulo CAST, and from BENCH on the next CAST."""
    rng = random.Random(seed)  # noqa: S311
    person = seed % CAST + (CAST if seed >= BENCH else 0)
    character = cast(person)
    world = replace(random_shot(rng), scene=SCENES[(seed // CAST) % len(SCENES)])
    jitter = rng.random()
    route = Route(
        soft=soft,
        side=rng.choice((120, 112, 144, 160)) if 0.4 < jitter < 0.7 else None,
        quality=rng.choice((95, 90, 85)) if jitter > 0.55 else None,
    )
    recent = tuple(enumerate(rng.sample(posted_by(person, soft), RECENT), start=1))
    image = route.through(render(character, world, SIDE))
    return Case(f"{seed}", character, world, image, references_of(person), recent, route)


def good_cases(count: int, *, first: int = BENCH, soft: Soften | None = None) -> Iterator[Case]:
    """`count` good pictures; with `soft` every second one goes through it."""
    for number in range(count):
        yield good_case(first + number, soft if is_soft(number) else None)


def is_soft(number: int) -> bool:
    """Every second picture; as a person comes round every CAST pictures, every second one of each person as well."""
    return (number + number // CAST) % 2 == 1


@cache
def cast(person: int) -> Character:
    """Person number `person`: the held-out cast first, then people drawn by seed, every third with a held-out look."""
    named = list(HELD_OUT.values())
    if person < len(named):
        return named[person]
    rng = random.Random(10_000 + person)  # noqa: S311
    drawn = random_character(rng)
    if person % 3 == 0:
        return replace(drawn, hair=HELD_OUT_HAIR)
    if person % 3 == 1 and drawn.gender == "woman":
        hair, style = sorted(HELD_OUT_PAIRS)[person % len(HELD_OUT_PAIRS)]
        return replace(drawn, hair=hair, style=style)
    return drawn


@cache
def references_of(person: int) -> tuple[Image.Image, ...]:
    """Ten drawings of the person in other shots, larger than the pictures, as a pack's references are."""
    rng = random.Random(20_000 + person)  # noqa: S311
    shots = [replace(random_shot(rng), scene=SCENES[number % len(SCENES)]) for number in range(REFERENCES)]
    return tuple(render(cast(person), shot, REFERENCE_SIDE) for shot in shots)


@cache
def posted_by(person: int, soft: Soften | None) -> tuple[Image.Image, ...]:
    """Pictures of the person in any shot, from which the recent ones of her cases are drawn."""
    rng = random.Random(30_000 + person)  # noqa: S311
    route = Route(soft)
    return tuple(route.through(render(cast(person), random_shot(rng), SIDE)) for _ in range(POOL))


def shot_of(world: WorldShot) -> Shot:
    return Shot(
        scene=world.scene,
        outfit=f"{world.cloth} {world.garment}",
        expression=world.expression,
        framing=Framing(world.framing),
        light=world.light,
    )


@cache
def persona_of(character: Character) -> Persona:
    """The persona whose look is the character's."""
    worn = {"glasses": character.glasses, "earrings": character.earrings, "beard": character.beard}
    hair = f"{character.style} {character.hair}"
    traits = [
        Trait(feature="hair", value=hair, phrase=f"{hair} hair"),
        Trait(feature="eyes", value=character.eyes, phrase=f"{character.eyes} eyes"),
        Trait(feature="skin", value=character.skin, phrase=f"{character.skin} skin"),
        *(
            Trait(feature=name, value=name if has else "none", phrase=name if has else f"no {name}")
            for name, has in worn.items()
        ),
    ]
    return Persona(
        name="bench",
        display_name="Bench",
        kind=Kind.ILLUSTRATED,
        bio="Somebody whose true look is known.",
        age=26,
        voice=Voice(tone=("warm",), style="short"),
        look=Look(noun=character.gender, traits=tuple(traits)),
        consent=Consent(fictional=True),
        routine=(Routine(name="day", start_hour=8, end_hour=20, activities=("a quiet hour",), scenes=SCENES),),
        interests=(Interest(topic="coffee"),),
        cadence=Cadence(timezone="UTC", windows=(Window(name="noon", start=time(12), end=time(13)),)),
        rubric=RUBRIC,
    )


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture as it comes back from a JPEG of that quality, 1 to 95."""
    file = io.BytesIO()
    picture.convert("RGB").save(file, format="JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")
