"""Training material for a held-out character of the pocket world: pictures drawn, captioned and described as a Dataset.

    dataset = character_dataset("mira", folder, count=18, seed=7)
    folder / dataset.references[0].path            # mira-00.png
    dataset.references[0].caption                  # 'mirelo woman, close-up portrait, smiling, wearing a ...'
    other_captions(seed=7, count=96)               # other people, described; `other_pictures` draws them

The pictures show the character in five scenes only, so that the other four tell whether the face was learnt or the pictures.
It draws and describes; it does not train.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.persona import Consent
from zirelia.errors import NotFound
from zirelia.files import whole_file
from zirelia.pocket.world import (
    CLOTHS,
    EXPRESSIONS,
    FRAMINGS,
    GARMENTS,
    GENDERS,
    HELD_OUT,
    LIGHTS,
    SCENES,
    Character,
    WorldShot,
    caption,
    random_character,
    random_shot,
)

TRIGGERS = MappingProxyType(
    {
        "luna": "quorva",
        "mira": "mirelo",
        "theo": "zatheo",
        "noor": "wexnor",
        "bruno": "fybrun",
        "ines": "glinea",
        "yuki": "hokyxa",
        "omar": "pjomar",
    }
)
"""The trigger word of each held-out character. Their beginnings differ, for the small encoders hardly hear the ends."""

TRAINING_SCENES = ("cafe", "park", "studio", "kitchen", "city street")
UNSEEN_SCENES = tuple(scene for scene in SCENES if scene not in TRAINING_SCENES)
SIZE = 128
OTHERS = 108
"""Other people that a face is kept apart from: a woman and a man in each setting undescribed, and as many described."""


def character_dataset(
    name: str,
    folder: Path,
    count: int = 18,
    seed: int = 0,
    size: int = SIZE,
    scenes: tuple[str, ...] = TRAINING_SCENES,
) -> Dataset:
    """Draw `count` varied pictures of a held-out character into `folder`; also writes `dataset.json` there.

    It appears in `scenes`; the default leaves four unseen, to measure by. The same arguments give the same bytes.
    Raises NotFound for a name that is not held out.
    """
    if name not in HELD_OUT:
        raise NotFound(f"the pocket world holds out no character named '{name}', but {', '.join(HELD_OUT)}")
    from zirelia.pocket.drawing import render

    character, trigger = HELD_OUT[name], TRIGGERS[name]
    references = []
    for number, shot in enumerate(varied_shots(count, seed, scenes)):
        path = folder / f"{name}-{number:02d}.png"
        with whole_file(path) as part:
            render(character, shot, size).save(part, format="PNG")
        references.append(
            Reference(
                path=path.name,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                origin="drawn by Zirelia's pocket world",
                licence="Apache-2.0",
                caption=caption(character, shot, trigger=trigger),
            )
        )
    dataset = Dataset(persona=name, trigger=trigger, consent=Consent(fictional=True), references=tuple(references))
    with whole_file(folder / "dataset.json") as part:
        part.write_text(dataset.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return dataset


def draw_references(name: str, folder: Path, count: int = 12, seed: int = 1, size: int = 2 * SIZE) -> tuple[Path, ...]:
    """Draw the pictures that a critic compares with, as 01.png and on; other shots than the dataset's, in every scene."""
    from zirelia.pocket.drawing import render

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, shot in enumerate(varied_shots(count, seed), start=1):
        path = folder / f"{number:02d}.png"
        with whole_file(path) as part:
            scene = SCENES[number % len(SCENES)]
            render(HELD_OUT[name], replace(shot, scene=scene), size).save(part, format="PNG")
        paths.append(path)
    return tuple(paths)


def varied_shots(count: int, seed: int, among: tuple[str, ...] = TRAINING_SCENES) -> list[WorldShot]:
    """Shots that repeat nothing more often than they must: each list of words is dealt round, freshly shuffled."""
    rng = random.Random(seed)  # noqa: S311
    scenes = _dealt(among, count, rng)
    framings = _dealt(FRAMINGS, count, rng)
    expressions = _dealt(EXPRESSIONS, count, rng)
    lights = _dealt(LIGHTS, count, rng)
    garments = _dealt(GARMENTS, count, rng)
    cloths = _dealt(CLOTHS, count, rng)
    return [
        replace(
            random_shot(rng),
            scene=scenes[number],
            framing=framings[number],
            expression=expressions[number],
            light=lights[number],
            garment=garments[number],
            cloth=cloths[number],
        )
        for number in range(count)
    ]


def other_captions(seed: int = 0, count: int = OTHERS) -> list[str]:
    """Captions of other people, for preservation: every second one describes a person, with some parts left out, the others
    say "a woman" or "a man" in every setting of the world, for a face leaks into settings that its own pictures do not show.
    """
    rng = random.Random(seed + 1)  # noqa: S311
    described = [caption(character, shot, drop=0.1, rng=rng) for character, shot in _others(seed, count)]
    somebody = [caption(character, shot, trigger="a") for character, shot in _others(seed, count)]
    return [somebody[number] if number % 2 == 0 else described[number] for number in range(count)]


def other_pictures(folder: Path, seed: int = 0, count: int = OTHERS, size: int = SIZE) -> list[Path]:
    """Pictures of the people of `other_captions`, in the same order, drawn into `folder`."""
    from zirelia.pocket.drawing import render

    paths = []
    for number, (character, shot) in enumerate(_others(seed, count)):
        path = folder / f"other-{number:03d}.png"
        with whole_file(path) as part:
            render(character, shot, size).save(part, format="PNG")
        paths.append(path)
    return paths


def _others(seed: int, count: int) -> list[tuple[Character, WorldShot]]:
    """People in shots; every second one visits the next setting of the world, women and men in turn, so that none is missed."""
    rng = random.Random(seed)  # noqa: S311
    settings = [(scene, light) for scene in SCENES for light in LIGHTS]
    others = []
    for number in range(count):
        turn, place = divmod(number // 2, len(settings))
        if number % 2:
            others.append((random_character(rng), random_shot(rng)))
            continue
        scene, light = settings[place]
        somebody = random_character(rng, gender=GENDERS[(turn + place) % len(GENDERS)])
        others.append((somebody, replace(random_shot(rng), scene=scene, light=light)))
    return others


def _dealt(words: tuple[str, ...], count: int, rng: random.Random) -> list[str]:
    dealt: list[str] = []
    while len(dealt) < count:
        dealt += rng.sample(words, len(words))
    return dealt[:count]
