"""Proof that a LoRA carries a character that the pocket model never saw: held against drawings of the true one.

    proof = prove("luna", "quorva", Path("luna.safetensors"), pipeline_dir(), LooksEncoder.load(looks_path()))
    proof.of("LoRA").median / proof.of("real").median, proof.leaked

Unlike the choosing of a checkpoint, which has only the pictures of a dataset to go by, this knows the character itself. It
paints settings that the dataset left out, with the trigger word, without it, with another person described, and with the base
alone.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zirelia.domain.fitting import left_unseen
from zirelia.errors import ConfigurationError
from zirelia.pocket.drawing import render
from zirelia.pocket.easel import SIZE, middle, painted, somebody_else, worn
from zirelia.pocket.vocabulary import DRAWN_WELL, shot_vocabulary
from zirelia.pocket.world import CLOTHS, EXPRESSIONS, FRAMINGS, HELD_OUT, WorldShot, caption, random_shot

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zirelia.pocket.looks import LooksEncoder

SETTINGS = 12
SEEDS = 2
REFERENCES = 16


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a proof: its pictures and how like the true character each is (cosine)."""

    name: str
    images: tuple[Image, ...]
    scores: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.scores)

    @property
    def tenth(self) -> float:
        """The 10th percentile; the lowest value when there are fewer than ten."""
        return sorted(self.scores)[len(self.scores) // 10]

    def above(self, threshold: float) -> float:
        """Share of pictures that are taken for the character."""
        return float(np.mean([score >= threshold for score in self.scores]))


@dataclass(frozen=True, slots=True)
class Proof:
    """All lines: "real", "LoRA", "no trigger", "other person", "base". `settings` are (scene, light) of the columns."""

    lines: tuple[Told, ...]
    settings: tuple[tuple[str, str], ...]
    threshold: float

    def of(self, name: str) -> Told:
        return next(line for line in self.lines if line.name == name)

    @property
    def share(self) -> float:
        """Identity with the LoRA as a share of real pictures among themselves."""
        return self.of("LoRA").median / self.of("real").median

    @property
    def leaked(self) -> float:
        """Share of pictures without the trigger that are taken for the character."""
        return self.of("no trigger").above(self.threshold)


def unseen_shots(count: int = SETTINGS) -> list[WorldShot]:
    """One shot a setting that `left_unseen` keeps out of datasets, in the words that the model draws best."""
    settings = sorted(left_unseen(shot_vocabulary(), count))
    return [
        WorldShot(
            garment=DRAWN_WELL[number % len(DRAWN_WELL)],
            cloth=CLOTHS[number % len(CLOTHS)],
            expression=EXPRESSIONS[number % len(EXPRESSIONS)],
            scene=scene,
            light=light,
            framing=FRAMINGS[number % len(FRAMINGS)],
            seed=number,
        )
        for number, (scene, light) in enumerate(settings)
    ]


def prove(
    name: str,
    trigger: str,
    lora: Path,
    base: Path,
    looks: LooksEncoder,
    *,
    scale: float = 1.0,
    seeds: int = SEEDS,
    settings: int = SETTINGS,
) -> Proof:
    """Paint and measure. Raises ConfigurationError for a character that is not held out."""
    from zirelia.pocket.flux import load_pipeline

    if name not in HELD_OUT:
        raise ConfigurationError(f"{name} is not a held-out character", hint=f"one of {', '.join(HELD_OUT)}")
    who, shots = HELD_OUT[name], unseen_shots(settings)
    draw = random.Random(5)  # noqa: S311
    true = [*shots, *(random_shot(draw) for _ in range(REFERENCES - len(shots)))]
    references = [render(who, shot, SIZE) for shot in true]
    vectors = looks.embed(references)
    truth = middle(vectors)
    named = [caption(who, shot, trigger=trigger) for shot in shots]
    others = [somebody_else(who, number) for number in range(len(shots))]
    asked = {
        "LoRA": named,
        "no trigger": [prompt.replace(f"{trigger} ", "a ", 1) for prompt in named],
        "other person": [caption(other, shot) for other, shot in zip(others, shots, strict=True)],
    }
    pipeline = load_pipeline(base)
    images = {"base": painted(pipeline, named, seeds=seeds)}
    with worn(pipeline, lora, scale):
        images |= {line: painted(pipeline, prompts, seeds=seeds) for line, prompts in asked.items()}
    lines = [Told("real", tuple(references), _each_against_the_others(vectors))]
    for line in (*asked, "base"):
        scores = looks.embed(images[line]) @ truth
        lines.append(Told(line, tuple(images[line]), tuple(float(score) for score in scores)))
    return Proof(tuple(lines), tuple((shot.scene, shot.light) for shot in shots), looks.threshold)


def _each_against_the_others(vectors: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(vector @ middle(np.delete(vectors, n, axis=0))) for n, vector in enumerate(vectors))
