"""The training pictures: which ones, drawn once by several processes, and read back as one array.

    plates = plates_of(LAPTOP)
    pixels = draw_plates(plates, size=128, at=work / "pictures.npy", workers=2, report=report)   # uint8 [n, h, w, 3]

A chunk that is on disk is not drawn again. No held-out character is among the plates.
"""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zirelia.files import whole_file
from zirelia.pocket.drawing import render
from zirelia.pocket.progress import Meter, Report
from zirelia.pocket.recipe import Recipe
from zirelia.pocket.world import HELD_OUT_HAIR, HELD_OUT_PAIRS, Character, WorldShot, random_character, random_shot

CHUNK = 500
Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Plate:
    """One picture to draw: whose (a number), who, doing what, and how many people are in it."""

    person: int
    character: Character
    shot: WorldShot
    people: int = 1


def plates_of(recipe: Recipe) -> list[Plate]:
    rng = random.Random(recipe.seed)  # noqa: S311
    plates = []
    for person in range(recipe.characters):
        character = random_character(rng)
        plates += [Plate(person, character, random_shot(rng)) for _ in range(recipe.shots_each)]
    rng.shuffle(plates)
    return plates


def crowd_of(recipe: Recipe) -> list[Plate]:
    """Pictures of nobody and of two people in turn, from which the looks encoder learns to count."""
    rng = random.Random(recipe.seed + 1)  # noqa: S311
    return [Plate(-1, random_character(rng), random_shot(rng), people=2 * (i % 2)) for i in range(recipe.crowd)]


def strangers_of(recipe: Recipe) -> list[Plate]:
    """People with held-out looks, so that the looks encoder has words for them; none has a name or comes twice.

    The transformer and the autoencoder never see these.
    """
    rng = random.Random(recipe.seed + 3)  # noqa: S311
    looks = ((HELD_OUT_HAIR, None), *sorted(HELD_OUT_PAIRS))
    plates = []
    for i in range(recipe.strangers):
        hair, style = looks[i % len(looks)]
        character = random_character(rng, gender="woman" if style == "pigtails" else None)
        character = replace(character, hair=hair, style=style or character.style)
        plates.append(Plate(-1, character, random_shot(rng)))
    return plates


def draw_plates(plates: list[Plate], *, size: int, at: Path, workers: int, report: Report) -> Pixels:
    if not at.exists():
        _draw_missing(plates, size, at, workers, report)
        chunks = [_chunk(at, start) for start in range(0, len(plates), CHUNK)]
        with whole_file(at) as part:
            pixels = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(len(plates), size, size, 3))
            for start, chunk in zip(range(0, len(plates), CHUNK), chunks, strict=True):
                pixels[start : start + CHUNK] = np.load(chunk)
            pixels.flush()
        for chunk in chunks:
            chunk.unlink()
        chunks[0].parent.rmdir()
    drawn: Pixels = np.load(at, mmap_mode="r")
    return drawn


def _draw_missing(plates: list[Plate], size: int, at: Path, workers: int, report: Report) -> None:
    starts = [start for start in range(0, len(plates), CHUNK) if not _chunk(at, start).exists()]
    jobs = [(plates[start : start + CHUNK], size, _chunk(at, start)) for start in starts]
    done = len(plates) - sum(len(job[0]) for job in jobs)
    meter = Meter(f"render {at.stem}", len(plates), report, start=done)
    if workers == 1:
        for job in jobs:
            done += _draw_chunk(job)
            meter.tick(done)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for count in pool.map(_draw_chunk, jobs):
            done += count
            meter.tick(done)


def _draw_chunk(job: tuple[list[Plate], int, Path]) -> int:
    plates, size, path = job
    drawn = np.stack([np.asarray(render(p.character, p.shot, size, p.people)) for p in plates])
    with whole_file(path) as part:
        np.save(part, drawn)
    return len(plates)


def _chunk(at: Path, start: int) -> Path:
    return at.parent / f"{at.stem}-chunks" / f"{start:06d}.npy"
