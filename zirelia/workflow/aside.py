"""Pictures that are kept aside: good ones that the training does not see, to hold its LoRA against.

    held_aside(built.rejected, count=12)

The best is one more picture of a cell that has its own already. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.domain.dataset import Candidate, FaultKind

COUNT = 12


def held_aside(rejected: Sequence[Candidate], *, count: int = COUNT) -> tuple[Candidate, ...]:
    """Spares that have no other fault, one a cell, spread over the cells as far as the count allows."""
    spares: dict[str, Candidate] = {}
    for one in rejected:
        if one.faults and all(fault.kind is FaultKind.SPARE for fault in one.faults):
            best = spares.get(one.cell)
            if best is None or _worth(one) > _worth(best):
                spares[one.cell] = one
    ordered = [spares[cell] for cell in sorted(spares)]
    if len(ordered) <= count:
        return tuple(ordered)
    return tuple(ordered[round(place * (len(ordered) - 1) / max(1, count - 1))] for place in range(count))


def _worth(one: Candidate) -> float:
    return -2.0 if one.identity is None else one.identity
