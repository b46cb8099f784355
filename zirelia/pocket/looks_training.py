"""Training the looks encoder: tell drawn people apart, name what is seen, then measure it on people unseen.

    encoder = train_looks(LAPTOP, Gallery(pixels, plates), work, report=report)

Drawings are flipped, moved, blurred, dirtied with noise and JPEG; some come back through the autoencoder, because that is
how generated pictures look. Held-out hair is known from a few drawings of nobody in particular, see `strangers_of`; the
held-out characters themselves are never seen.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from zirelia.files import whole_file
from zirelia.pocket.autoencoder import best_device, decode, to_floats
from zirelia.pocket.looks import HEADS, WIDTH, Calibration, LooksEncoder, LooksNet, labels_of
from zirelia.pocket.pictures import Pixels, Plate, crowd_of, plates_of, strangers_of
from zirelia.pocket.progress import Report
from zirelia.pocket.recipe import Recipe
from zirelia.pocket.snapshots import AdamState, draws, learn

if TYPE_CHECKING:
    from torch import Tensor

UNSEEN_SHARE = 0.07
FALSE_MATCH = 0.01
UNKNOWN = -100
SMEAR = 0.15
SHRINKAGE = 0.05
SHARPNESS = 20.0
DRAWN = ("pictures", "strangers", "crowd")
Answers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small pictures, and for each the plate it was drawn from."""

    pixels: Pixels
    plates: list[Plate]


