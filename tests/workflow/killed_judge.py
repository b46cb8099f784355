"""Judges two checkpoints with a fake painter, and writes a line for every picture that it draws; made to be killed."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from zirelia.definitions.personas import load_persona
from zirelia.domain.lora import Checkpoint, Lora
from zirelia.ports import BackendFacts, MadeImage, Sighting
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.choose import judge_checkpoints
from zirelia.workflow.judging import Effort
from zirelia.workflow.kit import Subject


class Loud(FakeImageMaker):
    """Says each picture before it is drawn."""

    def make(self, *args: Any, **options: Any) -> MadeImage:
        made = super().make(*args, **options)
        print(f"drawn {zlib.crc32(made.data)}", flush=True)  # noqa: T201 - the test reads it
        return made


class Reader:
    """A likeness made of the pixels, so that a picture always has the same."""

    threshold = 0.99

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="fake", model="pixels", local=True, paid=False)

    def see(self, images: Sequence[Image.Image]) -> Sequence[Sighting]:
        return [Sighting(subjects=1, face=None, embedding=_unit(image)) for image in images]


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


def _unit(image: Image.Image) -> np.ndarray:
    small = np.asarray(image.convert("RGB").resize((2, 2)), dtype=np.float32).reshape(-1) + 1
    return small / np.linalg.norm(small)


def main(folder: Path) -> None:
    persona = load_persona("mira").persona
    references = tuple(Image.effect_noise((64, 64), 40 + 10 * n).convert("RGB") for n in range(3))
    kit: Any = SimpleNamespace(images=Loud(size=(64, 64)), watcher=Silent(), image_steps=None, now=lambda: datetime.now(UTC))
    loras = [Lora(path=str(s), sha256=f"{s:064x}", trigger="mirelo", base_model="b", rank=4) for s in (100, 200)]
    judgement = judge_checkpoints(
        kit,
        Subject(persona=persona, lora=None, references=references),
        [Checkpoint(step=100 * n, lora=lora) for n, lora in enumerate(loras, start=1)],
        recogniser=Reader(),
        trained=[],
        folder=folder,
        effort=replace(Effort(), prompts=6, seeds=2, coarse=3, sweep_prompts=3),
    )
    print(f"chosen {judgement.choice.model_dump_json()}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
