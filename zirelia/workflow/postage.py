"""What publishing costs, where a channel takes money for it: counted before anything is sent, and stopped by the budget.

    frank(kit, post, channel, plan)                 # BudgetExceeded, before the call; nothing on a channel without a price
    settle(kit, post, channel, LedgerState.DONE)    # once it is known what became of it

A ledger row a try, role "publish". One of unknown outcome counts as spent until the platform was read.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import Post
from zirelia.ports import Channel, Plan
from zirelia.workflow.kit import Kit

ROLE = "publish"
_OPEN = frozenset({LedgerState.INTENT, LedgerState.UNKNOWN})


@runtime_checkable
class Priced(Protocol):
    """A channel that takes money for a post."""

    def price_usd(self, plan: Plan) -> float: ...


def frank(kit: Kit, post: Post, channel: Channel, plan: Plan) -> None:
    """Opens the row of a try that is about to be made; what is open of earlier ones came to nothing, or it would not be made.

    Raises BudgetExceeded when it would go beyond a cap.
    """
    if not isinstance(channel, Priced):
        return
    settle(kit, post, channel, LedgerState.FAILED)
    now, facts = kit.now(), channel.facts()
    number = len(_rows(kit, post, channel)) + 1
    entry = LedgerEntry(
        id=f"{_account(post, channel)}{number}",
        at=now,
        persona=post.persona,
        post_id=post.id,
        role=ROLE,
        provider=facts.backend,
        model=facts.model,
        state=LedgerState.INTENT,
        estimate_usd=channel.price_usd(plan),
    )
    kit.store.open_call(entry, kit.budget.caps(now, post.id))


def settle(kit: Kit, post: Post, channel: Channel, state: LedgerState) -> None:
    """Closes what is open of the publication: DONE at its price, FAILED at nothing, UNKNOWN at what it may have cost."""
    if not isinstance(channel, Priced):
        return
    for row in _rows(kit, post, channel):
        if row.state in _OPEN and row.state is not state:
            cost = row.estimate_usd if state is LedgerState.DONE else None
            kit.store.close_call(row.model_copy(update={"state": state, "cost_usd": cost}))


def _rows(kit: Kit, post: Post, channel: Channel) -> tuple[LedgerEntry, ...]:
    return tuple(row for row in kit.store.ledger(post_id=post.id) if row.id.startswith(_account(post, channel)))


def _account(post: Post, channel: Channel) -> str:
    return f"{post.slot_id}/{ROLE}/{channel.name}/"
