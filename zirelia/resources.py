"""Finds the data folders that travel with the code: agents/, persona/ and config/.

In a checkout they lie beside the package; in an installed wheel, inside it. Example: `folder("agents") / "planner.md"`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from zirelia.errors import ConfigurationError

DataFolder = Literal["agents", "persona", "config"]

_PACKAGE = Path(__file__).resolve().parent


def folder(name: DataFolder) -> Path:
    """The folder of that name. Raises ConfigurationError when the installation is damaged."""
    for candidate in (_PACKAGE.parent / name, _PACKAGE / name):
        if candidate.is_dir():
            return candidate
    raise ConfigurationError(
        f"the folder '{name}' is missing beside {_PACKAGE}", hint="reinstall zirelia, or run it from a checkout"
    )
