"""Where the shipped weights lie, and whether they are the ones that were shipped.

    FluxPipeline.from_pretrained(pipeline_dir())
    LooksEncoder.load(looks_path())

It reads files and hashes; it does not import torch.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from zirelia.errors import ConfigurationError

MANIFEST = "manifest.json"
REINSTALL = "pip install --force-reinstall --no-deps zirelia"


def weights_dir() -> Path:
    """The folder that travels inside the package."""
    return Path(__file__).parent / "weights"


def pipeline_dir() -> Path:
    """A diffusers FluxPipeline folder."""
    return _checked("base")


def looks_path() -> Path:
    """The looks encoder, checked with the composition probe beside it."""
    _checked("composition.safetensors")
    return _checked("looks.safetensors")


def seal(folder: Path) -> None:
    """Write the manifest of everything in the folder: after a build, or when a LoRA was added."""
    hashes = {name: _sha256(folder / name) for name in _files(folder)}
    (folder / MANIFEST).write_text(json.dumps(hashes, indent=1) + "\n", "utf-8")


def verify(folder: Path, below: str = "") -> None:
    """Raise ConfigurationError unless every manifest file at or below `below` is there and unchanged."""
    try:
        hashes: dict[str, str] = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{folder / MANIFEST} cannot be read: {error}", hint=REINSTALL) from error
    wanted = {name: known for name, known in hashes.items() if name == below or name.startswith(f"{below}/" if below else "")}
    if not wanted:
        raise ConfigurationError(f"{folder / below} is not among the shipped weights", hint=REINSTALL)
    for name, known in wanted.items():
        path = folder / name
        if not path.is_file():
            raise ConfigurationError(f"{path} is missing", hint=REINSTALL)
        if _sha256(path) != known:
            raise ConfigurationError(f"{path} is not the file that was shipped", hint=REINSTALL)


@cache
def _checked(name: str) -> Path:
    verify(weights_dir(), name)
    return weights_dir() / name


def _files(folder: Path) -> list[str]:
    """All files but the manifest and those of a write that is under way."""
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [path.as_posix() for path in found if path.name != MANIFEST and not any(p.startswith(".") for p in path.parts)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
