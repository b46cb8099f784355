"""Training the tiny Flux: transformer and text encoders learn together to turn noise and a caption into latents.

    flux = train_base(LAPTOP, latents, plates, tokenizers, work, init=None, report=report)

Rectified flow: a picture and noise are mixed at a random time, the model predicts the way from one to the other. What
is returned carries the averaged weights. It never sees pixels.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from zirelia.pocket.autoencoder import best_device
from zirelia.pocket.flux import PocketFlux, load_flux, new_flux, pack
from zirelia.pocket.pictures import Plate
from zirelia.pocket.progress import Report
from zirelia.pocket.recipe import Recipe
from zirelia.pocket.snapshots import AdamState, draws, learn
from zirelia.pocket.tokenizers import token_ids
from zirelia.pocket.world import caption

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPTokenizer, T5Tokenizer

# How often a picture is shown with its full caption, a thinned one, and one with a nonsense trigger or few words.
CAPTION_SHARES = (0.45, 0.3, 0.25)


class Average:
    """A moving average of a module's weights, with a swap to look at pictures through it."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        self._module, self._decay = module, decay
        self._names = [name for name, _ in module.named_parameters()]
        self._weights = [weight.detach().clone() for weight in module.parameters()]

    def update(self, step: int) -> None:
        decay = min(self._decay, (1 + step) / (20 + step))
        torch._foreach_lerp_(self._weights, [weight.data for weight in self._module.parameters()], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the module carries the averaged weights."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        for weight, average in zip(self._module.parameters(), self._weights, strict=True):
            held = weight.detach().clone()
            weight.copy_(average)
            average.copy_(held)

    def state_dict(self) -> dict[str, Any]:
        return dict(zip(self._names, self._weights, strict=True))

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> None:
        for name, average in zip(self._names, self._weights, strict=True):
            average.copy_(state_dict[name])


def captions_of(plates: list[Plate], seed: int) -> list[list[str]]:
    """Three captions for every plate, see CAPTION_SHARES."""
    rng = random.Random(seed)  # noqa: S311
    full = [caption(p.character, p.shot, rng=rng) for p in plates]
    thinned = [caption(p.character, p.shot, rng=rng, drop=0.0 if rng.random() < 0.4 else 0.3) for p in plates]
    odd = [
        caption(p.character, p.shot, rng=rng, drop=0.1, trigger=_nonsense(rng))
        if rng.random() < 0.3
        else caption(p.character, p.shot, rng=rng, drop=0.45)
        for p in plates
    ]
    return [full, thinned, odd]


def train_base(
    recipe: Recipe,
    latents: Tensor,
    plates: list[Plate],
    tokenizers: tuple[CLIPTokenizer, T5Tokenizer],
    work: Path,
    *,
    init: Path | None,
    report: Report,
    on_snapshot: Callable[[PocketFlux, int], None] | None = None,
) -> PocketFlux:
    device = best_device()
    flux: PocketFlux = (load_flux(init) if init else new_flux(recipe, *tokenizers)).to(device).train()
    average = Average(flux, recipe.ema)
    optimiser = torch.optim.AdamW(_groups(flux), lr=recipe.base.rate, betas=(0.9, 0.98))
    texts = [token_ids(*tokenizers, captions, recipe) for captions in captions_of(plates, recipe.seed)]
    lesson = _Lesson(recipe, pack(latents), texts, token_ids(*tokenizers, [""], recipe), device)

    def step(position: int) -> float:
        for group in optimiser.param_groups:
            group["lr"] = recipe.base.rate_at(position)
        loss = lesson.loss(flux, position)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flux.parameters(), 1.0)
        optimiser.step()
        average.update(position)
        return float(loss.detach())

    def look(done: int) -> None:
        if on_snapshot is not None:
            with average.in_place():
                on_snapshot(flux.eval(), done)
            flux.train()

    learn(
        stage="base",
        schedule=recipe.base,
        step=step,
        parts={"model": flux, "average": average, "optimiser": AdamState(optimiser)},
        at=work / "base-snapshot.safetensors",
        report=report,
        on_snapshot=look,
    )
    average.swap()
    flux.eval()
    return flux


class _Lesson:
    """The pictures and captions, and the loss of one step over some of them."""

    def __init__(
        self,
        recipe: Recipe,
        packed: Tensor,
        texts: list[tuple[Tensor, Tensor]],
        empty: tuple[Tensor, Tensor],
        device: torch.device,
    ) -> None:
        self._recipe, self._packed, self._empty, self._device = recipe, packed, empty, device
        self._clip = torch.stack([clip for clip, _ in texts])
        self._t5 = torch.stack([t5 for _, t5 in texts])

    def loss(self, flux: PocketFlux, position: int) -> Tensor:
        recipe, size = self._recipe, self._recipe.base.batch
        numbers, generator = draws(recipe.seed + 2, position)
        chosen = torch.from_numpy(self._turn(position, size))
        kind = torch.from_numpy(numbers.choice(len(CAPTION_SHARES), size, p=CAPTION_SHARES))
        clip, t5 = self._clip[kind, chosen], self._t5[kind, chosen]
        unnamed = torch.from_numpy(numbers.random(size) < recipe.empty_captions)
        clip[unnamed], t5[unnamed] = self._empty[0], self._empty[1]
        clean = self._packed[chosen].float()
        noise = torch.randn(clean.shape, generator=generator)
        times = torch.sigmoid(1.1 * torch.randn(size, generator=generator) + 0.2)
        mixed = torch.lerp(clean, noise, times[:, None, None])
        clean, noise, times, mixed, clip, t5 = (x.to(self._device) for x in (clean, noise, times, mixed, clip, t5))
        return functional.mse_loss(flux(mixed, times, clip, t5), noise - clean)

    def _turn(self, position: int, size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Every picture once a round, each round in an order of its own."""
        count = len(self._packed)
        first = position * size
        spots = np.arange(first, first + size)
        orders = {r: np.random.default_rng([self._recipe.seed, 7, int(r)]).permutation(count) for r in set(spots // count)}
        return np.array([orders[spot // count][spot % count] for spot in spots])


def _groups(flux: PocketFlux) -> list[dict[str, Any]]:
    weights = list(flux.parameters())
    return [
        {"params": [w for w in weights if w.ndim >= 2], "weight_decay": 0.02},
        {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0},
    ]


def _nonsense(rng: random.Random) -> str:
    return "".join(rng.choice(string.ascii_lowercase) for _ in range(rng.randint(3, 6)))
