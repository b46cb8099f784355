"""The ledger: an intent row before every paid call, the provider's id as soon as there is one, then the outcome.

    call = ledger.open(entry)            # committed before anything is paid
    call.created("prediction-7")         # committed before it is polled
    ledger.close(entry_with_its_cost)

A process that dies in between finds its row, and its id, again. One that finds no id makes the call again, and what the lost
one may have cost goes on counting, in a row of its own. Caps are checked in the transaction that writes the intent, so that two
processes cannot slip under one together. Knows nothing of whose caps they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, case, cast, delete, func, or_, select, type_coerce
from sqlalchemy.orm import Session, defer

from zirelia.domain.budget import Cap, Spent, adds, check
from zirelia.domain.ledger import LOST, PICTURE, LedgerEntry, LedgerState
from zirelia.errors import Conflict, NotFound, StoreError
from zirelia.store.database import Database
from zirelia.store.locks import advisory_key
from zirelia.store.rows import fill_ledger, ledger_row, to_ledger
from zirelia.store.tables import LedgerRow

_UNFINISHED = frozenset({LedgerState.INTENT.value, LedgerState.UNKNOWN.value})
_REMEMBERED = timedelta(minutes=50)
"""How far back a provider that gives ids is searched for what a lost try had created, before anything is created anew."""


class OpenCall:
    """Implements ports.PaidCall: the row of the call in progress."""

    def __init__(self, database: Database, entry_id: str, external_id: str | None) -> None:
        self._database = database
        self._entry_id = entry_id
        self._external_id = external_id

    @property
    def external_id(self) -> str | None:
        return self._external_id

    def created(self, external_id: str) -> None:
        """Commits the provider's id. A different one than before replaces it; the note keeps the old one.

        What a lost try had created not long ago would have been found: it is this, or nothing, and counts no more.
        """
        with self._database.writing() as session:
            row = session.get(LedgerRow, self._entry_id, with_for_update=True)
            if row is None:
                raise NotFound(f"the ledger has no call '{self._entry_id}'")
            if row.external_id is None:
                session.execute(delete(LedgerRow).where(_lost(row.id), LedgerRow.at >= row.at - _REMEMBERED))
            elif row.external_id != external_id:
                row.note = _joined(row.note, f"replaces {row.external_id}")
            row.external_id = external_id
        self._external_id = external_id


class Ledger:
    """The ledger's table; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, entry: LedgerEntry, caps: Sequence[Cap] = ()) -> OpenCall:
        """Writes the intent, or finds the unfinished row of that id with what it had created.

        Where nothing is known to have been created the call is made again, and counts beside the lost one. A failed call that
        cost nothing may be opened again under its id and starts anew. Raises Conflict for a call that is done, or that failed
        and was charged: its row is history. Raises BudgetExceeded, and writes nothing, when the call would go beyond one of
        the caps.
        """
        if entry.state is not LedgerState.INTENT:
            raise StoreError(f"call '{entry.id}' must be opened as an intent, not as {entry.state}")
        with self._database.writing() as session:
            if caps and not self._database.is_sqlite:
                # SQLite has one writer; elsewhere the calls of one persona line up, or both would see the sum before either
                session.execute(select(func.pg_advisory_xact_lock(advisory_key(f"ledger-{entry.persona}"))))
            row = session.get(LedgerRow, entry.id, with_for_update=True)
            again = row is not None and row.state in _UNFINISHED and row.external_id is None
            if row is not None and again:
                _set_aside(session, row)
            _check_caps(session, caps, entry, row)
            if row is None:
                session.add(ledger_row(entry))
                return OpenCall(self._database, entry.id, entry.external_id)
            if row.state in _UNFINISHED:
                row.state = LedgerState.INTENT.value
                if again:
                    row.at, row.estimate, row.cost = max(row.at, entry.at), entry.estimate_usd, None
            elif row.state == LedgerState.FAILED.value and not row.cost:
                if row.external_id is not None:
                    row.note = _joined(row.note, f"replaces {row.external_id}")
                row.state, row.external_id, row.cost = LedgerState.INTENT.value, None, None
                row.at, row.estimate = entry.at, entry.estimate_usd
            else:
                raise Conflict(f"call '{entry.id}' is already {row.state}", hint="open a call with a new id")
            return OpenCall(self._database, entry.id, row.external_id)

    def close(self, entry: LedgerEntry) -> None:
        """Writes the outcome once; again with the same outcome changes nothing. Raises NotFound, Conflict, StoreError."""
        if entry.state is LedgerState.INTENT:
            raise StoreError(f"call '{entry.id}' cannot end as an intent")
        with self._database.writing() as session:
            row = session.get(LedgerRow, entry.id, with_for_update=True)
            if row is None:
                raise NotFound(f"the ledger has no call '{entry.id}'", hint="open it before it is paid")
            if row.state not in _UNFINISHED:
                if (row.state, row.cost) == (entry.state.value, to_ledger(ledger_row(entry)).cost_usd):
                    return
                raise Conflict(f"call '{entry.id}' is already {row.state}")
            note = _joined(row.note, entry.note)
            fill_ledger(row, entry)
            row.note = note
            row.external_id = row.external_id or entry.external_id

    def entries(
        self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        """Oldest first; `since` is inclusive."""
        query = select(LedgerRow).options(defer(LedgerRow.answer)).order_by(LedgerRow.at, LedgerRow.id)
        if persona is not None:
            query = query.where(LedgerRow.persona == persona)
        if post_id is not None:
            query = query.where(LedgerRow.post_id == post_id)
        if since is not None:
            query = query.where(LedgerRow.at >= since)
        with self._database.reading() as session:
            rows: Sequence[LedgerRow] = session.scalars(query).all()
            return tuple(map(to_ledger, rows))

    def answer(self, entry_id: str) -> str | None:
        """What was answered, for a call that is done; None for any other."""
        query = select(LedgerRow.answer).where(LedgerRow.id == entry_id, LedgerRow.state == LedgerState.DONE.value)
        with self._database.reading() as session:
            return session.scalars(query).one_or_none()

    def spent(self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None) -> Spent:
        """The sum of what was charged, or may have been; `since` is inclusive."""
        with self._database.reading() as session:
            return _spent(session, persona=persona, post_id=post_id, since=since)


def _lost(entry_id: str) -> ColumnElement[bool]:
    return LedgerRow.id.startswith(f"{entry_id}{LOST}", autoescape=True)


def _set_aside(session: Session, row: LedgerRow) -> None:
    """What the try may have cost goes on counting, on the day on which it was made, when its row is used again."""
    if not row.estimate and not row.cost:
        return
    taken = set(session.scalars(select(LedgerRow.id).where(_lost(row.id))))
    name = next(name for n in itertools.count(1) if (name := f"{row.id}{LOST}{n}") not in taken)
    session.add(ledger_row(to_ledger(row).model_copy(update={"id": name, "state": LedgerState.UNKNOWN})))
    session.flush()


def _check_caps(session: Session, caps: Sequence[Cap], entry: LedgerEntry, row: LedgerRow | None) -> None:
    # what was created earlier was charged then
    moment = entry.at if row is None or row.external_id is None or row.state not in _UNFINISHED else row.at
    sums: dict[tuple[datetime | None, int | None], Spent] = {}
    for cap in caps:
        if adds(cap.unit, entry) > 0 and cap.covers(moment):
            persona, key = entry.persona if cap.post_id is None else None, (cap.since, cap.post_id)
            if key not in sums:
                sums[key] = _spent(session, persona=persona, post_id=cap.post_id, since=cap.since, but=entry.id)
            check(cap, sums[key].of(cap.unit), entry)


def _spent(
    session: Session, *, persona: str | None, post_id: int | None, since: datetime | None, but: str | None = None
) -> Spent:
    failed = LedgerRow.state == LedgerState.FAILED.value
    # in whole micro-dollars; the same rule as LedgerEntry.charged_usd
    cost, estimate = type_coerce(LedgerRow.cost, BigInteger), type_coerce(LedgerRow.estimate, BigInteger)
    charged = func.coalesce(cost, case((failed, 0), else_=estimate))
    made = LedgerRow.role == PICTURE, or_(~failed, cost > 0)
    wanted: list[ColumnElement[bool]] = []
    if persona is not None:
        wanted.append(LedgerRow.persona == persona)
    if post_id is not None:
        wanted.append(LedgerRow.post_id == post_id)
    if since is not None:
        wanted.append(LedgerRow.at >= since)
    if but is not None:
        wanted.append(LedgerRow.id != but)
    # the sum of big integers is a numeric on PostgreSQL
    usd, images = cast(func.coalesce(func.sum(charged), 0), BigInteger), func.count(case((made[0] & made[1], 1)))
    micro, pictures = session.execute(select(usd, images).where(*wanted)).one()
    return Spent(usd=micro / 1_000_000, images=pictures)


def _joined(*notes: str | None) -> str | None:
    """The notes that say something new, in order."""
    return "; ".join(dict.fromkeys(note for note in notes if note)) or None
