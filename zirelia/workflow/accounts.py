"""Every call to a model goes through here, so that money is counted before it is spent.

    answer = ask(kit, post, "drafter", request, DraftAnswer)
    with counted(kit, Account(persona="mira", name="dataset/mira/b7"), "image", facts, key="face/1", estimate=0.04) as call:

A ledger row `intent` is committed before the call and closed after it; a call that would break a budget is not made.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import Post
from zirelia.errors import BudgetExceeded, MediaError, ProviderError, ProviderTimeout
from zirelia.ports import Answer, BackendFacts, Chat, ChatRequest, PaidCall, Usage
from zirelia.workflow.kit import Books, Kit

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class Account:
    """What calls are made for: `name` begins the ids of their rows; a post has a cap of its own."""

    persona: str
    name: str
    post_id: int | None = None

    @classmethod
    def of(cls, whom: Post | Account) -> Account:
        return whom if isinstance(whom, Account) else cls(whom.persona, whom.slot_id, whom.id)


def month_start(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def spent(kit: Books, persona: str, *, but: str = "") -> float:
    """US dollars charged to the persona in this calendar month (UTC), open intents at their estimate; without row `but`."""
    rows = kit.store.ledger(persona=persona, since=month_start(kit.now()))
    return sum(row.charged_usd for row in rows if row.id != but)


def check_budget(kit: Books, whom: Post | Account, estimate: float, *, row: str = "") -> None:
    """Raises BudgetExceeded when a call of that estimate would break a cap of the month or of the post.

    row: the call's own row, which a resumed call has in the ledger already.
    """
    if estimate <= 0:
        return
    account = Account.of(whom)
    month, cap = spent(kit, account.persona, but=row), kit.budget.month_usd
    if cap is not None and month + estimate > cap:
        raise BudgetExceeded(
            f"{account.persona} has spent ${month:.2f} of ${cap:.2f} this month; the next call may cost ${estimate:.2f}",
            hint="raise ZIRELIA_BUDGET_MONTH_USD or wait for the next month",
        )
    if account.post_id is not None and kit.budget.post_usd is not None:
        so_far = sum(other.charged_usd for other in kit.store.ledger(post_id=account.post_id) if other.id != row)
        if so_far + estimate > kit.budget.post_usd:
            raise BudgetExceeded(
                f"post {account.post_id} has cost ${so_far:.2f} of ${kit.budget.post_usd:.2f}; "
                f"the next call may cost ${estimate:.2f}",
                hint="raise ZIRELIA_BUDGET_POST_USD, or decide on the post as it is",
            )


class Call:
    """One open ledger row; `cost`, `tokens_in` and `tokens_out` are filled in before it closes.

    resumed: an earlier try of this call had already created something at the provider.
    """

    def __init__(self, paid: PaidCall) -> None:
        self.paid = paid
        self.resumed = paid.external_id is not None
        self.cost = 0.0
        self.tokens_in = 0
        self.tokens_out = 0


@contextmanager
def counted(kit: Books, whom: Post | Account, role: str, facts: BackendFacts, *, key: str, estimate: float) -> Iterator[Call]:
    """A ledger row around one call. `key` names the call within its account, so that a resumed call finds its row again."""
    account = Account.of(whom)
    row = _row_for(kit, account, key)
    check_budget(kit, account, estimate, row=row)
    entry = LedgerEntry(
        id=row,
        at=kit.now(),
        persona=account.persona,
        post_id=account.post_id,
        role=role,
        provider=facts.backend,
        model=facts.model,
        state=LedgerState.INTENT,
        estimate_usd=estimate,
    )
    call = Call(kit.store.open_call(entry))
    started = time.monotonic()
    state, note = LedgerState.DONE, None
    cost: float | None = None
    try:
        yield call
        cost = call.cost
    except BaseException as error:
        state, note, cost = _outcome(error, call), type(error).__name__, call.cost or None
        raise
    finally:
        kit.store.close_call(
            entry.model_copy(
                update={
                    "state": state,
                    "cost_usd": cost,
                    "tokens_in": call.tokens_in,
                    "tokens_out": call.tokens_out,
                    "seconds": time.monotonic() - started,
                    "note": note,
                }
            )
        )


def settle_kept(kit: Books, whom: Post | Account, kept: Mapping[str, float]) -> None:
    """Closes the rows of calls whose outcome is kept though a crash came before their rows were closed.

    kept: key of the call → what it cost. A row that is closed already stays as it is.
    """
    account = Account.of(whom)
    named = {f"{account.name}/{key}": cost for key, cost in kept.items()}
    for row in _rows(kit, account):
        # a call made anew has a row of its own, told apart by the part behind the ~
        cost = named.get(row.id.partition("~")[0])
        if cost is not None and row.state in {LedgerState.INTENT, LedgerState.UNKNOWN}:
            done = {"state": LedgerState.DONE, "cost_usd": cost, "note": "kept before a crash"}
            kit.store.close_call(row.model_copy(update=done))


def _rows(kit: Books, account: Account) -> tuple[LedgerEntry, ...]:
    if account.post_id is not None:
        return kit.store.ledger(post_id=account.post_id)
    return kit.store.ledger(persona=account.persona)


def _row_for(kit: Books, account: Account, key: str) -> str:
    """The id of the call's row: that of an unfinished try, or a new one when a finished one was lost to a crash."""
    over = {
        row.id
        for row in _rows(kit, account)
        if row.state is LedgerState.DONE or (row.state is LedgerState.FAILED and row.cost_usd)
    }
    names = itertools.chain((f"{account.name}/{key}",), (f"{account.name}/{key}~{n}" for n in itertools.count(2)))
    return next(name for name in names if name not in over)


