"""The looks encoder: who is in an illustrated picture, and what it shows, read back from its pixels.

    encoder = LooksEncoder.load(weights.looks_path())
    same = encoder.embed([a, b]); same[0] @ same[1] >= encoder.threshold
    encoder.attributes([a])[0]["hair"]           # ('teal', 0.998)

It was trained on our own drawings only: of photographs it knows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from zirelia.files import whole_file
from zirelia.pocket import world
from zirelia.pocket.composition import HEAD, Probe

if TYPE_CHECKING:
    from torch import Tensor

COMPOSITION = "composition.safetensors"
WIDTH = 64
HIDDEN = 256
HEADS: Mapping[str, tuple[str, ...]] = {
    "people": ("0", "1", "2"),
    "gender": world.GENDERS,
    "skin": world.SKINS,
    "hair": world.HAIRS,
    "style": world.STYLES,
    "eyes": world.EYES,
    "glasses": ("no", "yes"),
    "earrings": ("no", "yes"),
    "beard": ("no", "yes"),
    "expression": world.EXPRESSIONS,
    "garment": world.GARMENTS,
    "cloth": world.CLOTHS,
    "scene": world.SCENES,
    "light": world.LIGHTS,
    "framing": world.FRAMINGS,
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the encoder did on people it never saw: the threshold, its two error rates, and each head's accuracy.

    `false_match` is how often two different people pass the threshold, `missed` how often one person fails it.
    """

    threshold: float
    false_match: float
    missed: float
    retrieval: float
    people: int
    accuracy: Mapping[str, float]


class LooksNet(nn.Module):
    """A small convolutional network: one body, an identity embedding, and a head for each attribute."""

    def __init__(self, widths: Sequence[int], heads: Mapping[str, Sequence[str]] = HEADS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for depth, width in enumerate(widths):
            layers += [nn.Conv2d(channels, width, 3, 2 if depth else 1, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU()]
            if depth:
                layers += [nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU()]
            channels = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(channels * 16, HIDDEN), nn.SiLU())
        self.identity = nn.Linear(HIDDEN, WIDTH)
        self.heads = nn.ModuleDict({name: nn.Linear(HIDDEN, len(labels)) for name, labels in heads.items()})

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.read(self.body(x))

    def read(self, features: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Identity and heads from the body's features."""
        hidden = self.hidden(features)
        identity = nn.functional.normalize(self.identity(hidden), dim=-1)
        return identity, {name: head(hidden) for name, head in self.heads.items()}


class LooksEncoder:
    """The network with its labels and its calibrated threshold, ready to look at pictures of any size."""

    def __init__(
        self,
        net: LooksNet,
        size: int,
        heads: Mapping[str, Sequence[str]],
        calibration: Calibration,
        composition: Probe | None = None,
    ) -> None:
        self._net, self._size, self._heads = net.eval(), size, heads
        self._composition = composition
        known = {} if composition is None else {"head": composition.accuracy}
        self.calibration = replace(calibration, accuracy={**calibration.accuracy, **known})

    @property
    def heads(self) -> Mapping[str, Sequence[str]]:
        """The words that each attribute head tells apart; with a composition probe also `head`, whole or cut off."""
        return self._heads if self._composition is None else {**self._heads, "head": HEAD}

    @property
    def threshold(self) -> float:
        """At or above this cosine, two pictures are taken to show the same character."""
        return self.calibration.threshold

    @classmethod
    def load(cls, path: Path) -> LooksEncoder:
        """Read `looks.safetensors` and the `looks.json` beside it, and `composition.safetensors` where there is one."""
        from safetensors.torch import load_file

        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
        net = LooksNet(said["widths"], said["heads"])
        net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()}, strict=False)
        beside = path.with_name(COMPOSITION)
        probe = Probe.load(beside) if beside.exists() else None
        return cls(net, said["size"], said["heads"], Calibration(**said["calibration"]), probe)

    def save(self, path: Path, widths: Sequence[int]) -> None:
        from safetensors.torch import save_file

        with whole_file(path) as part:
            weights = {k: v.half() for k, v in self._net.state_dict().items() if v.is_floating_point()}
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, part)
        own = {name: share for name, share in self.calibration.accuracy.items() if name in self._heads}
        said = {
            "what": "pocket looks encoder: identity embedding and attributes of illustrated portraits",
            "size": self._size,
            "widths": list(widths),
            "heads": {name: list(labels) for name, labels in self._heads.items()},
            "calibration": asdict(self.calibration) | {"accuracy": own},
        }
        with whole_file(path.with_suffix(".json")) as part:
            part.write_text(json.dumps(said, indent=1) + "\n", "utf-8")

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """One unit vector of 64 numbers a picture; the dot product of two is their likeness."""
        vectors: NDArray[np.float32] = self._look(images)[0].numpy()
        return vectors

    def attributes(self, images: Sequence[Image.Image]) -> list[dict[str, tuple[str, float]]]:
        """For each picture, every attribute's likeliest label and its probability."""
        _, logits, composed = self._look(images)
        told = {name: head.softmax(-1).max(-1) for name, head in logits.items()}
        labels = [
            {name: (str(self._heads[name][int(best.indices[i])]), float(best.values[i])) for name, best in told.items()}
            for i in range(len(images))
        ]
        for label, seen in zip(labels, composed, strict=False):
            label["head"] = seen
        return labels

    @torch.no_grad()
    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """What the body sees, before identity and heads are read from it; shape [pictures, features]."""
        parts = [self._net.body(as_input(images[i : i + 64], self._size)) for i in range(0, len(images), 64)]
        return torch.cat(parts)

    @torch.no_grad()
    def _look(self, images: Sequence[Image.Image]) -> tuple[Tensor, dict[str, Tensor], list[tuple[str, float]]]:
        """Identity and logits of each picture; and what the composition probe says, nothing without one."""
        if not images:
            return torch.zeros(0, WIDTH), {name: torch.zeros(0, len(labels)) for name, labels in self._heads.items()}, []
        features = self.features(images)
        vectors, told = self._net.read(features)
        return vectors, told, [] if self._composition is None else self._composition.attributes(features)


def as_input(images: Sequence[Image.Image], size: int) -> Tensor:
    """Pictures of any size as the small floats in -1..1 that the network takes."""
    small = [np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BOX)) for image in images]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1


def labels_of(character: world.Character, shot: world.WorldShot, people: int = 1) -> dict[str, str | None]:
    """What the heads should say of a drawing; None where the picture does not show it.

    The person is spoken of only where there is exactly one, framing and clothes likewise.
    """
    about: dict[str, str | None] = {"people": str(people), "scene": shot.scene, "light": shot.light}
    person = {
        "gender": character.gender,
        "skin": character.skin,
        "hair": character.hair,
        "style": character.style,
        "eyes": character.eyes,
        "glasses": "yes" if character.glasses else "no",
        "earrings": "yes" if character.earrings else "no",
        "beard": "yes" if character.beard else "no",
        "expression": shot.expression,
        "garment": shot.garment,
        "cloth": shot.cloth,
        "framing": shot.framing,
    }
    return about | (person if people == 1 else dict.fromkeys(person))
