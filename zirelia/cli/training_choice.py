"""What a person chose for a training, kept beside it, so that `zirelia train resume` goes on with the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from zirelia.domain.value import Value
from zirelia.errors import ConfigurationError, TrainingError
from zirelia.files import whole_file
from zirelia.training.plan import POCKET, TrainingPlan, fluxgym, person, style

PRESETS = ("person", "style", "fluxgym", "pocket")
PROFILES = ("auto", "40gb", "24gb", "16gb", "12gb", "8gb", "cpu")
TOOLS = ("kohya", "ai-toolkit", "diffusers")

_NAME = "train.json"
_FIELDS = {"rate": "learning_rate"}
_MADE: dict[str, Callable[[int], TrainingPlan]] = {
    "person": person,
    "style": style,
    "fluxgym": fluxgym,
    "pocket": lambda _: POCKET,
}


class Chosen(Value):
    """The plan, and where and how it runs; None for what the settings decide."""

    plan: TrainingPlan
    where: Literal["here", "replicate"] | None = None
    profile: Literal["auto", "40gb", "24gb", "16gb", "12gb", "8gb", "cpu"] | None = None

    def write(self, folder: Path) -> None:
        with whole_file(folder / _NAME) as part:
            part.write_text(self.model_dump_json(indent=2), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Chosen | None:
        """None when no training was begun there. Raises TrainingError for a damaged file."""
        try:
            return cls.model_validate_json((folder / _NAME).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise TrainingError(
                f"{folder / _NAME} cannot be read: {type(error).__name__}", hint="begin again with the options of that training"
            ) from error


def plan_of(preset: str, pictures: int, changes: Mapping[str, Any]) -> TrainingPlan:
    """The preset for so many pictures, with changes by the names of the options. Raises ConfigurationError."""
    plan = _MADE[preset](pictures)
    named = {_FIELDS.get(name, name): value for name, value in changes.items()}
    try:
        return TrainingPlan.model_validate(plan.model_dump() | named)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the plan"
        raise ConfigurationError(f"{where}: {first['msg']}", hint="zirelia train --help names the ranges") from error
