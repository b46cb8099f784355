"""Which tries a round makes: more than one picture a cell, and again only for cells that stayed empty.

    effort = Effort(factor=2.5, rounds=3)
    tries = effort.tries(wanted.cells)                     # {"face-smile": 3, ...}
    dict(missing_tries(wanted, candidates, tries, 1))      # {"face-smile": (2, 3)}: number 1 is there

A try is named by its cell and number, so that an interrupted round goes on with what is missing of it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zirelia.domain.dataset import Candidate
from zirelia.domain.shotlist import Cell, ShotList
from zirelia.errors import ConfigurationError

MOST_ROUNDS = 10


@dataclass(frozen=True)
class Effort:
    """How much is made.

    factor: pictures for each cell in a round, on average (1-5). rounds: how often cells that stay empty are tried (1-10).
    """

    factor: float = 2.0
    rounds: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= 5 or not 1 <= self.rounds <= MOST_ROUNDS:
            raise ConfigurationError(
                f"factor {self.factor:g} with {self.rounds} rounds cannot be",
                hint=f"factor is 1 to 5, rounds 1 to {MOST_ROUNDS}",
            )

    def tries(self, cells: Sequence[Cell]) -> dict[str, int]:
        """Cell → pictures a round: the factor spread over the cells, the first cells getting what does not divide."""
        whole, rest = divmod(round(self.factor * len(cells)), len(cells))
        return {cell.id: whole + (index < rest) for index, cell in enumerate(cells)}


def missing_tries(
    cells: ShotList, there: Sequence[Candidate], tries: Mapping[str, int], turn: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(cell, numbers to make) for each cell without a kept picture: all numbers up to the end of round `turn` (1-based) that
    are not there.
    """
    done, made = filled(there), {(one.cell, one.number) for one in there}
    for cell in cells.cells:
        numbers = range(1, tries[cell.id] * turn + 1)
        missing = tuple(number for number in numbers if (cell.id, number) not in made)
        if cell.id not in done and missing:
            yield cell.id, missing


def round_under_way(there: Sequence[Candidate], tries: Mapping[str, int]) -> int:
    """The round that was under way: its pictures are examined together, however often it was interrupted."""
    waiting = (one for one in there if not one.examined and one.cell in tries)
    return max((math.ceil(one.number / tries[one.cell]) for one in waiting), default=1)


def filled(candidates: Iterable[Candidate]) -> frozenset[str]:
    """Cells that have a kept picture."""
    return frozenset(one.cell for one in candidates if one.kept)
