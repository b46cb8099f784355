"""Trains the LoRA of one face: pictures and captions in, one verified file out.

    lora = train_lora(base, dataset, pictures, POCKET, Path("mira.safetensors"), other_captions, progress=print)

Beside `mira.safetensors` lies `mira.run/` with snapshots, samples and status; after a kill the same call goes on from the
newest snapshot. Torch is loaded inside the call. It does not know who chose the plan, nor whether the face came out well.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zirelia.domain.dataset import Dataset
from zirelia.domain.lora import Lora
from zirelia.errors import MissingExtra, TrainingError
from zirelia.files import alone, sha256_of, sweep, sweep_file
from zirelia.training.board import need_tensorboard
from zirelia.training.captions import CaptionBook
from zirelia.training.families import family_of, multiple_of
from zirelia.training.fingerprints import fingerprint, model_fingerprint
from zirelia.training.framing import Frame, frame_picture
from zirelia.training.lora_file import LoraCard, dataset_sha256, read_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.preflight import check_consent, check_dataset, check_machine
from zirelia.training.progress import Heartbeat, Listener, unheard
from zirelia.training.snapshots import begun
from zirelia.training.status import StatusFile, mark_done
from zirelia.training.stopping import forget_request

if TYPE_CHECKING:
    import torch

    from zirelia.training.session import Job

_UNDECIDING = {
    "snapshot_every",
    "disk_cache",
    "encode_on_cpu",
    "sample_every",
    "sample_steps",
    "sample_guidance",
    "sample_seed",
}
"""Fields of the plan that change nothing in the weights: a run may go on with others."""


def train_lora(
    pipeline_dir: Path,
    dataset: Dataset,
    images: Path,
    plan: TrainingPlan,
    out: Path,
    other_captions: Sequence[str] = (),
    progress: Listener = unheard,
    resume: bool = True,
    *,
    base_model: str | None = None,
    device: str | None = None,
    today: date | None = None,
    other_pictures: Sequence[Path] = (),
    samples: Sequence[str] = (),
    tensorboard: bool = False,
) -> Lora:
    """Trains, writes `out` (.safetensors) and reads it back.

    A file `stop` in the run's folder (see `stopping.request_stop`) ends it after a step, with the LoRA written. SIGINT and
    SIGTERM end it after a step with a snapshot and raise `session.Interrupted`; the same call then goes on.

    Args:
        pipeline_dir: a FluxPipeline, StableDiffusionXLPipeline or StableDiffusionPipeline in diffusers' folder layout,
            safetensors only; never changed.
        images: the folder that the references' paths are relative to.
        other_captions: captions of other people, in the base's way of speaking, for preservation.
        progress: hears a Heartbeat after every step, every encoded chunk and before samples.
        resume: go on from the newest snapshot, or answer the finished file of the same run; False discards both.
        base_model: what the LoRA is said to belong to; the folder's name when None.
        device: such as "cuda" or "cpu"; None takes the GPU where there is one.
        other_pictures: pictures of other people on which the base is preserved; nobody in them is learnt. Without them
            it is preserved on the dataset's own pictures alone, and the face leaks more. With preservation by "class images"
            they are learnt, each under the caption of `other_captions` at its place.
        samples: prompts that are drawn every `plan.sample_every` steps, under run/samples.
        tensorboard: also write event files under run/tensorboard.
        today: the day on which the consent must be valid; the day in UTC when None.

    Raises:
        ConsentRequired: no valid consent.
        TrainingError: preflight failed, the loss is not finite, a snapshot does not fit, a signal came, or no file came out.
        MissingExtra: torch, diffusers, peft, or what the plan or `tensorboard` asks for are not installed.
    """
    if out.suffix != ".safetensors":
        raise TrainingError(f"{out} does not end in .safetensors", hint="name the file that the training writes")
    day = today or datetime.now(UTC).date()
    check_consent(dataset, today=day)
    if tensorboard:
        need_tensorboard()
    chosen = _device(device)
    on_gpu = chosen.type == "cuda"
    _need_packages(plan, on_gpu)
    order = _Order(pipeline_dir, dataset, images, plan, out, day, tuple(other_captions), tuple(other_pictures), tuple(samples))
    job = order.job(base_model=base_model, tensorboard=tensorboard, on_gpu=on_gpu)
    job.run.mkdir(parents=True, exist_ok=True)
    with alone(job.run / "lock", busy=lambda holder: _busy(job.run, holder)):
        for folder in (job.run, job.run / "cache", job.run / "samples"):
            sweep(folder)
        sweep_file(out)
        if resume and (finished := _finished(out, job.run, job.card.identity)) is not None:
            mark_done(job.run, plan.steps)
            return finished
        return _watched(job, lambda told: _train(pipeline_dir, job, told, resume, chosen), progress)


@dataclass(frozen=True)
class _Order:
    """What was asked for, before it is known to be possible."""

    pipeline_dir: Path
    dataset: Dataset
    images: Path
    plan: TrainingPlan
    out: Path
    today: date
    other_captions: tuple[str, ...]
    other_pictures: tuple[Path, ...]
    samples: tuple[str, ...]

    def job(self, *, base_model: str | None, tensorboard: bool, on_gpu: bool) -> Job:
        """Checks everything that can be known before a model is loaded."""
        import torch

        from zirelia.training.bases import open_base
        from zirelia.training.session import Job

        frames = self._frames()
        book = CaptionBook.write(
            [reference.caption for reference in self.dataset.references],
            trigger=self.dataset.trigger,
            others=self.other_captions,
            plan=self.plan,
        )
        texts = len(book.texts) + len(self.samples)
        check_machine(self.pipeline_dir, self.out, self.plan, on_gpu=on_gpu, texts=texts, pictures=len(frames))
        base_sha256 = model_fingerprint(self.pipeline_dir, family_of(self.pipeline_dir).learnt_from)
        card = LoraCard(
            dataset=self.dataset,
            plan=self.plan,
            base_model=base_model or self.pipeline_dir.resolve().name,
            base_sha256=base_sha256,
            transformer=open_base(self.pipeline_dir, self.plan, torch.device("cpu")).settings,
            identity=self._identity(book, frames, base_sha256),
        )
        return Job(card, frames, book, self.samples, self.out, self.out.with_suffix(".run"), tensorboard)

    def _frames(self) -> tuple[Frame, ...]:
        plan = self.plan
        multiple = multiple_of(self.pipeline_dir, family_of(self.pipeline_dir))
        if plan.resolution % multiple:
            raise TrainingError(
                f"this base's pictures have sides of multiples of {multiple} pixels, the plan wants {plan.resolution}",
                hint=f"choose a resolution such as {max(1, plan.resolution // multiple) * multiple}",
            )
        if (
            plan.preserving
            and plan.preservation == "class images"
            and (not self.other_pictures or len(self.other_pictures) != len(self.other_captions))
        ):
            raise TrainingError(
                f"preservation by class images has {len(self.other_pictures)} pictures of others and "
                f"{len(self.other_captions)} captions",
                hint="give pictures of other people and one caption for each, or preserve by output",
            )
        own = check_dataset(self.dataset, self.images, plan, today=self.today, multiple=multiple)
        return own + tuple(frame_picture(picture, None, plan, multiple=multiple) for picture in self.other_pictures)

    def _identity(self, book: CaptionBook, frames: Sequence[Frame], base_sha256: str) -> str:
        """The hash of all that decides the weights."""
        family = family_of(self.pipeline_dir)
        said = self.plan.model_dump(mode="json", exclude=_UNDECIDING)
        shown = [sha256_of(picture) for picture in self.other_pictures]
        masks = [sha256_of(frame.mask) for frame in frames if frame.mask is not None]
        encoders_sha256 = model_fingerprint(self.pipeline_dir, ("vae", *family.text_folders))
        texts = [list(book.texts), list(book.others)]
        return fingerprint(said, dataset_sha256(self.dataset), texts, shown, masks, base_sha256, encoders_sha256)


def _watched(job: Job, train: Callable[[Listener], str], progress: Listener) -> Lora:
    """Runs it and keeps run/status.json true, whatever happens."""
    from zirelia.training.session import Interrupted

    status = StatusFile(job.run, job.card.plan.steps)

    def told(beat: Heartbeat) -> None:
        status.hear(beat)
        progress(beat)

    try:
        forget_request(job.run)
        status.begin()
        ended = train(told)
        lora = _verified(job.out, job.card.identity)
    except (Interrupted, KeyboardInterrupt) as error:
        status.end("stopped", getattr(error, "message", "interrupted"))
        raise
    except OSError as error:
        failure = TrainingError(
            f"the training of {job.out} could not read or write: {error}",
            hint="see to the disk or the base's folder; the same call goes on from the newest snapshot",
        )
        with contextlib.suppress(OSError):  # the disk that failed may not take this either
            status.end("failed", failure.message)
        raise failure from error
    except Exception as error:
        status.end("failed", getattr(error, "message", type(error).__name__))
        raise
    status.end("done", f"ended {ended}" if ended else "")
    return lora


def _train(pipeline_dir: Path, job: Job, progress: Listener, resume: bool, device: torch.device) -> str:
    from zirelia.training.bases import open_base
    from zirelia.training.session import Session

    return Session(job, open_base(pipeline_dir, job.card.plan, device), progress).train(resume=resume)


def _device(name: str | None) -> torch.device:
    try:
        import diffusers  # noqa: F401
        import peft  # noqa: F401
        import torch
    except ImportError as error:
        raise MissingExtra("local", "training a LoRA on this machine") from error
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _need_packages(plan: TrainingPlan, on_gpu: bool) -> None:
    from zirelia.training.bases.loading import need_packages

    need_packages(plan, on_gpu=on_gpu)


def _finished(out: Path, run: Path, identity: str) -> Lora | None:
    """The LoRA of an earlier call of the same run; a file of another run is only replaced on request."""
    if not out.exists():
        return None
    lora, said = read_lora(out)
    if said.get("zirelia.run") == identity:
        return lora
    if not begun(run, identity):  # else resume=False was said when this run began
        raise TrainingError(
            f"{out} was made by another plan, dataset or base",
            hint="choose another output, or train anew (resume=False, --anew)",
        )
    return None


def _verified(out: Path, identity: str) -> Lora:
    if not out.is_file():
        raise TrainingError(f"the training ended without writing {out}", hint="look at the disk; the snapshots are intact")
    lora, said = read_lora(out)
    if said.get("zirelia.run") != identity:
        raise TrainingError(f"{out} is not the file that this training wrote", hint="train again")
    return lora


def _busy(run: Path, holder: str) -> TrainingError:
    return TrainingError(
        f"another training (process {holder}) is writing to {run}", hint="wait for it to end, or choose another output"
    )


def forget_run(out: Path) -> None:
    """Removes the snapshots and the cache of a run whose file is no longer needed for anything else."""
    shutil.rmtree(out.with_suffix(".run"), ignore_errors=True)
