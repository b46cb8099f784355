"""The warm base: one loaded diffusers pipeline a process, shared by all makers that want the same one.

    base = warm_base(BaseKey("black-forest-labs/FLUX.1-dev", None, profile), local_only=True, token=None)
    with base.lock:
        pipeline = base.pipeline(image_to_image=False)

A different key replaces the base, because two of them seldom fit into memory. Knows neither prompts nor LoRAs' choice.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zirelia.errors import ConfigurationError, MissingExtra
from zirelia.images.profiles import Profile

_SAMPLE = 32 * 1024 * 1024
IMAGE_TO_IMAGE = "Img2Img"
INPAINT = "Inpaint"


@dataclass(frozen=True)
class BaseKey:
    """What decides the loaded weights. `model` is a hub name or a folder; `revision` a branch, tag or commit of the hub."""

    model: str
    revision: str | None
    profile: Profile


@dataclass
class Base:
    """A loaded pipeline. Hold `lock` around every use: a pipeline keeps state between its steps."""

    key: BaseKey
    text_to_image: Any
    device: str
    revision: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    adapters: dict[str, str] = field(default_factory=dict)
    compiled: bool = False
    _forms: dict[str, Any] = field(default_factory=dict)
    _placed: Any = None

    def pipeline(self, *, image_to_image: bool = False, inpaint: bool = False) -> Any:
        """The pipeline for the task, on its device; all share all weights."""
        chosen = self._form(INPAINT if inpaint else IMAGE_TO_IMAGE) if inpaint or image_to_image else self.text_to_image
        if self.key.profile.offload != "none" and self._placed is not chosen:
            _offload(chosen, self.key.profile, self.device)
            self._placed = chosen
        return chosen

    def _form(self, form: str) -> Any:
        if form not in self._forms:
            self._forms[form] = _sister_of(self.text_to_image, form)
        return self._forms[form]


def has_form(class_name: str, form: str) -> bool:
    """Whether diffusers has that form of the named pipeline."""
    return _sister_class(class_name, form) is not None


def _sister_class(class_name: str, form: str) -> Any:
    """Named by diffusers' rule rather than through its AutoPipelines, whose import loads every pipeline there is."""
    import diffusers

    with _quietly():
        return getattr(diffusers, f"{class_name.removesuffix('Pipeline')}{form}Pipeline", None)


def _sister_of(pipeline: Any, form: str) -> Any:
    """The pipeline itself where it takes pictures (FLUX.2, Kontext), else its sister over the same weights."""
    kind = type(pipeline)
    if form == IMAGE_TO_IMAGE and "image" in inspect.signature(kind.__call__).parameters:
        return pipeline
    sister = _sister_class(kind.__name__, form)
    if sister is None:
        what, hint = (
            ("image-to-image", "leave the start picture out")
            if form == IMAGE_TO_IMAGE
            else ("inpainting", "leave `within` out")
        )
        raise ConfigurationError(f"{kind.__name__} has no {what} form in diffusers", hint=hint)
    takes = set(inspect.signature(sister.__init__).parameters)
    settings = {name: value for name, value in pipeline.config.items() if name in takes}
    made = sister(**settings | {name: part for name, part in pipeline.components.items() if name in takes})
    made.set_progress_bar_config(disable=True)
    return made


_lock = threading.Lock()
_warm: Base | None = None


def warm_base(key: BaseKey, *, local_only: bool, token: str | None) -> Base:
    """The base for `key`, loaded at the first call (seconds to minutes). Raises ConfigurationError when it cannot be."""
    global _warm
    wanted = replace(key, profile=_loading_part(key.profile))
    with _lock:
        if _warm is None or _warm.key != wanted:
            _warm = None
            _free_memory()
            _warm = _load(wanted, local_only=local_only, token=token)
        return _warm


def is_warm(key: BaseKey) -> bool:
    base = _warm
    return base is not None and base.key == replace(key, profile=_loading_part(key.profile))


def warm_class(key: BaseKey) -> str | None:
    """The name of the loaded pipeline's class; None when another one or none is loaded."""
    base = _warm
    return type(base.text_to_image).__name__ if base is not None and is_warm(key) else None


def _loading_part(profile: Profile) -> Profile:
    """The profile without what only a call needs, so that makers that differ in steps share a base."""
    return Profile(
        device=profile.device,
        dtype=profile.dtype,
        offload=profile.offload,
        quantisation=profile.quantisation,
        compile=profile.compile,
        lora_rank=profile.lora_rank,
    )


def _load(key: BaseKey, *, local_only: bool, token: str | None) -> Base:
    for package in ("torch", "diffusers", "transformers"):
        if not _has(package):
            raise MissingExtra("local", "making pictures on this machine")
    with _quietly():
        from diffusers import DiffusionPipeline

    profile, folder = key.profile, Path(key.model)
    device = resolve_device(profile)
    loader: Any = DiffusionPipeline
    options: dict[str, Any] = {"dtype": _dtype(profile, device), "use_safetensors": True}
    if folder.is_dir():
        if not (folder / "model_index.json").is_file():
            raise ConfigurationError(f"{folder} is no diffusers pipeline: it has no model_index.json")
        options["local_files_only"] = True
    else:
        options |= {"revision": key.revision, "local_files_only": local_only, "token": token}
    if profile.quantisation in {"int8", "nf4"}:
        options["quantization_config"] = _quantisation(profile, key.model, options)
    try:
        with _quietly():
            pipeline = loader.from_pretrained(str(key.model), **options)
    # AttributeError: transformers answers so for a processor whose own package (torchvision) is not installed
    except (OSError, ValueError, ImportError, AttributeError) as error:
        raise _loading_error(key.model, error, local_only=local_only) from error
    pipeline.set_progress_bar_config(disable=True)
    base = Base(key, pipeline, device, _revision(folder, pipeline))
    _prepare(base)
    return base


