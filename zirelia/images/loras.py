"""Puts a LoRA on the warm base, changes its scale, takes it off again: checked once, loaded once, kept by its hash.

    wear(base, lora, scale=0.9)     # the base now draws her
    wear(base, None, scale=1.0)     # and now nobody in particular: the same pixels as a base that never had one

Call with `base.lock` held. Knows nothing of prompts or triggers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zirelia.domain.lora import Lora
from zirelia.errors import ConfigurationError
from zirelia.images.base import Base, compile_blocks
from zirelia.images.weights import LoraFacts, check_lora, file_sha256, read_header

_KEPT = 4
"""LoRAs that stay loaded beside each other; the one unused for longest leaves first."""
_SLOT = "swapped"


def wear(base: Base, lora: Lora | None, *, scale: float) -> None:
    """Makes `lora` the only active one at `scale`, or none. Raises ConfigurationError when it cannot be used here."""
    if lora is None:
        _take_off(base)
        return
    pipeline = base.text_to_image
    if not hasattr(pipeline, "load_lora_weights"):
        raise ConfigurationError(f"{type(pipeline).__name__} takes no LoRA", hint="choose another base model")
    if lora.sha256 not in base.adapters:
        facts = verify(base, lora)
        _load(base, lora, facts)
    else:
        base.adapters[lora.sha256] = base.adapters.pop(lora.sha256)
    pipeline.enable_lora()
    pipeline.set_adapters([base.adapters[lora.sha256]], [scale])
    compile_blocks(base)


def _take_off(base: Base) -> None:
    if base.adapters:
        base.text_to_image.disable_lora()
    if not base.key.profile.compile:
        return
    # compiling before the first LoRA would make its later loading an error; without one the plain base runs uncompiled
    if base.adapters:
        compile_blocks(base)


def verify(base: Base, lora: Lora) -> LoraFacts:
    """That the file is the one the hash names, a plain LoRA, and made for this base."""
    path = Path(lora.path)
    header = read_header(path)
    found = file_sha256(path)
    if found != lora.sha256:
        raise ConfigurationError(
            f"{path} has changed: its hash begins {found[:12]}, {lora.sha256[:12]} was expected",
            hint="restore the file, or register the new one as a LoRA of its own",
        )
    facts = check_lora(header, layer_shapes(base.text_to_image))
    limit = base.key.profile.lora_rank
    if base.key.profile.compile and facts.rank > limit:
        raise ConfigurationError(
            f"{path} has rank {facts.rank}; the compiled base swaps ranks up to {limit}",
            hint="raise lora_rank in the image profile, or switch compile off",
        )
    return facts


def layer_shapes(pipeline: Any) -> dict[str, tuple[int, int]]:
    """The base's layers that a LoRA can change: `component.layer` → (out, in)."""
    shapes: dict[str, tuple[int, int]] = {}
    for component in getattr(pipeline, "_lora_loadable_modules", ()):
        model = getattr(pipeline, component, None)
        if model is None:
            continue
        for name, module in model.named_modules():
            plain = f"{component}.{name}".removesuffix(".base_layer")
            if ".lora_" in plain:
                continue
            own = vars(module)  # not hasattr: a model answers for its config, with a deprecation warning
            if "in_features" in own and "out_features" in own:
                shapes[plain] = (module.out_features, module.in_features)
            elif "in_channels" in own and "kernel_size" in own:
                shapes[plain] = (module.out_channels, module.in_channels)
    return shapes


def _load(base: Base, lora: Lora, facts: LoraFacts) -> None:
    pipeline, path = base.text_to_image, Path(lora.path)
    swap = base.key.profile.compile and bool(base.adapters)
    name = _SLOT if base.key.profile.compile else f"lora-{lora.sha256[:16]}"
    if not base.key.profile.compile:
        _make_room(base)
    try:
        with _quiet_loader():
            pipeline.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name=name, hotswap=swap, local_files_only=True
            )
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        _forget(base, name)
        raise ConfigurationError(
            f"{path} does not go onto {type(pipeline).__name__}: {' '.join(str(error).split())[:300]}",
            hint="use a LoRA that was trained for this base model",
        ) from error
    if not any(name in names for names in pipeline.get_list_adapters().values()):
        raise ConfigurationError(
            f"{path}: none of its {facts.modules} layers belongs to {type(pipeline).__name__}",
            hint="use a LoRA that was trained for this base model",
        )
    if swap:
        base.adapters.clear()
    base.adapters[lora.sha256] = name


def _make_room(base: Base) -> None:
    while len(base.adapters) >= _KEPT:
        oldest = next(iter(base.adapters))
        base.text_to_image.delete_adapters([base.adapters.pop(oldest)])


def _forget(base: Base, name: str) -> None:
    """Removes what a failed loading left behind, so that the base stays usable."""
    loaded = {one for names in base.text_to_image.get_list_adapters().values() for one in names}
    if name in loaded and name not in base.adapters.values():
        base.text_to_image.delete_adapters([name])


@contextmanager
def _quiet_loader() -> Iterator[None]:
    """Hushes diffusers' note that a LoRA has no text-encoder part, which is how ours are made."""
    logger = logging.getLogger("diffusers.loaders.lora_base")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
