"""Which pictures a dataset wants: cells of framing, yaw, expression, light, scene and outfit, and how evenly they are spread.

    wanted = load_shot_list("30")            # zirelia.definitions.shotlists
    wanted.repeats()                         # () or what repeats too often, in words
    coverage(wanted, kept=("face-01",))      # what is there and what is missing

A repeated outfit or background binds to the trigger word, so neither may fill more than a share of the cells. It knows
nothing of files or models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from zirelia.domain.shot import Shot
from zirelia.domain.value import Slug, Text, Value


class Yaw(StrEnum):
    """How far the head is turned; left and right as the viewer sees them."""

    FRONT = "front"
    THREE_QUARTER_LEFT = "three-quarter left"
    THREE_QUARTER_RIGHT = "three-quarter right"
    PROFILE_LEFT = "profile left"
    PROFILE_RIGHT = "profile right"
    BACK = "back"

    @property
    def frontal(self) -> bool:
        """Whether identity is measured as strictly as from the front."""
        return self in {Yaw.FRONT, Yaw.THREE_QUARTER_LEFT, Yaw.THREE_QUARTER_RIGHT}


class Cell(Value):
    """One wanted picture.

    instruction: what an edit model is told in place of the words made from the other fields, such as "remove the cup".
    garment: a picture of clothes to wear, relative to the shot list's file; given to the edit model beside the references.
    """

    id: Slug
    shot: Shot
    yaw: Yaw = Yaw.FRONT
    instruction: Text | None = None
    garment: Text | None = None


class ShotList(Value):
    """Cells with unique ids. `most_of_one` is the largest share of cells that one outfit or one scene may fill."""

    name: Slug
    cells: tuple[Cell, ...] = Field(min_length=1, max_length=200)
    most_of_one: float = Field(default=0.2, gt=0, le=1)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        twice = [name for name, count in Counter(cell.id for cell in self.cells).items() if count > 1]
        if twice:
            raise ValueError(f"the cell id '{twice[0]}' stands twice")
        return self

    def cell(self, name: str) -> Cell:
        """Raises KeyError."""
        return {cell.id: cell for cell in self.cells}[name]

    @property
    def most_allowed(self) -> int:
        """How many cells one outfit or one scene may fill; at least one."""
        return max(1, int(self.most_of_one * len(self.cells) + 1e-9))

    def repeats(self) -> tuple[str, ...]:
        """What fills more cells than allowed, in words."""
        allowed = self.most_allowed
        fields = {"outfit": [cell.shot.outfit for cell in self.cells], "scene": [cell.shot.scene for cell in self.cells]}
        return tuple(
            f"{field} '{value}' fills {count} of {len(self.cells)} cells, at most {allowed} are allowed"
            for field, values in fields.items()
            for value, count in Counter(values).items()
            if count > allowed
        )


class Coverage(Value):
    """Cells that have a kept picture, and those that have none."""

    kept: tuple[Slug, ...]
    missing: tuple[Slug, ...]

    @property
    def share(self) -> float:
        total = len(self.kept) + len(self.missing)
        return len(self.kept) / total if total else 0.0


def coverage(wanted: ShotList, kept: Iterable[str]) -> Coverage:
    """In the order of the list; ids that the list does not have are left out."""
    there = frozenset(kept)
    return Coverage(
        kept=tuple(cell.id for cell in wanted.cells if cell.id in there),
        missing=tuple(cell.id for cell in wanted.cells if cell.id not in there),
    )
