"""Puts LoRAs on the warm base, changes their scales, takes them off again: checked once, loaded once, kept by their hash.

    wear(base, [WornLora(lora=mira, scale=0.9)])         # the base now draws her
    wear(base, [WornLora(lora=mira), WornLora(lora=ink, scale=0.6)])     # a character in a style; their order is irrelevant
    wear(base, [])          # and now nobody in particular: the same pixels as a base that never had one

Call with `base.lock` held. Knows nothing of prompts or triggers.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from zirelia.domain.lora import Lora, WornLora
from zirelia.errors import ConfigurationError
from zirelia.files import sha256_of
from zirelia.images.base import Base, compile_blocks
from zirelia.images.shapes import layer_shapes
from zirelia.images.weights import LoraFacts, check_lora
from zirelia.safetensors_header import read_header

_KEPT = 4
"""LoRAs that stay loaded; the one unused for longest leaves first. A larger cast keeps all of its own."""
_SLOT = "swapped"


def wear(base: Base, worn: Sequence[WornLora]) -> None:
    """Makes these LoRAs, and no others, active at their scales. Raises ConfigurationError when one cannot be used here.

    The sum of several is rounded in the order in which they are added, so they are added in the order of their hashes.
    """
    if not worn:
        _take_off(base)
        return
    pipeline = base.text_to_image
    if not hasattr(pipeline, "load_lora_weights"):
        raise ConfigurationError(f"{type(pipeline).__name__} takes no LoRA", hint="choose another base model")
    ordered = sorted(worn, key=lambda each: each.lora.sha256)
    _check_together(base, ordered)
    wanted = {each.lora.sha256 for each in ordered}
    for each in ordered:
        if each.lora.sha256 not in base.adapters:
            facts = verify(base, each.lora)
            _load(base, each.lora, facts, wanted)
        else:
            base.adapters[each.lora.sha256] = base.adapters.pop(each.lora.sha256)
    pipeline.enable_lora()
    pipeline.set_adapters([base.adapters[each.lora.sha256] for each in ordered], [each.scale for each in ordered])
    compile_blocks(base)


def _check_together(base: Base, worn: Sequence[WornLora]) -> None:
    """That no LoRA is given twice, and that the base takes as many: a compiled one has a single slot."""
    for first, second in pairwise(worn):
        if first.lora.sha256 == second.lora.sha256:
            raise ConfigurationError(
                f"the LoRA {first.lora.path} is worn twice, at {first.scale:g} and {second.scale:g}",
                hint="give it once, at the scale that you want",
            )
    if base.key.profile.compile and len(worn) > 1:
        raise ConfigurationError(
            f"{len(worn)} LoRAs at once do not go onto a compiled base, which swaps one for another",
            hint="switch compile off in the image profile, or use one LoRA",
        )


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
    found = sha256_of(path)
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


def _load(base: Base, lora: Lora, facts: LoraFacts, wanted: Set[str]) -> None:
    pipeline, path = base.text_to_image, Path(lora.path)
    swap = base.key.profile.compile and bool(base.adapters)
    name = _SLOT if base.key.profile.compile else f"lora-{lora.sha256[:16]}"
    if not base.key.profile.compile:
        _make_room(base, wanted)
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


def _make_room(base: Base, wanted: Set[str]) -> None:
    """Unloads what was unused for longest until one more fits; never what the same picture wears."""
    idle = [sha256 for sha256 in base.adapters if sha256 not in wanted]
    for oldest in idle[: max(0, len(base.adapters) + 1 - _KEPT)]:
        base.text_to_image.delete_adapters([base.adapters.pop(oldest)])


def _forget(base: Base, name: str) -> None:
    """Removes what a failed loading left behind, so that the base stays usable."""
    loaded = {one for names in base.text_to_image.get_list_adapters().values() for one in names}
    if name in loaded and name not in base.adapters.values():
        base.text_to_image.delete_adapters([name])


@contextmanager
def _quiet_loader() -> Iterator[None]:
    """Hushes two notes on what is meant here: a LoRA without a text-encoder part, and several LoRAs on one model."""
    logger = logging.getLogger("diffusers.loaders.lora_base")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Already found a `peft_config` attribute", category=UserWarning)
            yield
    finally:
        logger.setLevel(before)
