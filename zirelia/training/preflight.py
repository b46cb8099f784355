"""What must be true before a training starts; found out in a second instead of after an hour.

    check_dataset(dataset, pictures, plan, today=date(2026, 5, 1))
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
from zirelia.training.captions import occurrences
from zirelia.training.files import sha256_of
from zirelia.training.plan import TrainingPlan

_BYTES = {"float32": 4, "bfloat16": 2}
_SPARE_MEMORY = 1 << 29
_SPARE_DISK = 1 << 27
_ADAPTER_SHARE = 0.15  # of the transformer's parameters, at rank 16 on its smallest relative
_COPIES_IN_MEMORY = 16  # weight, gradient and two moments, four bytes each
_COPIES_ON_DISK = 18  # two snapshots while one replaces the other, and the checkpoint
_HEADER_LIMIT = 100 << 20


def check_dataset(dataset: Dataset, folder: Path, plan: TrainingPlan, *, today: date) -> None:
    """Raises ConsentRequired without a valid consent, TrainingError for a picture or caption that cannot be used."""
    if not dataset.consent.valid_on(today):
        raise ConsentRequired(
            f"the consent for '{dataset.persona}' ended on {dataset.consent.expires}",
            hint="record a consent that is valid today; without one no likeness is trained",
        )
    if not dataset.references:
        raise TrainingError(f"the dataset of '{dataset.persona}' has no pictures", hint="build or add pictures first")
    for reference in dataset.references:
        _check_caption(reference, dataset.trigger)
        path = _place_of(reference, folder)
        if sha256_of(path) != reference.sha256:
            raise TrainingError(
                f"the picture {path} is not the one of the dataset: its hash differs",
                hint="restore the picture, or build the dataset again",
            )
        check_picture(path, plan.resolution)


def check_machine(pipeline_dir: Path, out: Path, plan: TrainingPlan, *, on_gpu: bool) -> None:
    """Raises TrainingError when the base is incomplete, or free memory or disk would not do."""
    missing = [name for name in ("transformer", "vae", "text_encoder", "text_encoder_2") if not _weights(pipeline_dir / name)]
    if missing:
        raise TrainingError(
            f"{pipeline_dir} is not a complete Flux pipeline: no safetensors weights under {', '.join(missing)}",
            hint="point to a folder in the layout of diffusers' FluxPipeline",
        )
    sizes = {name: parameters_in(pipeline_dir / name) for name in ("transformer", "vae", "text_encoder", "text_encoder_2")}
    each = _BYTES[plan.dtype]
    adapter = int(sizes["transformer"] * _ADAPTER_SHARE * plan.rank / 16)
    encoding = sum(size for name, size in sizes.items() if name != "transformer") * each
    training = sizes["transformer"] * each + adapter * _COPIES_IN_MEMORY
    needed = max(encoding, training) + _SPARE_MEMORY
    _enough("memory", _free_memory(on_gpu), needed, "close other programs, or choose a smaller dtype")
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    _enough(f"disk at {out.parent}", free, adapter * _COPIES_ON_DISK + _SPARE_DISK, "free some disk space")


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


def check_picture(path: Path, resolution: int) -> None:
    """Raises TrainingError for a picture that cannot be read or is smaller than the plan wants."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            shorter = min(opened.size)
            opened.load()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TrainingError(f"the picture {path} cannot be read: {error}", hint="replace it") from error
    if shorter < resolution:
        raise TrainingError(
            f"the picture {path} is {shorter} pixels on its shorter side, the plan wants {resolution}",
            hint="use a larger picture or a plan of a lower resolution; nothing is enlarged silently",
        )


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


def _free_memory(on_gpu: bool) -> int:
    if on_gpu:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil  # type: ignore[import-untyped]

    return int(psutil.virtual_memory().available)


def _enough(what: str, free: int, needed: int, hint: str) -> None:
    if free < needed:
        gib = 1 << 30
        raise TrainingError(f"too little {what}: {free / gib:.1f} GiB free, about {needed / gib:.1f} GiB needed", hint=hint)
