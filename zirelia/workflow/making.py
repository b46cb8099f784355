"""Pictures for a dataset, one after another: paid for once, kept before the ledger row closes, and no failure loses the rest.

    making = Making(kit, account, total=60)
    making.one(key="face-smile/1", facts=editor.facts(), estimate=0.04, make=partial(draw, edit), keep=partial(store, cell, 1))

A picture that failed for a moment's reason is left for the next round; several in a row end the work with their error. Knows
nothing of what the pictures show.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from zirelia.domain.dataset import Candidate
from zirelia.domain.duration import duration
from zirelia.errors import MediaError, ProviderError
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress
from zirelia.workflow.accounts import Account, Call, counted
from zirelia.workflow.dataset_kit import DatasetKit

FAILURES_IN_A_ROW = 3

Make = Callable[[PaidCall, Progress], MadeImage]
Keep = Callable[[MadeImage], None]


@dataclass
class Making:
    """Makes `total` pictures and says how far it is."""

    kit: DatasetKit
    account: Account
    total: int
    made: int = 0
    tried: int = 0
    spent: float = 0.0
    _failed_in_a_row: int = 0
    _now: str = ""
    _began: float = field(default_factory=time.monotonic)

    def one(self, *, key: str, facts: BackendFacts, estimate: float, make: Make, keep: Keep) -> bool:
        """Makes and keeps one picture; False when the model could not. Raises the third failure in a row, and all that is no
        failure of the model.
        """
        self._now = key
        self._say(0.0, key)
        try:
            self._counted(key, facts, estimate, make, keep)
        except (ProviderError, MediaError) as error:
            self.tried += 1
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= min(FAILURES_IN_A_ROW, self.total):
                raise
            self.kit.watcher.note(f"{key}: {error.message}; going on with the others")
            return False
        self._failed_in_a_row = 0
        self.made, self.tried = self.made + 1, self.tried + 1
        return True

    def _counted(self, key: str, facts: BackendFacts, estimate: float, make: Make, keep: Keep) -> None:
        call: Call | None = None
        try:
            with counted(self.kit, self.account, "image", facts, key=key, estimate=estimate) as call:
                made = make(call.paid, self._say)
                call.cost = made.provenance.cost_usd
                keep(made)
        except ProviderError as error:
            if call is None or not call.resumed or error.retryable:
                raise
            # its row is closed as failed, so this orders anew, once
            self.kit.watcher.note(f"what was ordered earlier came to nothing: {error.message}")
            self._counted(key, facts, estimate, make, keep)
            return
        self.spent += call.cost

    def _say(self, fraction: float, note: str) -> None:
        """The progress of all of it; within a picture its share counts."""
        done = self.tried + fraction
        said = f"{self.tried} of {self.total}, {note if note == self._now else f'{self._now} {note}'.strip()}"
        if self.tried:
            each = (time.monotonic() - self._began) / done
            said += f"; {each:.1f} s each, about {duration(each * (self.total - done))} left"
        self.kit.watcher.progress(min(1.0, done / self.total) if self.total else 1.0, said)


def candidate_of(made: MadeImage, *, folder: str, cell: str, number: int, origin: str, licence: str) -> Candidate:
    """The record of a fresh picture."""
    provenance = made.provenance
    suffix = ".jpg" if made.media_type == "image/jpeg" else ".png"
    return Candidate(
        cell=cell,
        number=number,
        path=f"{folder}/{cell}-{number}{suffix}",
        sha256=hashlib.sha256(made.data).hexdigest(),
        origin=origin,
        licence=licence,
        generator=f"{provenance.backend}: {provenance.model}",
        seed=provenance.prompt.seed,
        cost_usd=provenance.cost_usd,
    )
