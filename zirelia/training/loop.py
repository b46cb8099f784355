"""The steps: which rows a batch has, what they are compared with, and the walk down.

    Loop(transformer, adapter, encoded, plan).run(start=0, curve=[], after=save)

Instance rows learn the pictures with the trigger. Preservation rows are the same pictures under captions without it, compared
with what the base alone predicts (differential output preservation), so that the face stays with its word. Everything random
in a step follows from (seed, step), hence a resumed run takes the very steps of an uninterrupted one. It writes no files.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import mse_loss

from zirelia.errors import TrainingError
from zirelia.training.adapter import Adapter
from zirelia.training.captions import CaptionBook
from zirelia.training.latents import Encoded
from zirelia.training.plan import TrainingPlan
from zirelia.training.progress import Heartbeat, Listener
from zirelia.training.snapshots import Curve


@dataclass(frozen=True)
class Material:
    """All that the steps read: encoded pictures and texts, who may say what, and the positions of tokens.

    The first `own` pictures are the dataset's; what follows shows others and is only preserved.
    """

    pictures: Encoded
    own: int
    texts: Encoded
    book: CaptionBook
    picture_ids: torch.Tensor
    text_ids: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of one step: the first `instances` learn the face, the rest preserve the base. `noisy` lies at `times`."""

    instances: int
    noisy: torch.Tensor
    times: torch.Tensor
    velocity: torch.Tensor
    pooled: torch.Tensor
    sequence: torch.Tensor

    def preserved(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        kept = slice(self.instances, None)
        return self.noisy[kept], self.times[kept], self.pooled[kept], self.sequence[kept]


def draws(seed: int, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The randomness of one step, for choices and for noise; the same on every machine."""
    numbers = np.random.default_rng([seed, step])
    return numbers, torch.Generator().manual_seed(int(numbers.integers(1 << 62)))


def pictures_of(step: int, *, batch: int, count: int, seed: int) -> list[int]:
    """The pictures of a step: the dataset in an order that is shuffled anew each time round."""
    chosen = []
    for position in range(step * batch, (step + 1) * batch):
        turn, place = divmod(position, count)
        chosen.append(int(np.random.default_rng([seed, 1 << 31, turn]).permutation(count)[place]))
    return chosen


class Loop:
    """Takes the steps of one plan."""

    def __init__(self, transformer: Any, adapter: Adapter, material: Material, plan: TrainingPlan) -> None:
        self._transformer, self._adapter, self._material, self._plan = transformer, adapter, material, plan
        self._device = material.picture_ids.device
        self._guided = bool(transformer.config.guidance_embeds)

    def run(self, *, start: int, curve: Curve, after: Callable[[int], None], progress: Listener) -> None:
        """Takes the steps from `start` on, appends their losses to `curve`, and calls `after` with the steps done."""
        self._transformer.train()
        began = time.monotonic()
        for step in range(start, self._plan.steps):
            loss, kept = self._step(step)
            curve.append((loss, kept))
            done = step + 1
            after(done)
            elapsed = time.monotonic() - began
            rate = (done - start) / elapsed if elapsed > 0 else None
            preserved = kept if self._plan.preservation_batch else None
            progress(Heartbeat("train", done, self._plan.steps, loss, preserved, rate))

    def _step(self, step: int) -> tuple[float, float]:
        plan, adapter = self._plan, self._adapter
        for group in adapter.optimiser.param_groups:
            group["lr"] = plan.rate_at(step)
        batch = self._batch(step)
        target = batch.velocity
        if plan.preservation_batch:
            target = torch.cat([target[: batch.instances], self._base_prediction(batch)])
        predicted = self._predict(batch.noisy, batch.times, batch.pooled, batch.sequence).float()
        loss = mse_loss(predicted[: batch.instances], target[: batch.instances])
        kept = torch.zeros((), device=self._device)
        if plan.preservation_batch:
            kept = mse_loss(predicted[batch.instances :], target[batch.instances :])
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

    def _batch(self, step: int) -> Batch:
        plan, book = self._plan, self._material.book
        numbers, generator = draws(plan.seed, step)
        count = self._material.own
        chosen = pictures_of(step, batch=plan.batch, count=count, seed=plan.seed)
        texts = []
        for picture in chosen:
            said = book.instance[picture][int(numbers.integers(len(book.instance[picture])))]
            texts.append(book.empty if numbers.random() < plan.caption_dropout else said)
        for _ in range(plan.preservation_batch):
            picture = int(numbers.integers(count))
            texts.append(book.preservation(picture, plan.preservation_mix, numbers))
            others = len(self._material.pictures.keys) - count
            if others and numbers.random() < plan.preservation_elsewhere:
                picture = count + int(numbers.integers(others))
            chosen.append(picture)
        clean = self._material.pictures.rows(chosen)["latents"].to(self._device, torch.float32)
        spoken = self._material.texts.rows(texts)
        noise = torch.randn(clean.shape, generator=generator).to(self._device)
        times = self._times(len(chosen), generator).to(self._device)
        mixed = times[:, None, None]
        return Batch(
            instances=plan.batch,
            noisy=(1 - mixed) * clean + mixed * noise,
            times=times,
            velocity=noise - clean,
            pooled=spoken["pooled"].to(self._device),
            sequence=spoken["sequence"].to(self._device),
        )

    def _times(self, count: int, generator: torch.Generator) -> torch.Tensor:
        plan = self._plan
        times = torch.sigmoid(plan.time_mu + plan.time_sigma * torch.randn(count, generator=generator))
        return plan.time_shift * times / (1 + (plan.time_shift - 1) * times)

    def _base_prediction(self, batch: Batch) -> torch.Tensor:
        self._transformer.disable_adapters()
        try:
            with torch.no_grad():
                return self._predict(*batch.preserved()).float()
        finally:
            self._transformer.enable_adapters()

    def _predict(self, noisy: torch.Tensor, times: torch.Tensor, pooled: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
        dtype = getattr(torch, self._plan.dtype)
        guidance = torch.full_like(times, self._plan.guidance) if self._guided else None
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            velocity: torch.Tensor = self._transformer(
                hidden_states=noisy.to(dtype),
                encoder_hidden_states=sequence.to(dtype),
                pooled_projections=pooled.to(dtype),
                timestep=times.to(dtype),
                guidance=guidance,
                img_ids=self._material.picture_ids,
                txt_ids=self._material.text_ids,
                return_dict=False,
            )[0]
        return velocity
