"""The steps: which rows a batch has, what they are compared with, and the walk down.

    Loop(base, model, adapter, material, plan).run(start=0, record=Record(), after=save, progress=print)

Instance rows learn the pictures with the trigger. Preservation rows are the same pictures under captions without it, compared
with what the base alone predicts (differential output preservation), so that the face stays with its word; or pictures of
other people under their own captions. It writes no files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import mse_loss

from zirelia.errors import TrainingError
from zirelia.training.adapter import Adapter
from zirelia.training.bases import Base, Noised, Tensors
from zirelia.training.captions import CaptionBook
from zirelia.training.latents import Encoded
from zirelia.training.order import Order, draws
from zirelia.training.plan import TrainingPlan
from zirelia.training.progress import Heartbeat, Listener
from zirelia.training.snapshots import Record


@dataclass(frozen=True)
class Material:
    """All that the steps read: encoded pictures and texts, and who may say what.

    The first `count` pictures are the dataset's, of which `held_out` are never learnt; what follows shows others and is only
    preserved, or learnt under its own caption. `sizes` are in pixels (width, height); `weights` are of the dataset's pictures,
    one a place of the loss, where the plan weighs the background.
    """

    pictures: Encoded
    sizes: tuple[tuple[int, int], ...]
    count: int
    held_out: tuple[int, ...]
    texts: Encoded
    book: CaptionBook
    weights: tuple[torch.Tensor, ...] | None = None

    @property
    def own(self) -> tuple[int, ...]:
        return tuple(number for number in range(self.count) if number not in self.held_out)


@dataclass(frozen=True)
class Batch:
    """Rows of one step and one size: the first `instances` learn the face, the rest preserve the base."""

    instances: int
    noised: Noised
    spoken: Tensors
    size: tuple[int, int]
    weights: torch.Tensor | None


class Loop:
    """Takes the steps of one plan."""

    def __init__(self, base: Base, model: Any, adapter: Adapter, material: Material, plan: TrainingPlan) -> None:
        self._base, self._model, self._adapter, self._material, self._plan = base, model, adapter, material, plan
        self._order = Order(material.sizes, material.own, batch=plan.batch, seed=plan.seed)

    def run(self, *, start: int, record: Record, after: Callable[[int], bool], progress: Listener) -> int:
        """Takes the steps from `start` on and writes their losses into `record`. `after` is called with the steps done and
        says whether to stop there. Answers the steps done.
        """
        self._model.train()
        began, resting = time.monotonic(), 0.0
        for step in range(start, self._plan.steps):
            loss, kept = self._step(step)
            record.curve.append((loss, kept))
            done = step + 1
            paused = time.monotonic()
            stop = after(done)
            resting += time.monotonic() - paused  # samples and snapshots are not what a step takes
            elapsed = time.monotonic() - began - resting
            rate = (done - start) / elapsed if elapsed > 0 else None
            preserved = kept if self._plan.preserving else None
            validated = next((measured for at, measured in record.validations[-1:] if at == done), None)
            progress(Heartbeat("train", done, self._plan.steps, loss, preserved, rate, record.smoothed, validated))
            if stop:
                return done
        return max(start, self._plan.steps)

    def _step(self, step: int) -> tuple[float, float]:
        plan, adapter = self._plan, self._adapter
        for group in adapter.optimiser.param_groups:
            group["lr"] = plan.rate_at(step)
        batch = self._batch(step)
        rows, target = batch.instances, batch.noised.target
        preserving = len(target) > rows
        if preserving and plan.preservation == "output":
            target = torch.cat([target[:rows], self._base_prediction(batch)])
        predicted = self._base.predict(self._model, batch.noised, batch.spoken, batch.size).float()
        loss = self._instance_loss(predicted[:rows], target[:rows], batch.weights)
        kept = torch.zeros((), device=self._base.device)
        if preserving:
            kept = mse_loss(predicted[rows:], target[rows:])
        adapter.optimiser.zero_grad()
        torch.autograd.backward(loss + plan.preservation_weight * kept)
        norm = torch.nn.utils.clip_grad_norm_(adapter.parameters.values(), plan.clip)
        values = float(loss.detach()), float(kept.detach())
        if not all(map(math.isfinite, (*values, float(norm)))):
            raise TrainingError(
                f"step {step + 1}: the loss is not a finite number any more "
                f"(instance {values[0]}, preserved {values[1]}, gradient {float(norm)})",
                hint="lower the learning rate; the last snapshot is from before and is intact",
            )
        adapter.optimiser.step()
        adapter.follow()
        return values

    def _instance_loss(self, predicted: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
        if weights is None:
            return mse_loss(predicted, target)
        return ((predicted - target) ** 2 * weights).mean()

    def _batch(self, step: int) -> Batch:
        plan, material, book = self._plan, self._material, self._material.book
        numbers, generator = draws(plan.seed, step)
        chosen = self._order.pictures(step)
        size = material.sizes[chosen[0]]
        texts = []
        for picture in chosen:
            said = book.instance[picture][int(numbers.integers(len(book.instance[picture])))]
            texts.append(book.empty if numbers.random() < plan.caption_dropout else said)
        weights = None
        if material.weights is not None:
            weights = self._base.spread(torch.stack([material.weights[picture] for picture in chosen])).to(self._base.device)
        for _ in range(plan.preserving):
            kept = self._class_row(size, numbers) if plan.preservation == "class images" else self._output_row(size, numbers)
            if kept is not None:
                chosen.append(kept[0])
                texts.append(kept[1])
        clean = material.pictures.rows(chosen)["latents"].to(self._base.device, torch.float32)
        return Batch(plan.batch, self._base.noised(clean, generator), material.texts.rows(texts), size, weights)

    def _output_row(self, size: tuple[int, int], numbers: Any) -> tuple[int, int]:
        """A picture of that size and a caption that must not show the face."""
        material, plan = self._material, self._plan
        own = [picture for picture in material.own if material.sizes[picture] == size]
        picture = own[int(numbers.integers(len(own)))]
        text = material.book.preservation(picture, plan.preservation_mix, numbers)
        others = self._others(size)
        if others and numbers.random() < plan.preservation_elsewhere:
            picture = others[int(numbers.integers(len(others)))]
        return picture, text

    def _class_row(self, size: tuple[int, int], numbers: Any) -> tuple[int, int] | None:
        """A picture of another person and its own caption; None when there is none of that size."""
        others = self._others(size)
        if not others:
            return None
        picture = others[int(numbers.integers(len(others)))]
        return picture, self._material.book.others[picture - self._material.count]

    def _others(self, size: tuple[int, int]) -> list[int]:
        sizes = self._material.sizes
        return [picture for picture in range(self._material.count, len(sizes)) if sizes[picture] == size]

    def _base_prediction(self, batch: Batch) -> torch.Tensor:
        kept = slice(batch.instances, None)
        spoken = {name: rows[kept] for name, rows in batch.spoken.items()}
        self._model.disable_adapters()
        try:
            with torch.no_grad():
                return self._base.predict(self._model, batch.noised.rows(kept), spoken, batch.size).float()
        finally:
            self._model.enable_adapters()
