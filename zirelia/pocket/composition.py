"""A probe on the looks encoder's features: is the whole head in the picture, or is it cut off at the upper edge?

    probe = learn_composition(encoder.features, pictures=2400, seed=SEED)
    probe.save(weights / "composition.safetensors")
    probe.attributes(features)[0]        # ('cut', 0.99)

One linear layer over the features of the frozen body, so that identity and the other heads stay bit for bit what they were.
`zirelia pocket build` learns it after the encoder. It knows drawings only.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch.nn import functional

from zirelia.files import whole_file
from zirelia.pocket.canvas import SIDE as UNITS
from zirelia.pocket.drawing import DROPS, NECK, SCALES, Pose, render
from zirelia.pocket.world import HELD_OUT_HAIR, random_character, random_shot

if TYPE_CHECKING:
    from torch import Tensor

HEAD = ("whole", "cut")
CUT_FROM, CUT_TO = 84.0, 172.0
"""Heights on the figure between which the upper edge of a cut picture lies: the forehead, and just below the chin."""
FEET = 330.0
SIDE = 128
DECAY = 3e-3
STEPS = 150
UNSEEN = 8
"""Of so many lessons' number one is drawn besides, with another seed; by those the accuracy is measured."""
SEED = 501

Features = Callable[[Sequence[Image.Image]], "Tensor"]
"""What the frozen body sees in each picture, shape [pictures, features]."""


@dataclass(frozen=True)
class Probe:
    """weight: one for each feature; a sum above 0 with `bias` says that the head is cut. accuracy: share of unseen
    pictures that are read rightly, 0 to 1.
    """

    weight: Tensor
    bias: float
    accuracy: float = 0.0

    def attributes(self, features: Tensor) -> list[tuple[str, float]]:
        """For each row: the likelier word of HEAD and its probability."""
        odds = torch.sigmoid(features @ self.weight + self.bias).tolist()
        return [(HEAD[1], cut) if cut > 0.5 else (HEAD[0], 1.0 - cut) for cut in odds]

    @classmethod
    def load(cls, path: Path) -> Probe:
        from safetensors.torch import load_file

        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
        return cls(load_file(path)["weight"], float(said["bias"]), float(said["accuracy"]))

    def save(self, path: Path) -> None:
        """Writes the weights, and a JSON file with the rest beside them."""
        from safetensors.torch import save_file

        with whole_file(path) as part:
            save_file({"weight": self.weight.contiguous()}, part)
        said = {"what": "whether the head is whole", "head": HEAD, "bias": self.bias, "accuracy": round(self.accuracy, 4)}
        with whole_file(path.with_suffix(".json")) as part:
            part.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def learn_composition(features: Features, *, pictures: int, seed: int) -> Probe:
    """Fits the probe on drawings made for it and measures it on others. Deterministic for one encoder and seed."""
    images, cut = lessons(pictures, seed)
    seen = features(images)
    middle, spread = seen.mean(0), seen.std(0) + 1e-3
    weight, bias = _fit((seen - middle) / spread, torch.tensor(cut, dtype=torch.float32))
    # the scaling is folded into the layer
    probe = Probe((weight / spread).detach(), float(bias.detach() - (weight.detach() * middle / spread).sum()))
    images, cut = lessons(max(1, pictures // UNSEEN), seed + 1)
    read = [word == HEAD[1] for word, _ in probe.attributes(features(images))]
    return replace(probe, accuracy=sum(one == other for one, other in zip(read, cut, strict=True)) / len(cut))


def _fit(seen: Tensor, cut: Tensor) -> tuple[Tensor, Tensor]:
    weight = torch.zeros(seen.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        wrong = functional.binary_cross_entropy_with_logits(seen @ weight + bias, cut) + DECAY * (weight * weight).sum()
        wrong.backward()
        return float(wrong.detach())

    optimiser.step(loss)
    return weight, bias


def lessons(count: int, seed: int) -> tuple[list[Image.Image], list[bool]]:
    """Drawings of people and places, and for each whether the head is cut off; about half of them are."""
    rng = random.Random(seed)  # noqa: S311
    images: list[Image.Image] = []
    cut: list[bool] = []
    for number in range(count):
        character, shot = random_character(rng), random_shot(rng)
        if number % 4 == 0:
            character = replace(character, hair=HELD_OUT_HAIR)
        spoilt = number % 2 == 1
        if spoilt and rng.random() < 0.6:
            image = render(character, shot, SIDE, pose=_beheading(shot.framing, rng))
        elif spoilt:
            image = _moved_up(render(character, shot, SIDE), rng.uniform(0.24, 0.5), rng)
        elif number % 16 == 0:
            image = render(character, shot, SIDE, people=0)
        elif rng.random() < 0.4:
            pose = Pose(rng.uniform(0.65, 1.2), rng.uniform(-5, 5), rng.uniform(-3, 25), rng.uniform(-3.5, 3.5))
            image = render(character, shot, SIDE, pose=pose)
        else:
            image = render(character, shot, SIDE)
        if rng.random() < 0.5:  # as soft as a generated picture
            side = rng.randint(80, 112)
            image = image.resize((side, side), Image.Resampling.LANCZOS).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        images.append(image)
        cut.append(spoilt)
    return images, cut


def _beheading(framing: str, rng: random.Random) -> Pose:
    """A pose that puts the upper edge of the picture through the face, the body still reaching the lower edge."""
    edge = rng.uniform(CUT_FROM, CUT_TO)
    drawn = SCALES[framing]
    scale = max(drawn * rng.uniform(0.95, 1.2), (UNITS + 4) / (FEET - edge))
    down = -(NECK + DROPS[framing] + scale * (edge - NECK))
    return Pose(scale / drawn, rng.uniform(-6, 6), down, rng.uniform(-3.5, 3.5))


def _moved_up(image: Image.Image, share: float, rng: random.Random) -> Image.Image:
    """The lower part of the picture, as it was or stretched to the old height."""
    left = rng.uniform(0, share) if rng.random() < 0.5 else None
    lower = (0.0, share, 1.0, 1.0) if left is None else (left, share, left + 1 - share, 1.0)
    box = tuple(edge * SIDE for edge in lower)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(box[0], box[1], box[2], box[3]))
