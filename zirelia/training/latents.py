"""Pictures and texts as the model takes them: encoded once, cached, and the encoders let go.

    pictures = encode_pictures(base, frames, plan, cache, told)
    texts = encode_texts(base, captions, plan, cache, told)
    base.release()
    pictures.rows([0, 3, 3])["latents"]        # for a Flux: packed, [3, tokens, channels]

The cache lies in memory or, for large models, on disk as one safetensors file a picture or text, named by the hash of model,
input and settings: a second training on the same pictures encodes nothing. It knows nothing of triggers or losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from zirelia.files import sha256_of, whole_file
from zirelia.training.bases import Base, Tensors
from zirelia.training.fingerprints import fingerprint
from zirelia.training.framing import Frame
from zirelia.training.plan import TrainingPlan

_CHUNK = 16


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
        """The encodings of those numbers, stacked by name along a new first dimension; pictures of one size only."""
        found = {number: self.cache.get(self.keys[number]) for number in set(numbers)}
        names = found[numbers[0]].keys()
        return {name: torch.stack([found[number][name] for number in numbers]) for name in names}


def encode_pictures(
    base: Base, frames: Sequence[Frame], plan: TrainingPlan, cache: TensorCache, told: Callable[[int], None]
) -> Encoded:
    """Latents of the pictures, cut as their frames say. `told` hears how many are done."""
    keys = tuple(_picture_key(base, frame, plan) for frame in frames)
    for chunk in _missing(keys, cache):
        for size in dict.fromkeys(frames[i].size for i in chunk):
            alike = [i for i in chunk if frames[i].size == size]
            latents = base.encode_pictures([frames[i].cut() for i in alike])
            for i, row in zip(alike, latents, strict=True):
                cache.put(keys[i], {"latents": row})
        told(chunk.stop)
    return Encoded(keys, cache)


def encode_texts(
    base: Base, texts: Sequence[str], plan: TrainingPlan, cache: TensorCache, told: Callable[[int], None]
) -> Encoded:
    """What the text encoders say of each text."""
    length = plan.max_sequence_length
    keys = tuple(fingerprint("text", base.text_fingerprint, text, length, plan.dtype) for text in texts)
    for chunk in _missing(keys, cache):
        for i, encoded in zip(chunk, base.encode_texts([texts[i] for i in chunk]), strict=True):
            cache.put(keys[i], encoded)
        told(chunk.stop)
    return Encoded(keys, cache)


def _picture_key(base: Base, frame: Frame, plan: TrainingPlan) -> str:
    known = ("picture", base.vae_fingerprint, sha256_of(frame.path), plan.resolution, plan.dtype)
    if not frame.placed:
        return fingerprint(*known)
    face = None if frame.face is None else frame.face.model_dump(mode="json")
    return fingerprint(*known, list(frame.size), face)


def _missing(keys: Sequence[str], cache: TensorCache) -> Iterator[range]:
    """The chunks that hold something not yet in the cache."""
    for start in range(0, len(keys), _CHUNK):
        if any(key not in cache for key in keys[start : start + _CHUNK]):
            yield range(start, min(start + _CHUNK, len(keys)))
