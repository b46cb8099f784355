"""What must be true before a training starts; found out in a second instead of after an hour.

    frames = check_dataset(dataset, pictures, plan, today=date(2026, 5, 1))
    check_machine(base, out, plan, on_gpu=False)

It reads headers and counts bytes. It loads no model.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

from zirelia.domain.dataset import Dataset, Reference
from zirelia.errors import ConsentRequired, TrainingError
from zirelia.files import sha256_of
from zirelia.training.captions import occurrences
from zirelia.training.families import family_of
from zirelia.training.framing import Frame, frame_picture
from zirelia.training.plan import TrainingPlan

_BYTES = {"float32": 4, "bfloat16": 2}
_HELD = {"fp8": 1.0, "int8": 1.1, "nf4": 0.6}
"""Bytes for a number of the frozen base; scales and what stays in bfloat16 are counted in."""
_SPARE_MEMORY = 1 << 29
_SPARE_DISK = 1 << 27
_ADAPTER_SHARE = 0.15  # of the transformer's parameters, at rank 16 on its smallest relative
_COPIES_IN_MEMORY = 16  # weight, gradient and two moments, four bytes each
_COPIES_ON_DISK = 18  # two snapshots while one replaces the other, and the checkpoint
_TEXT_WIDTH = 4096  # numbers that the largest text encoder says of a token
_PIXELS_A_NUMBER = 4  # 16 channels on cells of 8 x 8 pixels
_HEADER_LIMIT = 100 << 20


def check_consent(dataset: Dataset, *, today: date) -> None:
    """Raises ConsentRequired without a consent that is valid on that day."""
    if not dataset.consent.valid_on(today):
        raise ConsentRequired(
            f"the consent for '{dataset.persona}' ended on {dataset.consent.expires}",
            hint="record a consent that is valid today; without one no likeness is trained",
        )


def check_dataset(dataset: Dataset, folder: Path, plan: TrainingPlan, *, today: date, multiple: int = 16) -> tuple[Frame, ...]:
    """How each picture is cut. `multiple` is what the base's sides must divide by, in pixels.

    Raises ConsentRequired without a valid consent, TrainingError for a picture or caption that cannot be used.
    """
    check_consent(dataset, today=today)
    if not dataset.references:
        raise TrainingError(f"the dataset of '{dataset.persona}' has no pictures", hint="build or add pictures first")
    if plan.validate_every is not None and len(dataset.references) <= plan.held_out:
        raise TrainingError(
            f"the dataset has {len(dataset.references)} pictures and the plan holds out {plan.held_out}",
            hint="hold out fewer, add pictures, or train without validation",
        )
    frames = []
    for reference in dataset.references:
        _check_caption(reference, dataset.trigger)
        path = _place_of(reference, folder)
        if sha256_of(path) != reference.sha256:
            raise TrainingError(
                f"the picture {path} is not the one of the dataset: its hash differs",
                hint="restore the picture, or build the dataset again",
            )
        frames.append(frame_picture(path, reference.face, plan, multiple=multiple))
    return tuple(frames)


def check_machine(
    pipeline_dir: Path, out: Path, plan: TrainingPlan, *, on_gpu: bool, texts: int = 0, pictures: int = 0
) -> None:
    """Raises TrainingError when the base is incomplete, or free memory or disk would not do.

    `texts` and `pictures` are how many encodings the run's cache will hold.
    """
    family = family_of(pipeline_dir)
    missing = [name for name in family.weighty if not _weights(pipeline_dir / name)]
    if missing:
        raise TrainingError(
            f"{pipeline_dir} is not a complete {family.pipeline}: no safetensors weights under {', '.join(missing)}",
            hint="point to a folder in the layout of diffusers, weights as safetensors",
        )
    sizes = {name: parameters_in(pipeline_dir / name) for name in family.weighty}
    adapter = int(sizes[family.trained] * _ADAPTER_SHARE * plan.rank / 16)
    encoding = int(sum(size for name, size in sizes.items() if name != family.trained) * _BYTES[plan.dtype])
    held = _HELD.get(plan.quantisation, _BYTES[plan.dtype])
    training = int(sizes[family.trained] * held) + adapter * _COPIES_IN_MEMORY
    hint = "choose a profile for a smaller card, or a smaller dtype; close other programs"
    if on_gpu and plan.encode_on_cpu:
        _enough("memory", _free_memory(on_gpu=False), encoding + _SPARE_MEMORY, hint)
        encoding = 0
    _enough("memory", _free_memory(on_gpu=on_gpu), max(encoding, training) + _SPARE_MEMORY, hint)
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    numbers = texts * plan.max_sequence_length * _TEXT_WIDTH + pictures * plan.resolution**2 // _PIXELS_A_NUMBER
    cached = numbers * _BYTES[plan.dtype] if plan.disk_cache else 0
    _enough(f"disk at {out.parent}", free, adapter * _COPIES_ON_DISK + cached + _SPARE_DISK, "free some disk space")


def parameters_in(folder: Path) -> int:
    """How many numbers the safetensors files of a folder hold, read from their headers."""
    return sum(_parameters(path) for path in _weights(folder))


def _check_caption(reference: Reference, trigger: str) -> None:
    count = occurrences(trigger, reference.caption)
    if count != 1:
        raise TrainingError(
            f"the caption of {reference.path} holds the trigger '{trigger}' {count} times: {reference.caption!r}",
            hint="each caption holds the trigger exactly once",
        )


def _place_of(reference: Reference, folder: Path) -> Path:
    path = (folder / reference.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise TrainingError(f"{reference.path} lies outside {folder}", hint="a dataset's pictures lie in its own folder")
    if not path.is_file():
        raise TrainingError(f"the picture {path} is missing", hint="restore it, or take it out of the dataset")
    return path


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _parameters(path: Path) -> int:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _HEADER_LIMIT:
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        total = 0
        for name, entry in header.items():
            count = 1
            for side in entry["shape"] if name != "__metadata__" else [0]:
                count *= side
            total += count
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is not a safetensors file: {error}", hint="fetch the base model again") from error
    return total


def _free_memory(*, on_gpu: bool) -> int:
    if on_gpu:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil  # type: ignore[import-untyped]

    return int(psutil.virtual_memory().available)


def _enough(what: str, free: int, needed: int, hint: str) -> None:
    if free < needed:
        gib = 1 << 30
        raise TrainingError(f"too little {what}: {free / gib:.1f} GiB free, about {needed / gib:.1f} GiB needed", hint=hint)