def _outcome(error: BaseException, call: Call) -> LedgerState:
    """Failed when certainly nothing more comes of the call, so that it may be made anew; else unknown."""
    if isinstance(error, MediaError):
        return LedgerState.FAILED
    # a provider that refused took no money; one that went silent may have
    if not isinstance(error, ProviderError) or isinstance(error, ProviderTimeout):
        return LedgerState.UNKNOWN
    if call.paid.external_id is None:
        return LedgerState.FAILED
    # something was created: it is looked at once more, by a resumed call, before it is given up
    return LedgerState.FAILED if call.resumed and not error.retryable else LedgerState.UNKNOWN


def ask(
    kit: Kit, post: Post, role: str, request: ChatRequest, schema: type[Schema], *, turn: int = 1, eyes: Chat | None = None
) -> Answer[Schema]:
    """One question to the chat model, counted. `turn` tells several questions of one role for one post apart; `eyes` is
    asked in the chat model's place.
    """
    chat, estimate = (kit.chat, kit.chat_estimate_usd) if eyes is None else (eyes, kit.vision_estimate_usd)
    # the version tells a second production of the same post from the first, whose rows are closed
    key = f"{role}/{post.version}.{turn}"
    return put(kit, post, role, chat, request, schema, key=key, estimate=estimate)


def put(
    kit: Books,
    whom: Post | Account,
    role: str,
    chat: Chat,
    request: ChatRequest,
    schema: type[Schema],
    *,
    key: str,
    estimate: float,
) -> Answer[Schema]:
    """One question to a chat model on anybody's account, counted under that key."""
    with counted(kit, whom, role, chat.facts(), key=key, estimate=estimate) as call:
        try:
            answer = chat.ask(request, schema)
        except ProviderError as error:
            # wrong answers are paid for like right ones
            usage: Usage = error.usage if isinstance(error.usage, Usage) else Usage()
            call.cost, call.tokens_in, call.tokens_out = usage.cost_usd, usage.tokens_in, usage.tokens_out
            raise
        call.cost = answer.usage.cost_usd
        call.tokens_in, call.tokens_out = answer.usage.tokens_in, answer.usage.tokens_out
        return answer
