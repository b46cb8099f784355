"""What every export is made of: the order, and text that is safe to paste.

    command(["accelerate", "launch"], {"--seed": 42, "--sdpa": True})    # one flag a line, quoted for a POSIX shell
    here_document("dataset.toml", toml([("datasets", [{"resolution": 1024}])]))

Nothing of what is quoted here may end its own quotation: names and captions come from outside. It knows no trainer's flags.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias

from zirelia.domain.dataset import Dataset
from zirelia.domain.value import printable
from zirelia.training.plan import TrainingPlan

Flags: TypeAlias = Mapping[str, Any]
"""Flag → value: True for a flag alone, a list for several words, None for a flag that is left out."""

Memory: TypeAlias = Literal["40gb", "24gb", "16gb", "12gb", "8gb"]
_SAMPLES = 3
_EIGHT_BIT, _QUANTISED = 12, 24
"""Gigabytes up to which a card needs it."""


class Tool(StrEnum):
    """The trainers that a script is written for."""

    KOHYA = "kohya"
    AI_TOOLKIT = "ai-toolkit"
    DIFFUSERS = "diffusers"


class BaseKind(StrEnum):
    """What kind of base is trained."""

    FLUX = "flux"
    SDXL = "sdxl"
    SD15 = "sd15"

    @property
    def base(self) -> str:
        """Where the base of that kind is published."""
        return {
            BaseKind.FLUX: "black-forest-labs/FLUX.1-dev",
            BaseKind.SDXL: "stabilityai/stable-diffusion-xl-base-1.0",
            BaseKind.SD15: "stable-diffusion-v1-5/stable-diffusion-v1-5",
        }[self]


@dataclass(frozen=True)
class ScriptOrder:
    """What is to be trained elsewhere.

    pictures: the dataset's folder, with a caption file beside each picture and metadata.jsonl.
    out: the folder that the other trainer writes to. base: a model's name or path; the family's own when None.
    memory: of the graphics card; None asks for no savings. noun: what the character is ("woman"), for preservation.
    """

    plan: TrainingPlan
    dataset: Dataset
    pictures: Path
    out: Path
    family: BaseKind = BaseKind.FLUX
    base: str | None = None
    memory: Memory | None = None
    noun: str = "person"

    @property
    def base_model(self) -> str:
        return self.base or self.family.base

    @property
    def gigabytes(self) -> int:
        return int((self.memory or "80gb").removesuffix("gb"))

    @property
    def eight_bit(self) -> bool:
        """Whether the optimiser keeps its moments in 8 bits (bitsandbytes)."""
        return self.plan.optimiser == "adamw8bit" or self.gigabytes <= _EIGHT_BIT

    @property
    def quantised(self) -> bool:
        """Whether the frozen base is held in fewer than 16 bits."""
        return self.plan.quantisation != "none" or self.gigabytes <= _QUANTISED

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that hold the pictures, each once."""
        parents = dict.fromkeys(PurePath(reference.path).parent for reference in self.dataset.references)
        return tuple(str(self.pictures / parent) for parent in parents)

    @property
    def prompts(self) -> tuple[str, ...]:
        """What samples are drawn of: the first captions, each on one line."""
        captions = dict.fromkeys(one_line(reference.caption) for reference in self.dataset.references)
        return tuple(captions)[:_SAMPLES]


def one_line(text: str) -> str:
    return " ".join(printable(text).split())


def comments(lines: Sequence[str]) -> str:
    """Each line as a comment of shell, TOML and YAML alike."""
    return "".join(f"# {one_line(line)}\n" for line in lines)


def command(program: Sequence[str], flags: Flags) -> str:
    """One command for a POSIX shell, a flag a line."""
    lines = [shlex.join(program)]
    for flag, value in flags.items():
        if value is None or value is False:
            continue
        words = [] if value is True else value if isinstance(value, list) else [value]
        lines.append(" ".join([flag, *(_word(word) for word in words)]))
    return " \\\n  ".join(lines) + "\n"


class Variable(str):
    """A word that the shell is to expand, such as "$MODELS/ae.safetensors"; never made of anything from outside."""

    __slots__ = ()


def _word(value: object) -> str:
    if isinstance(value, Variable):
        return f'"{value}"'
    return shlex.quote(number(value) if isinstance(value, float) else str(value))


def number(value: float) -> str:
    """A number as every parser reads it: 0.0001, not 1e-4, which YAML takes for text."""
    said = f"{value:.12f}".rstrip("0")
    return said + "0" if said.endswith(".") else said


def here_document(name: str, text: str) -> str:
    """Shell that writes the text to a file; the end mark stands on no line of the text."""
    mark = "END"
    while mark in text.splitlines():
        mark += "_"
    return f"cat > {shlex.quote(name)} <<'{mark}'\n{text if text.endswith(chr(10)) else text + chr(10)}{mark}\n"


def toml(tables: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Tables in order; a name in double brackets is one of several. Values: text, bool, int, float, lists of them."""
    return "\n".join(
        f"{name}\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items()) for name, table in tables
    )


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value)
    # a TOML basic string takes JSON's escapes, but for surrogate pairs and DEL
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")


def plan_notes(plan: TrainingPlan, *, preserves: bool = False) -> list[str]:
    """What no other trainer does the same way, in words for the top of a script."""
    notes = []
    if plan.preserving and not (preserves and plan.preservation == "output"):
        kind = "differential output preservation" if plan.preservation == "output" else "preservation by class images"
        notes.append(
            f"{kind} is missing here: the face will leak to people without the trigger; watch for it when you choose a "
            "checkpoint"
        )
    if plan.background_weight is not None:
        notes.append(f"the smaller weight of the background ({number(plan.background_weight)}) is missing here")
    if plan.quantisation in {"int8", "nf4"}:
        notes.append(f"the frozen base is held in {plan.quantisation} by Zirelia, and here as this trainer does it")
    if plan.patience is not None:
        notes.append("stopping early is missing here")
    if plan.caption_variants > 1:
        notes.append(f"{plan.caption_variants} variants of each caption are missing here")
    if plan.time_mu:
        notes.append(f"the middle of the noise times ({number(plan.time_mu)}) is missing here")
    return notes
