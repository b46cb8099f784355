"""The shipping gate: does a LoRA bring its character back, and leave everybody else alone?

    report = evaluate([Trained("mira", "mirelo", lora), ...], pipeline_dir(), LooksEncoder.load(looks_path()))
    report.passed, report.identity("trigger")

Twelve prompts, two seeds, four questions a character: the drawing itself, the trigger, the same prompt without it,
and another character described. It measures likeness with the looks encoder; whether the pictures charm, a person says.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zirelia.errors import ConfigurationError
from zirelia.files import whole_file
from zirelia.pocket.drawing import render
from zirelia.pocket.easel import LENGTH, SIZE, middle, painted, somebody_else, worn
from zirelia.pocket.world import (
    EXPRESSIONS,
    FRAMINGS,
    HELD_OUT,
    LIGHTS,
    SCENES,
    Character,
    WorldShot,
    caption,
    random_shot,
)
from zirelia.sheets import Row, contact_sheet

if TYPE_CHECKING:
    from diffusers import FluxPipeline
    from numpy.typing import NDArray

    from zirelia.pocket.looks import LooksEncoder

PROMPTS = 12
SEEDS = 2
REFERENCES = 12
SETTING = ("scene", "light", "cloth", "framing")
QUESTIONS = ("truth", "trigger", "no trigger", "other")
WANTED_IDENTITY = 0.65
WANTED_OF_TRUTH = 0.8
ALLOWED_LEAK = 0.2
WANTED_SCENE = 0.8
FEWEST_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class Trained:
    """A character and the LoRA that was trained for it."""

    character: str
    trigger: str
    lora: Path


@dataclass(frozen=True, slots=True)
class Score:
    """One character's answer to one question: mean likeness, share over the threshold, and how right the setting is."""

    character: str
    question: str
    identity: float
    recognised: float
    scene: float


@dataclass(frozen=True, slots=True)
class GateReport:
    scores: tuple[Score, ...]

    def identity(self, question: str) -> float:
        return self._mean(question, lambda score: score.identity)

    def scene(self, question: str) -> float:
        return self._mean(question, lambda score: score.scene)

    @property
    def failures(self) -> tuple[str, ...]:
        """What falls short, in words; empty when the weights may ship."""
        truth, named = self.identity("truth"), self.identity("trigger")
        scene = np.mean([self.scene(question) for question in QUESTIONS[1:]])
        checks = (
            (named >= WANTED_IDENTITY, f"identity with the trigger is {named:.2f}, wanted {WANTED_IDENTITY}"),
            (named >= WANTED_OF_TRUTH * truth, f"identity is {named / truth:.0%} of the drawings', wanted 80%"),
            *(
                (self.identity(question) <= ALLOWED_LEAK, f"identity with {question} is {self.identity(question):.2f}")
                for question in ("no trigger", "other")
            ),
            (scene >= WANTED_SCENE, f"scene agreement is {scene:.2f}, wanted {WANTED_SCENE}"),
            (
                len({score.character for score in self.scores}) >= FEWEST_CHARACTERS,
                f"fewer than {FEWEST_CHARACTERS} characters were measured",
            ),
        )
        return tuple(said for right, said in checks if not right)

    @property
    def passed(self) -> bool:
        return not self.failures

    def _mean(self, question: str, value: Callable[[Score], float]) -> float:
        return float(np.mean([value(score) for score in self.scores if score.question == question]))


def gate_shots(count: int = PROMPTS) -> list[WorldShot]:
    """The same shots for everybody: every scene, framing, light and expression turn by turn."""
    rng = random.Random(5)  # noqa: S311
    turns = range(count)
    return [
        WorldShot(
            garment=shot.garment,
            cloth=shot.cloth,
            expression=EXPRESSIONS[i % 3],
            scene=SCENES[i % 9],
            light=LIGHTS[(i // 3) % 3],
            framing=FRAMINGS[(i // 2) % 2],
            seed=shot.seed,
        )
        for i, shot in ((i, random_shot(rng)) for i in turns)
    ]


def evaluate(
    trained: Sequence[Trained],
    base: Path,
    looks: LooksEncoder,
    *,
    size: int = SIZE,
    length: int = LENGTH,
    prompts: int = PROMPTS,
    seeds: int = SEEDS,
    sheets: Path | None = None,
) -> GateReport:
    """Paint and measure; with `sheets`, a contact sheet for each character is written there."""
    from zirelia.pocket.flux import load_pipeline

    for one in trained:
        if one.character not in HELD_OUT:
            raise ConfigurationError(f"{one.character} is not a held-out character", hint=f"one of {', '.join(HELD_OUT)}")
    pipeline = load_pipeline(base)
    booth = _Booth(pipeline, looks, size, length, gate_shots(prompts), seeds)
    return GateReport(tuple(score for one in trained for score in booth.examine(one, sheets)))


@dataclass(frozen=True, slots=True)
class _Booth:
    pipeline: FluxPipeline
    looks: LooksEncoder
    size: int
    length: int
    shots: list[WorldShot]
    seeds: int

    def examine(self, one: Trained, sheets: Path | None) -> list[Score]:
        who = HELD_OUT[one.character]
        named = [caption(who, shot, trigger=one.trigger) for shot in self.shots]
        unnamed = [prompt.replace(f"{one.trigger} ", "a ") for prompt in named]
        others = [caption(somebody_else(who, i), shot) for i, shot in enumerate(self.shots)]
        pictures = {"truth": [render(who, shot, self.size) for shot in self.shots]}
        with worn(self.pipeline, one.lora):
            for question, prompts in zip(QUESTIONS[1:], (named, unnamed, others), strict=True):
                pictures[question] = painted(self.pipeline, prompts, seeds=self.seeds, size=self.size, length=self.length)
        self_image = self._reference(who)
        if sheets is not None:
            self._show(one, pictures, self_image, sheets)
        return [self._score(one.character, question, images, self_image) for question, images in pictures.items()]

    def _reference(self, who: Character) -> NDArray[np.float32]:
        rng = random.Random(6)  # noqa: S311
        vectors = self.looks.embed([render(who, random_shot(rng), self.size) for _ in range(REFERENCES)])
        return middle(vectors)

    def _score(self, character: str, question: str, images: list[Image.Image], reference: NDArray[np.float32]) -> Score:
        likeness = self.looks.embed(images) @ reference
        told = self.looks.attributes(images)
        wanted = [self.shots[i % len(self.shots)] for i in range(len(images))]
        right = [seen[name][0] == getattr(shot, name) for seen, shot in zip(told, wanted, strict=True) for name in SETTING]
        return Score(
            character,
            question,
            identity=float(likeness.mean()),
            recognised=float((likeness >= self.looks.threshold).mean()),
            scene=float(np.mean(right)),
        )

    def _show(
        self,
        one: Trained,
        pictures: dict[str, list[Image.Image]],
        reference: NDArray[np.float32],
        sheets: Path,
    ) -> None:
        rows = []
        for question, images in pictures.items():
            first = images[: len(self.shots)]
            likeness = self.looks.embed(first) @ reference
            rows.append(
                Row(question, first, [f"{value:.2f} · {s.scene}" for value, s in zip(likeness, self.shots, strict=True)])
            )
        with whole_file(sheets / f"{one.character}.png") as part:
            part.write_bytes(contact_sheet(rows, title=f"{one.character} ({one.trigger})", side=self.size))