@contextmanager
def _quietly() -> Iterator[None]:
    """Hushes the bars and notes of the two libraries while they load: progress is told through our own port."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    logs: tuple[Any, ...] = (diffusers_log, transformers_log)
    before = [log.get_verbosity() for log in logs]
    bars = [log.is_progress_bar_enabled() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, verbosity, bar in zip(logs, before, bars, strict=True):
            log.set_verbosity(verbosity)
            if bar:
                log.enable_progress_bar()


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _loading_error(model: str, error: Exception, *, local_only: bool) -> ConfigurationError:
    said = " ".join(str(error).split())[:300]
    if "torchvision" in said.lower() or (isinstance(error, AttributeError) and not _has("torchvision")):
        hint = "install the torchvision that belongs to your torch, from the same index"
    elif "gated" in said.lower() or "401" in said or "403" in said:
        hint = "accept the model's licence on its page and set a Hugging Face token"
    elif local_only:
        hint = "offline: download it beforehand, or name the folder that holds it"
    else:
        hint = "check the name; a folder needs model_index.json and .safetensors weights"
    return ConfigurationError(f"the image model {model} cannot be loaded: {said}", hint=hint)


def _prepare(base: Base) -> None:
    """Moves the weights to their place; the order matters: 8-bit storage, then device, then the LoRA slot, then compiling."""
    profile, pipeline = base.key.profile, base.text_to_image
    denoiser = _denoiser(pipeline)
    if profile.quantisation == "fp8":
        import torch

        denoiser.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=_dtype(profile, base.device))
    if profile.offload == "none" and profile.quantisation not in {"int8", "nf4"}:
        pipeline.to(base.device)
    if profile.compile:
        pipeline.enable_lora_hotswap(target_rank=profile.lora_rank)


def compile_blocks(base: Base) -> None:
    """Compiles the repeated blocks once, after the first LoRA was loaded: later ones then swap without compiling again."""
    if base.key.profile.compile and not base.compiled:
        _denoiser(base.text_to_image).compile_repeated_blocks(fullgraph=True)
        base.compiled = True


def _denoiser(pipeline: Any) -> Any:
    return pipeline.transformer if getattr(pipeline, "transformer", None) is not None else pipeline.unet


def _offload(pipeline: Any, profile: Profile, device: str) -> None:
    pipeline.remove_all_hooks()
    if profile.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)


def resolve_device(profile: Profile) -> str:
    """The device that torch really has. Raises ConfigurationError when the profile names one that it has not."""
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if profile.device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[profile.device]:
        raise ConfigurationError(
            f"the image profile wants {profile.device}, which torch {torch.__version__} does not see here",
            hint="choose the profile cpu, or install the torch build for your card",
        )
    return profile.device


def _dtype(profile: Profile, device: str) -> Any:
    """fp32 on CPUs, where the others are slower; on cards bf16, or fp16 where bf16 is missing."""
    import torch

    named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if profile.dtype != "auto":
        return named[profile.dtype]
    if device == "cpu":
        return torch.float32
    if device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16


def _quantisation(profile: Profile, model: str, options: dict[str, Any]) -> Any:
    if not _has("bitsandbytes"):
        raise MissingExtra("quantised", f"the image profile's {profile.quantisation}")
    from diffusers import DiffusionPipeline
    from diffusers.quantizers.pipe_quant_config import PipelineQuantizationConfig

    index = DiffusionPipeline.load_config(
        model, **{name: options[name] for name in ("revision", "local_files_only", "token") if name in options}
    )
    large = [name for name in ("transformer", "unet", "text_encoder_2", "text_encoder_3") if index.get(name)]
    if "text_encoder_2" not in large and "transformer" in large and index.get("text_encoder"):
        large.append("text_encoder")
    if profile.quantisation == "int8":
        return PipelineQuantizationConfig(
            quant_backend="bitsandbytes_8bit", quant_kwargs={"load_in_8bit": True}, components_to_quantize=large
        )
    return PipelineQuantizationConfig(
        quant_backend="bitsandbytes_4bit",
        quant_kwargs={
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_compute_dtype": options["dtype"],
        },
        components_to_quantize=large,
    )


def _revision(folder: Path, pipeline: Any) -> str:
    """The hub's commit, or a digest of the folder: small files whole, of large ones the size, beginning and end."""
    if not folder.is_dir():
        return _hub_commit(pipeline)
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".json", ".safetensors", ".model", ".txt"}):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\x1f{size}\x1f".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            if size > 2 * _SAMPLE:
                file.seek(-_SAMPLE, 2)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]


def _hub_commit(pipeline: Any) -> str:
    """The commit in the cache path that a component was read from (`.../snapshots/<commit>/vae`); empty when unknown."""
    for component in pipeline.components.values():
        name = str(getattr(getattr(component, "config", None), "_name_or_path", ""))
        if found := re.search(r"snapshots[/\\]([0-9a-f]{40})", name):
            return found[1]
    return ""


def _free_memory() -> None:
    import gc
    import sys

    gc.collect()
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
