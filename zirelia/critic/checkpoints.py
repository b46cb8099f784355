"""Loads a public vision model through transformers: from a folder, or from the Hub when that is allowed.

    source = Source("facebook/dinov2-small", revision="ed25f3a", offline=False)
    model, processor = load(source, "AutoModel", "AutoImageProcessor")

Weights are safetensors only and no code of a repository is ever run. Knows nothing of what the models are for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zirelia.errors import ConfigurationError, MissingExtra, OfflineViolation

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Source:
    """Which weights, and how they run.

    model: a folder, or a name on the Hub. revision: a commit of the Hub; None its newest. offline: no connection, only what
    lies on the disk. device: as torch names it ("cpu", "cuda:0"). dtype: one of DTYPES.
    """

    model: str
    revision: str | None = None
    offline: bool = False
    device: str = "cpu"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigurationError("a vision model needs a folder or a name on the Hub")
        if self.dtype not in DTYPES:
            raise ConfigurationError(f"{self.model}: no dtype '{self.dtype}'", hint=f"choose one of {', '.join(DTYPES)}")


def load(source: Source, *classes: str) -> tuple[Any, ...]:
    """The parts of a checkpoint by the names of their transformers classes, the model first, in evaluation mode.

    Raises MissingExtra, OfflineViolation for a Hub model that is not on the disk, ConfigurationError for anything that is not
    such a checkpoint.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtra("local", f"the vision model {source.model}")
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    folder = Path(source.model).expanduser()
    local = folder.is_dir()
    options: dict[str, Any] = {"local_files_only": local or source.offline, "trust_remote_code": False}
    if not local:
        options["revision"] = source.revision
    where = str(folder) if local else source.model
    try:
        with _quietly(transformers):
            model, report = getattr(transformers, classes[0]).from_pretrained(
                where, use_safetensors=True, dtype=getattr(torch, source.dtype), output_loading_info=True, **options
            )
        # transformers fills what a checkpoint lacks with random numbers, and only notes it
        if lacking := sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]])):
            raise ValueError(f"it lacks {len(lacking)} of the model's weights, such as {lacking[0]}")
        parts = [_part(getattr(transformers, name), name, where, options) for name in classes[1:]]
        # a device that is not there is RuntimeError, or AssertionError from a torch that was built without it
        return (model.to(source.device).eval(), *parts)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, AttributeError, AssertionError) as error:
        raise _loading_error(source, error, local=local) from error


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Hushes the bars and notes of the library while it loads; what it would note of the weights is an error here."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def _part(kind: Any, name: str, where: str, options: dict[str, Any]) -> Any:
    # the processor in plain Python: the same pixels with and without torchvision
    extra = {"backend": "pil"} if name == "AutoImageProcessor" else {}
    return kind.from_pretrained(where, **options, **extra)


def _loading_error(source: Source, error: Exception, *, local: bool) -> Exception:
    said = (str(error) or type(error).__name__).splitlines()[0][:300]
    if not local and source.offline and isinstance(error, OSError):
        return OfflineViolation(
            f"{source.model} is not on this disk, and offline it is not fetched",
            hint=f"fetch it once with a connection: hf download {source.model}, or name a folder that holds it",
        )
    return ConfigurationError(
        f"{source.model} cannot be loaded: {said}",
        hint="it must hold config.json, model.safetensors and the preprocessor's file; the device must be there",
    )
