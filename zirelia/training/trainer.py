"""Trains the LoRA of one face: pictures and captions in, one verified file out.

    lora = train_lora(base, dataset, pictures, POCKET, Path("mira.safetensors"), other_captions, progress=print)

Beside `mira.safetensors` lies `mira.run/` with the snapshots; after a kill the same call goes on from the newest one. Torch is
loaded inside the call. It does not know who chose the plan, nor whether the face came out well.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zirelia.domain.dataset import Dataset
from zirelia.domain.lora import Lora
from zirelia.errors import MissingExtra, TrainingError
from zirelia.training.captions import CaptionBook
from zirelia.training.files import alone, fingerprint, model_fingerprint, sha256_of, sweep
from zirelia.training.lora_file import LoraCard, dataset_sha256, metadata, read_lora, write_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.preflight import check_dataset, check_machine, check_picture
from zirelia.training.progress import Heartbeat, Listener, unheard
from zirelia.training.snapshots import Snapshots, begun

if TYPE_CHECKING:
    import torch

    from zirelia.training.loop import Material


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
) -> Lora:
    """Trains, writes `out` (.safetensors) and reads it back.

    Args:
        pipeline_dir: a FluxPipeline in diffusers' folder layout, safetensors only; never changed.
        images: the folder that the references' paths are relative to.
        other_captions: captions of other people, in the base's way of speaking, for preservation.
        progress: hears a Heartbeat after every step and every encoded chunk.
        resume: go on from the newest snapshot, or answer the finished file of the same run; False discards both.
        base_model: what the LoRA is said to belong to; the folder's name when None.
        device: such as "cuda" or "cpu"; None takes the GPU where there is one.
        other_pictures: pictures of other people on which the base is preserved; nobody in them is learnt. Without them
            it is preserved on the dataset's own pictures alone, and the face leaks more.
        today: the day on which the consent must be valid; the day in UTC when None.

    Raises:
        ConsentRequired: no valid consent.
        TrainingError: preflight failed, the loss is not finite, a snapshot does not fit, or no file came out.
        MissingExtra: torch, diffusers or peft are not installed.
    """
    if out.suffix != ".safetensors":
        raise TrainingError(f"{out} does not end in .safetensors", hint="name the file that the training writes")
    check_dataset(dataset, images, plan, today=today or datetime.now(UTC).date())
    chosen = _device(device)
    check_machine(pipeline_dir, out, plan, on_gpu=chosen.type == "cuda")
    for picture in other_pictures:
        check_picture(picture, plan.resolution)
    book = CaptionBook.write(
        [reference.caption for reference in dataset.references],
        trigger=dataset.trigger,
        others=other_captions,
        plan=plan,
    )
    base_sha256 = model_fingerprint(pipeline_dir, ("transformer",))
    encoders_sha256 = model_fingerprint(pipeline_dir, ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"))
    said = plan.model_dump(mode="json", exclude={"snapshot_every", "disk_cache"})
    shown = [sha256_of(picture) for picture in other_pictures]
    identity = fingerprint(said, dataset_sha256(dataset), list(book.texts), shown, base_sha256, encoders_sha256)
    card = LoraCard(
        dataset=dataset,
        plan=plan,
        base_model=base_model or pipeline_dir.resolve().name,
        base_sha256=base_sha256,
        transformer=_settings(pipeline_dir),
        identity=identity,
    )
    files = [*(images / reference.path for reference in dataset.references), *other_pictures]
    run = out.with_suffix(".run")
    run.mkdir(parents=True, exist_ok=True)
    with alone(run):
        sweep(run)
        if resume and (finished := _finished(out, run, identity)) is not None:
            return finished
        try:
            _train(pipeline_dir, files, card, book, out, run, progress, resume, chosen)
        except OSError as error:
            raise TrainingError(
                f"the training of {out} could not read or write: {error}",
                hint="see to the disk or the base's folder; the same call goes on from the newest snapshot",
            ) from error
        return _verified(out, identity)


def _train(
    pipeline_dir: Path,
    files: Sequence[Path],
    card: LoraCard,
    book: CaptionBook,
    out: Path,
    run: Path,
    progress: Listener,
    resume: bool,
    device: torch.device,
) -> None:
    from zirelia.training.adapter import Adapter, load_transformer
    from zirelia.training.loop import Loop

    plan = card.plan
    material = _encode(pipeline_dir, files, card, book, run, progress, device)
    transformer = load_transformer(pipeline_dir, plan, device)
    adapter = Adapter(transformer, plan)
    done_now = 0

    def write_checkpoint(path: Path) -> None:
        write_lora(path, adapter.lora_tensors(), metadata(card, done_now))

    snapshots = Snapshots(run, card.identity, write_checkpoint)
    if not resume:
        snapshots.discard()
    start, curve = snapshots.restore(adapter)

    def after(done: int) -> None:
        nonlocal done_now
        done_now = done
        if done % plan.snapshot_every == 0 or done == plan.steps:
            snapshots.save(done, curve, adapter)

    Loop(transformer, adapter, material, plan).run(start=start, curve=curve, after=after, progress=progress)
    progress(Heartbeat("write", plan.steps, plan.steps))
    write_lora(out, adapter.lora_tensors(), metadata(card, plan.steps))


def _encode(
    pipeline_dir: Path,
    files: Sequence[Path],
    card: LoraCard,
    book: CaptionBook,
    run: Path,
    progress: Listener,
    device: torch.device,
) -> Material:
    """Latents and text encodings; the encoders are freed before the transformer is loaded."""
    import torch

    from zirelia.training.latents import Encoders, TensorCache, encode_pictures, encode_texts, position_ids
    from zirelia.training.loop import Material

    plan = card.plan
    total = len(files) + len(book.texts)
    cache = TensorCache(run / "cache" if plan.disk_cache else None)
    encoders = Encoders(pipeline_dir, plan, device)
    pictures = encode_pictures(encoders, files, plan, cache, lambda n: progress(Heartbeat("encode", n, total)))
    texts = encode_texts(encoders, book.texts, plan, cache, lambda n: progress(Heartbeat("encode", len(files) + n, total)))
    encoders.release()
    picture_ids, text_ids = position_ids(pipeline_dir, plan, device, getattr(torch, plan.dtype))
    own = len(card.dataset.references)
    return Material(pictures, own, texts, book, picture_ids, text_ids)


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


def _settings(pipeline_dir: Path) -> dict[str, Any]:
    from diffusers import FluxTransformer2DModel

    return dict(FluxTransformer2DModel.load_config(pipeline_dir / "transformer", local_files_only=True))


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
            hint="choose another output, or train with resume=False, which replaces it",
        )
    return None


def _verified(out: Path, identity: str) -> Lora:
    if not out.is_file():
        raise TrainingError(f"the training ended without writing {out}", hint="look at the disk; the snapshots are intact")
    lora, said = read_lora(out)
    if said.get("zirelia.run") != identity:
        raise TrainingError(f"{out} is not the file that this training wrote", hint="train again")
    return lora


def forget_run(out: Path) -> None:
    """Removes the snapshots and the cache of a run whose file is no longer needed for anything else."""
    shutil.rmtree(out.with_suffix(".run"), ignore_errors=True)