class _Learner(torch.nn.Module):
    """The network and, for training only, one direction for every person it learns to tell apart."""

    def __init__(self, recipe: Recipe, people: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.net = LooksNet(recipe.looks_widths)
            self.people = torch.nn.Parameter(torch.randn(people, WIDTH))


def shrink(pixels: Pixels, size: int) -> Pixels:
    """Area-average pictures to the encoder's input size."""
    factor = pixels.shape[1] // size
    if factor == 1:
        return np.array(pixels)
    blocks = (
        np.asarray(chunk).reshape(len(chunk), size, factor, size, factor, 3).mean((2, 4)).round().astype(np.uint8)
        for chunk in (pixels[i : i + 1000] for i in range(0, len(pixels), 1000))
    )
    return np.concatenate(list(blocks))


def gallery_of(recipe: Recipe, work: Path) -> Gallery:
    """All the encoder learns from: drawings, some of them through the autoencoder, crowds and strangers."""
    plates = plates_of(recipe)
    rebuilt = plates[: recipe.looks_reconstructed]
    at = work / f"gallery-{len(rebuilt)}.npy"
    if not at.exists():
        small = [shrink(np.load(work / f"{name}.npy", mmap_mode="r"), recipe.looks_size) for name in DRAWN]
        with whole_file(at) as part:
            np.save(part, np.concatenate([*small, _rebuilt(recipe, work)]))
    return Gallery(np.load(at), [*plates, *strangers_of(recipe), *crowd_of(recipe), *rebuilt])


def _rebuilt(recipe: Recipe, work: Path) -> Pixels:
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(work / "whitened").to(best_device())
    latents = torch.from_numpy(np.load(work / "latents.npy")[: recipe.looks_reconstructed])
    latents = latents.float() + SMEAR * torch.randn(latents.shape, generator=draws(recipe.seed, 0)[1])
    return np.concatenate([shrink(decode(vae, part), recipe.looks_size) for part in latents.split(500)])


def train_looks(recipe: Recipe, gallery: Gallery, work: Path, *, report: Report) -> LooksEncoder:
    device = best_device()
    seen = recipe.characters - max(2, int(recipe.characters * UNSEEN_SHARE))
    learner = _Learner(recipe, seen).to(device).train()
    optimiser = torch.optim.AdamW(learner.parameters(), lr=recipe.looks.rate, weight_decay=0.02)
    persons = np.array([plate.person for plate in gallery.plates])
    answers = {name: torch.from_numpy(column) for name, column in _answers(gallery.plates).items()}
    counting = np.array([plate.people != 1 for plate in gallery.plates])
    counting &= np.cumsum(counting) > 0.9 * counting.sum()
    lessons = np.flatnonzero((persons < seen) & ~counting)
    identity = torch.from_numpy(np.where(persons < 0, UNKNOWN, persons))

    def step(position: int) -> float:
        for group in optimiser.param_groups:
            group["lr"] = recipe.looks.rate_at(position)
        numbers, generator = draws(recipe.seed + 4, position)
        chosen = lessons[numbers.integers(0, len(lessons), recipe.looks.batch)]
        x = worn(gallery.pixels[chosen], numbers, generator).to(device)
        vectors, told = learner.net(x)
        likeness = SHARPNESS * vectors @ functional.normalize(learner.people, dim=-1).T
        loss = functional.cross_entropy(likeness, identity[chosen].to(device), ignore_index=UNKNOWN)
        loss = loss + 0.5 * sum(
            functional.cross_entropy(told[name], answers[name][chosen].to(device), ignore_index=UNKNOWN) for name in HEADS
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    learn(
        stage="looks",
        schedule=recipe.looks,
        step=step,
        parts={"model": learner, "optimiser": AdamState(optimiser)},
        at=work / "looks-snapshot.safetensors",
        report=report,
    )
    net = learner.net.eval()
    separate(net, _part(gallery, [int(i) for i in np.flatnonzero((persons >= 0) & (persons < seen))]), recipe)
    drawn = persons[: recipe.characters * recipe.shots_each]
    unseen = [int(i) for i in np.flatnonzero(drawn >= seen)]
    known = calibrate(net, _part(gallery, unseen))
    crowd = _part(gallery, [*unseen[: counting.sum()], *(int(i) for i in np.flatnonzero(counting))])
    people = _accuracy(net, crowd.pixels, _answers(crowd.plates))["people"]
    known = replace(known, accuracy={**known.accuracy, "people": people})
    return LooksEncoder(net.cpu(), recipe.looks_size, HEADS, known)


@torch.no_grad()
def separate(net: LooksNet, gallery: Gallery, recipe: Recipe) -> None:
    """Solve the identity layer instead of leaving it as learnt: what differs between people counts, what differs
    from picture to picture of one person does not (linear discriminants, over pictures as the world hands them on).
    """
    device = next(net.parameters()).device
    persons = torch.tensor([plate.person for plate in gallery.plates])
    hidden = []
    for start in range(0, len(persons), 250):
        numbers, generator = draws(recipe.seed + 5, start)
        hidden.append(net.hidden(net.body(worn(gallery.pixels[start : start + 250], numbers, generator).to(device))).cpu())
    features = torch.cat(hidden).double()
    middle = features.mean(0)
    names, rows, counts = persons.unique(return_inverse=True, return_counts=True)
    means = torch.zeros(len(names), features.shape[1], dtype=torch.double).index_add_(0, rows, features) / counts[:, None]
    within = torch.cov((features - means[rows]).T)
    within += SHRINKAGE * within.trace() / len(within) * torch.eye(len(within), dtype=torch.double)
    spread, turn = torch.linalg.eigh(within)
    whiten = turn / spread.sqrt()
    directions = torch.linalg.eigh(torch.cov(((means - middle) @ whiten).T)).eigenvectors[:, -WIDTH:]
    layer = (whiten @ directions).T
    layer /= layer.norm() / WIDTH**0.5
    net.identity.weight.copy_(layer.float())
    net.identity.bias.copy_((-layer @ middle).float())


def worn(pixels: Pixels, numbers: np.random.Generator, generator: torch.Generator) -> Tensor:
    """Pictures as the world hands them on: mirrored, moved, brightened, blurred, noisy, saved as JPEG."""
    count = len(pixels)
    images = np.array(pixels)
    for i in np.flatnonzero(numbers.random(count) < 0.15):
        images[i] = _jpeg(images[i], int(numbers.integers(40, 95)))
    x = to_floats(images)
    zoom = torch.from_numpy(numbers.uniform(0.94, 1.06, count)).float()
    mirror = torch.from_numpy(np.where(numbers.random(count) < 0.5, -1.0, 1.0)).float()
    placed = torch.zeros(count, 2, 3)
    placed[:, 0, 0], placed[:, 1, 1] = zoom * mirror, zoom
    placed[:, :, 2] = torch.from_numpy(numbers.uniform(-0.06, 0.06, (count, 2))).float()
    grid = functional.affine_grid(placed, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    soft = torch.from_numpy(numbers.random(count) < 0.35)
    x[soft] = functional.avg_pool2d(functional.pad(x[soft], (1, 1, 1, 1), mode="replicate"), 3, 1)
    bright = 0.05 * torch.randn(count, 3, 1, 1, generator=generator)
    grain = torch.from_numpy(numbers.uniform(0, 0.08, count)).float()[:, None, None, None]
    return x + bright + grain * torch.randn(x.shape, generator=generator)


def _part(gallery: Gallery, chosen: list[int]) -> Gallery:
    return Gallery(gallery.pixels[chosen], [gallery.plates[i] for i in chosen])


@torch.no_grad()
def calibrate(net: LooksNet, gallery: Gallery) -> Calibration:
    """Find the likeness that one in a hundred pairs of different people reach, and what it costs."""
    vectors = _embed(net, gallery.pixels)
    persons = torch.tensor([plate.person for plate in gallery.plates])
    likeness = vectors @ vectors.T
    same = persons[:, None] == persons[None]
    other_pairs = likeness[~same].numpy()
    itself = torch.eye(len(vectors), dtype=torch.bool)
    same_pairs = likeness[same & ~itself].numpy()
    threshold = float(np.quantile(other_pairs, 1 - FALSE_MATCH))
    nearest = (likeness - 3 * itself.float()).argmax(1)
    return Calibration(
        threshold=round(threshold, 4),
        false_match=round(float((other_pairs >= threshold).mean()), 4),
        missed=round(float((same_pairs < threshold).mean()), 4),
        retrieval=round(float((persons[nearest] == persons).float().mean()), 4),
        people=len(set(persons.tolist())),
        accuracy=_accuracy(net, gallery.pixels, _answers(gallery.plates)),
    )


def _embed(net: LooksNet, pixels: Pixels) -> Tensor:
    device = next(net.parameters()).device
    return torch.cat([net(to_floats(pixels[i : i + 256]).to(device))[0].cpu() for i in range(0, len(pixels), 256)])


@torch.no_grad()
def _accuracy(net: LooksNet, pixels: Pixels, answers: dict[str, Answers]) -> dict[str, float]:
    device = next(net.parameters()).device
    right = dict.fromkeys(answers, 0)
    for i in range(0, len(pixels), 256):
        told = net(to_floats(pixels[i : i + 256]).to(device))[1]
        for name, column in answers.items():
            right[name] += int((told[name].argmax(-1).cpu().numpy() == column[i : i + 256]).sum())
    return {name: round(hits / len(pixels), 4) for name, hits in right.items()} if len(pixels) else {}


def _answers(plates: list[Plate]) -> dict[str, Answers]:
    """Each head's right answers as numbers, UNKNOWN where a picture shows none."""
    labels = [labels_of(plate.character, plate.shot, plate.people) for plate in plates]
    return {
        name: np.array([UNKNOWN if said[name] is None else options.index(str(said[name])) for said in labels])
        for name, options in HEADS.items()
    }


def _jpeg(image: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
