"""Money and work: one row per paid or counted call, written before the call is made.

    entry.model_copy(update={"state": LedgerState.DONE, "cost_usd": 0.035}).charged_usd     # 0.035; before, its estimate

`intent` → `done` | `failed` | `unknown`. Knows no caps: see `domain.budget`.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from zirelia.domain.value import Instant, Slug, Text, Value

PICTURE = "image"
"""The role of a call that makes one picture."""

LOST = "~lost"
"""In the id of a try that was sent, or may have been, and of which nothing was heard before its call was made again."""


class LedgerState(StrEnum):
    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class LedgerEntry(Value):
    """One call. `external_id` is the provider's id of what it created, kept so that a crash never pays twice.

    answer: what a chat model said, on its way into the ledger. It may be long and private: no JSON shows it, and a row that is
    read comes without it.
    """

    id: Text
    at: Instant
    persona: Slug
    post_id: int | None
    role: Text = Field(description="chat, vision, image, train, publish")
    provider: Text
    model: Text
    state: LedgerState
    estimate_usd: float = Field(default=0.0, ge=0)
    cost_usd: float | None = Field(default=None, ge=0)
    tokens_in: int = Field(default=0, ge=0)
    tokens_out: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0)
    external_id: str | None = None
    note: str | None = None
    answer: str | None = Field(default=None, exclude=True, repr=False)

    @property
    def makes_picture(self) -> bool:
        return self.role == PICTURE

    @property
    def lost(self) -> bool:
        """Whether its call was made again under the row that it had."""
        return LOST in self.id

    @property
    def charged_usd(self) -> float:
        """What counts against a budget now: the real cost, else the estimate; nothing for a call that failed uncharged."""
        if self.cost_usd is not None:
            return self.cost_usd
        return 0.0 if self.state is LedgerState.FAILED else self.estimate_usd
