"""Pictures and texts as the transformer takes them: encoded once, cached, and the encoders let go.

    with_encoders = load_encoders(base, plan, device)
    pictures = encode_pictures(with_encoders, files, plan, cache)
    pictures.rows([0, 3, 3])["latents"]        # packed, [3, tokens, channels]

The cache lies in memory or, for large models, on disk as one safetensors file a picture or text, named by the hash of model,
input and settings: a second training on the same pictures encodes nothing. It knows nothing of triggers or losses.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxPipeline
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file

from zirelia.errors import TrainingError
from zirelia.training.files import fingerprint, model_fingerprint, sha256_of, whole_file
from zirelia.training.plan import TrainingPlan

_TEXT_FOLDERS = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
_CHUNK = 16
Tensors = dict[str, torch.Tensor]


class TensorCache:
    """Named tensors by key, in memory, or under `folder` when there is one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._held: dict[str, Tensors] = {}

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file() if self._folder else key in self._held

    def get(self, key: str) -> Tensors:
        return load_file(self._path(key)) if self._folder else self._held[key]

    def put(self, key: str, tensors: Tensors) -> None:
        kept = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
        if self._folder is None:
            self._held[key] = kept
            return
        with whole_file(self._path(key)) as part:
            save_file(kept, part)

    def _path(self, key: str) -> Path:
        if self._folder is None:
            raise ValueError("a cache in memory has no files")
        return self._folder / f"{key}.safetensors"


@dataclass(frozen=True)
class Encoded:
    """A numbered list of encodings in a cache."""

    keys: tuple[str, ...]
    cache: TensorCache

    def rows(self, numbers: Sequence[int]) -> Tensors:
        """The encodings of those numbers, stacked by name along a new first dimension."""
        found = {number: self.cache.get(self.keys[number]) for number in set(numbers)}
        names = found[numbers[0]].keys()
        return {name: torch.stack([found[number][name] for number in numbers]) for name in names}


class Encoders:
    """The VAE and the text encoders of a pipeline, loaded at the first need and freed by `release`."""

    def __init__(self, pipeline_dir: Path, plan: TrainingPlan, device: torch.device) -> None:
        self._pipeline_dir, self._plan, self._device = pipeline_dir, plan, device
        self._pipeline: Any = None
        self.vae_fingerprint = model_fingerprint(pipeline_dir, ("vae",))
        self.text_fingerprint = model_fingerprint(pipeline_dir, _TEXT_FOLDERS)

    @property
    def pipeline(self) -> Any:
        if self._pipeline is None:
            self._pipeline = FluxPipeline.from_pretrained(
                self._pipeline_dir,
                transformer=None,
                dtype=getattr(torch, self._plan.dtype),
                local_files_only=True,
                use_safetensors=True,
            ).to(self._device)
        return self._pipeline

    def release(self) -> None:
        self._pipeline = None
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def encode_pictures(
    encoders: Encoders, files: Sequence[Path], plan: TrainingPlan, cache: TensorCache, told: Callable[[int], None]
) -> Encoded:
    """Packed latents of the pictures, cut to the plan's square. `told` hears how many are done."""
    keys = tuple(
        fingerprint("picture", encoders.vae_fingerprint, sha256_of(file), plan.resolution, plan.dtype) for file in files
    )
    for start in _missing(keys, cache):
        chunk = range(start, min(start + _CHUNK, len(keys)))
        latents = _latents(encoders.pipeline, [_square(files[i], plan.resolution) for i in chunk])
        for i, packed in zip(chunk, latents, strict=True):
            cache.put(keys[i], {"latents": packed})
        told(chunk.stop)
    return Encoded(keys, cache)


def encode_texts(
    encoders: Encoders, texts: Sequence[str], plan: TrainingPlan, cache: TensorCache, told: Callable[[int], None]
) -> Encoded:
    """Both text encoders' outputs: `pooled` (CLIP) and `sequence` (T5)."""
    length = plan.max_sequence_length
    keys = tuple(fingerprint("text", encoders.text_fingerprint, text, length, plan.dtype) for text in texts)
    for start in _missing(keys, cache):
        chunk = range(start, min(start + _CHUNK, len(keys)))
        with torch.no_grad():
            sequences, pooled, _ = encoders.pipeline.encode_prompt(
                prompt=[texts[i] for i in chunk], prompt_2=None, max_sequence_length=length
            )
        for row, i in enumerate(chunk):
            cache.put(keys[i], {"pooled": pooled[row], "sequence": sequences[row]})
        told(chunk.stop)
    return Encoded(keys, cache)


def position_ids(
    pipeline_dir: Path, plan: TrainingPlan, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rotary positions of picture tokens and of text tokens, as the pipeline makes them."""
    side = plan.resolution // patch_side(pipeline_dir)
    pictures = FluxPipeline._prepare_latent_image_ids(1, side, side, device, dtype)
    return pictures, torch.zeros(plan.max_sequence_length, 3, device=device, dtype=dtype)


def patch_side(pipeline_dir: Path) -> int:
    """How many pixels wide one picture token is: two latent cells."""
    from diffusers import AutoencoderKL

    settings = AutoencoderKL.load_config(pipeline_dir / "vae", local_files_only=True)
    return 2 * int(2 ** (len(settings["block_out_channels"]) - 1))


def _missing(keys: Sequence[str], cache: TensorCache) -> Iterator[int]:
    """Where the chunks begin that hold something not yet in the cache."""
    for start in range(0, len(keys), _CHUNK):
        if any(key not in cache for key in keys[start : start + _CHUNK]):
            yield start


def _square(file: Path, side: int) -> Image.Image:
    with Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    return ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS)


def _latents(pipeline: Any, pictures: list[Image.Image]) -> torch.Tensor:
    vae = pipeline.vae
    pixels = pipeline.image_processor.preprocess(pictures).to(vae.device, vae.dtype)
    with torch.no_grad():
        cells = vae.encode(pixels).latent_dist.mode()
    cells = (cells - vae.config.shift_factor) * vae.config.scaling_factor
    if not bool(torch.isfinite(cells).all()):
        raise TrainingError("the VAE answered with values that are not finite", hint="train with dtype float32")
    count, channels, height, width = cells.shape
    packed: torch.Tensor = FluxPipeline._pack_latents(cells, count, channels, height, width)
    return packed
