"""Every call to a model goes through here, so that money is counted before it is spent.

    answer = ask(kit, post, "drafter", request, DraftAnswer)
    with counted(kit, Account(persona="mira", name="dataset/mira/b7"), "image", facts, key="face/1", estimate=0.04) as call:

A ledger row `intent` is committed before the call and closed after it; a call that would go beyond a cap is not made. A chat
model's answer is kept in its row by the transaction that closes it: a turn that is resumed after a crash reads it there.
Knows neither prompts nor what a budget should be.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from zirelia.domain.budget import Period, beginning
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import Post
from zirelia.errors import ConfigurationError, MediaError, OfflineViolation, ProviderError, ProviderTimeout
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


def spent(kit: Books, persona: str) -> float:
    """US dollars charged to the persona in this calendar month of hers, open intents at their estimate."""
    return kit.store.spent(persona=persona, since=beginning(Period.MONTH, kit.now(), kit.budget.zone)).usd


class Call:
    """One open ledger row; cost, tokens, note and a chat model's answer are filled in before it closes.

    resumed: an earlier try of this call had already created something at the provider.
    """

    def __init__(self, paid: PaidCall) -> None:
        self.paid = paid
        self.resumed = paid.external_id is not None
        self.cost = 0.0
        self.tokens_in = 0
        self.tokens_out = 0
        self.note: str | None = None
        self.answer: str | None = None


@contextmanager
def counted(
    kit: Books,
    whom: Post | Account,
    role: str,
    facts: BackendFacts,
    *,
    key: str,
    estimate: float,
    known: Sequence[LedgerEntry] | None = None,
) -> Iterator[Call]:
    """A ledger row around one call. `key` names the call within its account, so that a resumed call finds its row again.

    known: the account's rows, for a caller who has looked among them for the answer. One that is closed only now, by the last
    transaction of a process that was killed, must be met by Conflict and not be passed over.

    Raises BudgetExceeded, before anything is called, when the call would go beyond a cap.
    """
    account = Account.of(whom)
    now = kit.now()
    entry = LedgerEntry(
        id=_row_for(account, key, _rows(kit, account) if known is None else known),
        at=now,
        persona=account.persona,
        post_id=account.post_id,
        role=role,
        provider=facts.backend,
        model=facts.model,
        state=LedgerState.INTENT,
        estimate_usd=estimate,
    )
    caps = kit.budget.caps(now, account.post_id)
    call = Call(kit.store.open_call(entry, caps) if caps else kit.store.open_call(entry))
    started = time.monotonic()
    state, note = LedgerState.DONE, None
    cost: float | None = None
    try:
        yield call
        cost, note = call.cost, call.note
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
                    "answer": call.answer if state is LedgerState.DONE else None,
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
        if cost is not None and row.state in {LedgerState.INTENT, LedgerState.UNKNOWN} and not row.lost:
            done = {"state": LedgerState.DONE, "cost_usd": cost, "note": "kept before a crash"}
            kit.store.close_call(row.model_copy(update=done))


def _rows(kit: Books, account: Account) -> tuple[LedgerEntry, ...]:
    if account.post_id is not None:
        return kit.store.ledger(post_id=account.post_id)
    return kit.store.ledger(persona=account.persona)


def _row_for(account: Account, key: str, known: Sequence[LedgerEntry]) -> str:
    """The id of the call's row: that of an unfinished try, or a new one when a finished one was lost to a crash."""
    over = {row.id for row in known if row.state is LedgerState.DONE or (row.state is LedgerState.FAILED and row.cost_usd)}
    names = itertools.chain((f"{account.name}/{key}",), (f"{account.name}/{key}~{n}" for n in itertools.count(2)))
    return next(name for name in names if name not in over)


def _outcome(error: BaseException, call: Call) -> LedgerState:
    """Failed when certainly nothing more comes of the call, so that it may be made anew; else unknown."""
    if isinstance(error, MediaError):
        return LedgerState.FAILED
    if isinstance(error, ConfigurationError | OfflineViolation) and call.paid.external_id is None:
        return LedgerState.FAILED  # it was never sent
    # a provider that refused took no money; one that went silent may have
    if not isinstance(error, ProviderError) or isinstance(error, ProviderTimeout):
        return LedgerState.UNKNOWN
    if call.paid.external_id is None:
        return LedgerState.FAILED
    # something was created: it is looked at once more, by a resumed call, before it is given up
    return LedgerState.FAILED if call.resumed and not error.retryable else LedgerState.UNKNOWN


