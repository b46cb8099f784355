"""One training from encoding to the written file: snapshots, samples, validations and stops around the steps.

    Session(job, base, progress).train(resume=True)

What it is given was checked before (`preflight`), and what it leaves is checked after (`trainer`). Here torch is loaded.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zirelia.errors import TrainingError
from zirelia.training.adapter import Adapter
from zirelia.training.bases import Base
from zirelia.training.board import Board
from zirelia.training.captions import CaptionBook
from zirelia.training.framing import Frame
from zirelia.training.latents import TensorCache, encode_pictures, encode_texts
from zirelia.training.loop import Loop, Material
from zirelia.training.lora_file import LoraCard, metadata, write_lora
from zirelia.training.masks import weights_of
from zirelia.training.order import held_out
from zirelia.training.progress import Heartbeat, Listener
from zirelia.training.samples import draw_samples, samples_folder
from zirelia.training.snapshots import Record, Snapshots
from zirelia.training.stopping import REQUEST, Stops
from zirelia.training.validation import enough, validation_loss


@dataclass(frozen=True)
class Job:
    """A training that may begin. The first frames are the dataset's, the rest show others; `samples` are prompts."""

    card: LoraCard
    frames: tuple[Frame, ...]
    book: CaptionBook
    samples: tuple[str, ...]
    out: Path
    run: Path
    tensorboard: bool


class Interrupted(TrainingError):
    """A signal ended the process; what was done is kept."""


class Session:
    """Trains one job once."""

    _material: Material
    _prompts: tuple[int, ...]
    _model: Any
    _adapter: Adapter
    _snapshots: Snapshots
    _record: Record
    _stops: Stops

    def __init__(self, job: Job, base: Base, progress: Listener) -> None:
        self._job, self._base, self._plan = job, base, job.card.plan
        self._progress = progress
        self._done = 0
        self._ended = ""

    def train(self, *, resume: bool) -> str:
        """Writes the job's file. Answers why it ended before its last step, or "".

        Raises Interrupted after a signal, TrainingError when the loss is not finite or a snapshot does not fit.
        """
        job, plan = self._job, self._plan
        with ExitStack() as held:
            self._stops = held.enter_context(Stops(job.run))
            self._material, self._prompts = self._encode()
            self._model = self._base.load_model()
            self._adapter = Adapter(self._model, plan, self._base.pattern)
            self._snapshots = Snapshots(job.run, job.card.identity, self._write_checkpoint)
            if not resume:
                self._snapshots.discard()
            start, self._record = self._snapshots.restore(self._adapter)
            self._done = start
            if job.tensorboard:
                self._listen(held.enter_context(Board(job.run, start)))
            self._catch_up(start)
            if not self._ended:
                loop = Loop(self._base, self._model, self._adapter, self._material, plan)
                self._done = loop.run(start=start, record=self._record, after=self._after, progress=self._progress)
            self._progress(Heartbeat("write", self._done, plan.steps))
            write_lora(
                job.out,
                self._adapter.lora_tensors(),
                metadata(job.card, self._done, self._ended),
                self._base.family.trained,
            )
        return self._ended

    def _listen(self, board: Board) -> None:
        told = self._progress

        def both(beat: Heartbeat) -> None:
            board.hear(beat)
            told(beat)

        self._progress = both

    # ---- before the steps

    def _encode(self) -> tuple[Material, tuple[int, ...]]:
        """What the steps read, and the numbers of the sample prompts; the encoders are freed before the model is loaded."""
        job, plan, base = self._job, self._plan, self._base
        texts = tuple(dict.fromkeys((*job.book.texts, *job.samples)))
        total = len(job.frames) + len(texts)
        cache = TensorCache(job.run / "cache" if plan.disk_cache else None)
        pictures = encode_pictures(base, job.frames, plan, cache, lambda n: self._encoded(n, total))
        said = encode_texts(base, texts, plan, cache, lambda n: self._encoded(len(job.frames) + n, total))
        base.release()
        count = len(job.card.dataset.references)
        material = Material(
            pictures=pictures,
            sizes=tuple(frame.size for frame in job.frames),
            count=count,
            held_out=() if plan.validate_every is None else held_out(count, plan.held_out, plan.seed),
            texts=said,
            book=job.book,
            weights=self._weights(job.frames[:count]),
        )
        return material, tuple(texts.index(prompt) for prompt in job.samples)

    def _encoded(self, number: int, total: int) -> None:
        self._progress(Heartbeat("encode", number, total))
        if (asked := self._stops.asked()) not in {None, REQUEST}:
            raise _interrupted(str(asked), 0, self._plan.steps)

    def _weights(self, frames: Sequence[Frame]) -> tuple[torch.Tensor, ...] | None:
        background = self._plan.background_weight
        if background is None:
            return None
        grids = [self._base.grid(frame.size) for frame in frames]
        return tuple(
            torch.from_numpy(weights_of(frame, grid=grid, background=background))
            for frame, grid in zip(frames, grids, strict=True)
        )

    def _catch_up(self, start: int) -> None:
        """What a killed process did not do any more after its last snapshot."""
        if start and self._samples_due(start) and not samples_folder(self._job.run, start).is_dir():
            self._sample(start)
        if self._stale():
            self._ended = self._early(start)

    # ---- after a step

    def _after(self, done: int) -> bool:
        """Validates, keeps and draws what is due; says whether to stop here."""
        plan = self._plan
        self._done = done
        if plan.validate_every is not None and done % plan.validate_every == 0:
            self._validate(done)
        asked = self._stops.asked()
        stale = self._stale()
        last = done == plan.steps
        if done % plan.snapshot_every == 0 or last or asked or stale:
            self._snapshots.save(done, self._record, self._adapter)
        if asked not in {None, REQUEST} and not last:
            raise _interrupted(str(asked), done, plan.steps)
        if self._samples_due(done):
            self._sample(done)
        if not last and (asked or stale):
            self._ended = "on request" if asked else self._early(done)
        return bool(self._ended)

    def _validate(self, done: int) -> None:
        with self._adapter.as_saved():
            self._record.validations.append((done, validation_loss(self._base, self._model, self._material, self._plan)))

    def _stale(self) -> bool:
        losses = [loss for _, loss in self._record.validations]
        return self._plan.patience is not None and enough(losses, self._plan.patience)

    def _early(self, done: int) -> str:
        return f"early after step {done}: {self._plan.patience} validations without improvement"

    def _samples_due(self, done: int) -> bool:
        return bool(self._prompts) and self._plan.sample_every is not None and done % self._plan.sample_every == 0

    def _sample(self, done: int) -> None:
        self._progress(Heartbeat("sample", done, self._plan.steps))
        with self._adapter.as_saved():
            draw_samples(
                self._base,
                self._model,
                self._material.texts,
                prompts=self._prompts,
                empty=self._material.book.empty,
                folder=samples_folder(self._job.run, done),
                plan=self._plan,
            )
        gc.collect()
        if self._base.device.type == "cuda":
            torch.cuda.empty_cache()

    def _write_checkpoint(self, path: Path) -> None:
        write_lora(path, self._adapter.lora_tensors(), metadata(self._job.card, self._done), self._base.family.trained)


def _interrupted(signal: str, done: int, steps: int) -> Interrupted:
    return Interrupted(
        f"{signal} ended the training after step {done} of {steps}", hint="the same call goes on from there; nothing is lost"
    )
