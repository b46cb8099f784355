"""Shot lists as files: config/shotlists/*.yaml, or anybody's own copy of one → a checked ShotList.

    load_shot_list("30").cell("face-smile").shot.scene
    load_shot_list(Path("my-shots.yaml"))
    shot_list_text(wanted)                      # YAML that reads back as the same list

Every problem of a file is reported at once, with its line and key. The keys are explained at the top of each shipped file.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from zirelia import resources
from zirelia.definitions.complaints import Problem, dotted, near_miss, problems_in, refusal
from zirelia.definitions.marked_yaml import Located, parse, read_text
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.shotlist import Cell, ShotList, Yaw
from zirelia.domain.value import Slug, Text, Value
from zirelia.errors import DefinitionError, NotFound

_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,39}$")


class CellEntry(Value):
    """One cell as it stands in a file: flat."""

    id: Slug
    framing: Framing
    yaw: Yaw = Yaw.FRONT
    expression: Text
    light: Text
    scene: Text
    outfit: Text
    pose: str = Field(default="", max_length=200)
    props: str = Field(default="", max_length=200)
    instruction: Text | None = None
    garment: Text | None = None

    def cell(self, folder: Path) -> Cell:
        """The cell; a garment's path becomes absolute."""
        return Cell(
            id=self.id,
            shot=Shot(
                scene=self.scene,
                outfit=self.outfit,
                pose=self.pose,
                expression=self.expression,
                framing=self.framing,
                light=self.light,
                props=self.props,
            ),
            yaw=self.yaw,
            instruction=self.instruction,
            garment=str((folder / self.garment).resolve()) if self.garment else None,
        )


class ShotListFile(Value):
    """What a file says."""

    name: Slug
    most_of_one: float = Field(default=0.2, gt=0, le=1)
    cells: tuple[CellEntry, ...] = Field(min_length=1, max_length=200)


def shot_list_names() -> tuple[str, ...]:
    """Names of the shipped lists, the shortest list first."""
    found = (path.stem for path in (resources.folder("config") / "shotlists").glob("*.yaml"))
    return tuple(sorted(found, key=lambda name: (len(name), name)))


def load_shot_list(name_or_path: str | Path) -> ShotList:
    """The shipped list of that name, or the list of that file.

    Garment pictures get absolute paths. Raises NotFound when there is none, and DefinitionError with every problem of the
    file when it does not fit, comes twice to the same outfit or scene more often than it allows, or names a garment picture
    that is not there.
    """
    path = _file_of(name_or_path)
    located = parse(read_text(path), path)
    if not isinstance(located.value, dict):
        raise DefinitionError("is empty or not a mapping of keys", path=path, line=1)
    try:
        said = ShotListFile.model_validate(located.value)
    except ValidationError as error:
        raise refusal(path, problems_in(located, error, ShotListFile)) from error
    folder = path.resolve().parent
    problems = _beyond_the_schema(said, located, folder)
    if problems:
        raise refusal(path, sorted(problems))
    wanted = ShotList(name=said.name, most_of_one=said.most_of_one, cells=tuple(entry.cell(folder) for entry in said.cells))
    repeats = wanted.repeats()
    if repeats:
        line = located.line_of(("cells",))
        raise refusal(path, [Problem(line, "cells", f"{repeat}; what repeats binds to the trigger word") for repeat in repeats])
    return wanted


def shot_list_text(wanted: ShotList) -> str:
    """The list as a file says it."""
    entries = [_entry(cell) for cell in wanted.cells]
    document = {"name": wanted.name, "most_of_one": wanted.most_of_one, "cells": entries}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _entry(cell: Cell) -> dict[str, str]:
    shot = cell.shot
    said = {
        "id": cell.id,
        "framing": str(shot.framing),
        "yaw": str(cell.yaw) if cell.yaw is not Yaw.FRONT else "",
        "expression": shot.expression,
        "light": shot.light,
        "scene": shot.scene,
        "outfit": shot.outfit,
        "pose": shot.pose,
        "props": shot.props,
        "instruction": cell.instruction or "",
        "garment": cell.garment or "",
    }
    return {key: value for key, value in said.items() if value}


def _file_of(name_or_path: str | Path) -> Path:
    if isinstance(name_or_path, str) and _NAME.fullmatch(name_or_path):
        names = shot_list_names()
        if name_or_path in names:
            return resources.folder("config") / "shotlists" / f"{name_or_path}.yaml"
        raise NotFound(
            f"there is no shot list '{name_or_path}'{near_miss(name_or_path, names)}",
            hint=f"there are: {', '.join(names)}; or give the path of a file of your own",
        )
    try:
        path = Path(name_or_path).expanduser()
    except RuntimeError as error:
        raise NotFound(f"there is no user whose home is in '{name_or_path}'") from error
    if not path.is_file():
        raise NotFound(f"there is no shot list at {path}", hint=f"the shipped ones are called {', '.join(shot_list_names())}")
    return path


def _beyond_the_schema(said: ShotListFile, located: Located, folder: Path) -> list[Problem]:
    """What the schema cannot know: ids that stand twice, and garment pictures that are not there."""
    problems = []
    seen: Counter[str] = Counter()
    for index, entry in enumerate(said.cells):
        seen[entry.id] += 1
        if seen[entry.id] == 2:
            place: tuple[str | int, ...] = ("cells", index, "id")
            problems.append(Problem(located.line_of(place), dotted(place), f"the cell id '{entry.id}' stands twice"))
        if entry.garment and not (folder / entry.garment).is_file():
            place = ("cells", index, "garment")
            missing = f"there is no picture '{entry.garment}' beside this file"
            problems.append(Problem(located.line_of(place), dotted(place), missing))
    return problems