def ask(
    kit: Kit,
    post: Post,
    role: str,
    request: ChatRequest,
    schema: type[Schema],
    *,
    turn: int = 1,
    eyes: Chat | None = None,
    beside: str | None = None,
    kept_as: type[Schema] | None = None,
) -> Answer[Schema]:
    """One question to the chat model, counted. `turn` tells several questions of one role for one post apart; `eyes` is
    asked in the chat model's place.

    The same turn asked again by a resumed production is answered from the ledger, even where the question reads a little
    differently by now, because another post was made meanwhile: the turn is what was paid for. An answer that points into a
    list is kept with the list, `beside` it, and comes back with the one that it was given to; `kept_as` reads it whatever list
    there is by now.
    """
    chat, estimate = (kit.chat, kit.chat_estimate_usd) if eyes is None else (eyes, kit.vision_estimate_usd)
    # the version tells a second production of the same post from the first: what a person wants anew is asked anew
    key = f"{role}/{post.version}.{turn}"
    return _put(
        kit,
        Account.of(post),
        role,
        chat,
        request,
        schema,
        key=key,
        estimate=estimate,
        asked=None,
        beside=beside,
        kept_as=kept_as,
    )


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
    """One question to a chat model on anybody's account, counted under that key.

    It is answered from the ledger only if it was asked in the same words about the same pictures: an opinion of one text must
    never pass for that of another.
    """
    account, asked = Account.of(whom), _asked(request)
    return _put(kit, account, role, chat, request, schema, key=key, estimate=estimate, asked=asked)


def _put(
    kit: Books,
    account: Account,
    role: str,
    chat: Chat,
    request: ChatRequest,
    schema: type[Schema],
    *,
    key: str,
    estimate: float,
    asked: str | None,
    beside: str | None = None,
    kept_as: type[Schema] | None = None,
) -> Answer[Schema]:
    """asked: the note by which a kept answer is known to be one to this question; None where its key says enough."""
    rows = _rows(kit, account)
    kept = _kept(kit, account, rows, key, kept_as or schema, chat.facts(), asked, with_list=beside is not None)
    if kept is not None:
        return kept
    with counted(kit, account, role, chat.facts(), key=key, estimate=estimate, known=rows) as call:
        try:
            answer = chat.ask(request, schema)
        except ProviderError as error:
            # wrong answers are paid for like right ones
            usage: Usage = error.usage if isinstance(error.usage, Usage) else Usage()
            call.cost, call.tokens_in, call.tokens_out = usage.cost_usd, usage.tokens_in, usage.tokens_out
            raise
        call.cost = answer.usage.cost_usd
        call.tokens_in, call.tokens_out = answer.usage.tokens_in, answer.usage.tokens_out
        readable = _readable(answer, schema)
        call.answer, call.note = readable if beside is None else json.dumps([readable, beside]), asked
        return replace(answer, beside=beside)


def _kept(
    kit: Books,
    account: Account,
    rows: Sequence[LedgerEntry],
    key: str,
    schema: type[Schema],
    facts: BackendFacts,
    asked: str | None,
    *,
    with_list: bool = False,
) -> Answer[Schema] | None:
    """The latest answer that was paid for under that key and fits the schema as it is now, at no further cost."""
    for row in reversed(rows):
        # an answer to a certain question is also one of a certain model: it is an opinion, not a step of a turn
        same = asked is None or (asked in (row.note or "").split("; ") and (row.provider, row.model) == _named(facts))
        if row.state is LedgerState.DONE and row.id.partition("~")[0] == f"{account.name}/{key}" and same:
            raw = kit.store.paid_answer(row.id)
            with suppress(ValueError):
                if raw is not None:
                    text, beside = json.loads(raw) if with_list else (raw, None)
                    value = schema.model_validate_json(text)
                    return Answer(value=value, model=row.model, usage=Usage(), raw=text, beside=beside)
    return None


def _named(facts: BackendFacts) -> tuple[str, str]:
    return facts.backend, facts.model


def _readable(answer: Answer[Schema], schema: type[Schema]) -> str:
    """The answer as the model wrote it; where that is more than the schema can read again, as it was understood."""
    with suppress(ValidationError):
        if schema.model_validate_json(answer.raw) == answer.value:
            return answer.raw
    return answer.value.model_dump_json()


def _asked(request: ChatRequest) -> str:
    """A note that is the same for the same question."""
    parts = (*(part.encode("utf-8", "surrogatepass") for part in (request.system, request.user)), *request.images)
    # lengths first, so that no part can pass for two
    return "asked " + hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()[:16]
