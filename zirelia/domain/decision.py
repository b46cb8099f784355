"""What a person decided about a post. Nothing else may approve."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from zirelia.domain.value import Instant, Text, Value


class DecisionKind(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    EDIT = "edit"


class Decision(Value):
    """One decision. `because` is required to reject, to request changes, and to approve a held post (an override).

    `changes` records an edit as field → (before, after).
    """

    kind: DecisionKind
    by: Text
    at: Instant
    because: Text | None = None
    override: bool = False
    changes: dict[str, tuple[str, str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        needs_reason = self.kind in {DecisionKind.REJECT, DecisionKind.REQUEST_CHANGES} or self.override
        if needs_reason and self.because is None:
            raise ValueError(f"to {self.kind.replace('_', ' ')}{' a held post' if self.override else ''}, say why")
        if self.kind is DecisionKind.EDIT and not self.changes:
            raise ValueError("an edit changes something")
        return self
