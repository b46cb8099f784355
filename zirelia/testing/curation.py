"""A fake curator: its opinions come from a rule that it is given; for tests and demos of a dataset's making.

    curator = FakeCurator(lambda one: refused(FaultKind.BLURRED) if one.name.endswith("-1.png") else Opinion(faults=()))
    curator.seen[0]                 # the names of the first set that it was shown

It looks at no pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zirelia.domain.dataset import Fault, FaultKind
from zirelia.ports import BackendFacts, Opinion, Progress, Submission

if TYPE_CHECKING:
    from PIL.Image import Image


def good(_: Submission) -> Opinion:
    """Nothing is wrong with any picture."""
    return Opinion(faults=(), identity=0.9)


def refused(kind: FaultKind, because: str = "said the rule", *, identity: float | None = None) -> Opinion:
    """An opinion with that one fault."""
    return Opinion(faults=(Fault(kind=kind, explanation=because),), identity=identity)


@dataclass
class FakeCurator:
    """`ports.Curator` that asks its rule about each submission. `sides` and `anchors` are what it was told, call by call."""

    rule: Callable[[Submission], Opinion] = good
    seen: list[tuple[str, ...]] = field(default_factory=list)
    anchors: list[int] = field(default_factory=list)
    sides: list[int] = field(default_factory=list)

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="fake", model="a rule", local=True, paid=False)

    def examine(
        self, submissions: Sequence[Submission], *, anchors: Sequence[Image] = (), side: int, progress: Progress
    ) -> Sequence[Opinion]:
        self.seen.append(tuple(one.name for one in submissions))
        self.anchors.append(len(anchors))
        self.sides.append(side)
        opinions = [self.rule(one) for one in submissions]
        progress(1.0, f"{len(opinions)} examined")
        return opinions
